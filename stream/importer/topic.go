package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/roles"
)

// Topic is a sink that produces to a Kafka topic. The client retries what can be retried; the events are idempotent by
// their ids, so that an import that failed can be run again.
type Topic struct {
	ctx     context.Context
	client  *kgo.Client
	headers []kgo.RecordHeader // of every record
	failed  atomic.Pointer[error]
}

// reachTimeout is how long the cluster may take to answer at all.
const reachTimeout = 15 * time.Second

// NewTopic makes a sink for topic. options are how to reach the cluster. Unless they are live, its events are marked as
// replayed: in whatever order a file has them, none is late and none moves time.
func NewTopic(ctx context.Context, topic string, live bool, options []kgo.Opt) (*Topic, error) {
	options = append(append([]kgo.Opt(nil), options...), kgo.DefaultProduceTopic(topic), kgo.MaxBufferedBytes(64<<20))
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := client.Ping(reach); err != nil {
		client.Close()
		return nil, fmt.Errorf("topic %s: reach the cluster: %w", topic, err)
	}
	t := &Topic{ctx: ctx, client: client}
	if !live {
		t.headers = []kgo.RecordHeader{{Key: roles.HeaderReplay}}
	}
	return t, nil
}

// Put is the Sink. It returns the first error of an earlier event.
func (t *Topic) Put(key, value []byte) error {
	if err := t.failed.Load(); err != nil {
		return *err
	}
	record := &kgo.Record{Key: bytes.Clone(key), Value: bytes.Clone(value), Headers: t.headers}
	t.client.Produce(t.ctx, record, func(r *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("topic %s, partition %d: %w", r.Topic, r.Partition, err)
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				err = fmt.Errorf("topic %s does not exist", r.Topic)
			}
			t.failed.CompareAndSwap(nil, &err)
		}
	})
	return nil
}

// Close waits until every event is acknowledged. Its error is nil only if all of them are.
func (t *Topic) Close() error {
	defer t.client.Close()
	if err := t.client.Flush(t.ctx); err != nil {
		return fmt.Errorf("wait for acknowledgements: %w", err)
	}
	if err := t.failed.Load(); err != nil {
		return *err
	}
	return nil
}
