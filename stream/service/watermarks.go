package service

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/state"
	"tributary/stream/settings"
	"tributary/stream/watermark"
)

// readStall is how long Watermarks waits for more of the changelog.
const readStall = 30 * time.Second

// Watermarks reads from the changelog how far time has come in an application, whether or not it runs. The rows about time are
// few, but they are among all the others: it reads the whole changelog.
func Watermarks(ctx context.Context, client []kgo.Opt, s *settings.Settings) (watermark.Table, error) {
	rows := make([]watermark.Rows, s.Partitions)
	for i := range rows {
		rows[i] = watermark.RowMap{}
	}
	err := readCommitted(ctx, client, s.ChangelogTopic(), func(r *kgo.Record) error {
		key, value, ok, err := state.PlainEntry(state.KindWatermark, state.Entry{Key: r.Key, Value: r.Value})
		switch {
		case err != nil:
			return err
		case ok && int(r.Partition) < len(rows):
			rows[r.Partition].Put(key, value)
		}
		return nil
	})
	if err != nil {
		return watermark.Table{}, err
	}
	return watermark.TableOf(rows)
}

// readCommitted calls each for the committed records of a topic, to the end that it has now.
func readCommitted(ctx context.Context, opts []kgo.Opt, topic string, each func(*kgo.Record) error) error {
	client, err := reach(ctx, opts)
	if err != nil {
		return err
	}
	defer client.Close()
	left, from, err := extent(ctx, client, topic)
	if err != nil || len(left) == 0 {
		return err
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(left) > 0 {
		polling, cancel := context.WithTimeout(ctx, readStall)
		fetches := client.PollFetches(polling)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if err == nil && !r.Attrs.IsControl() {
				err = each(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return nil
}

// extent is where the partitions of a topic that have records end, by the last stable offset, and where they begin.
func extent(ctx context.Context, client *kgo.Client, topic string) (ends map[int32]int64, starts map[int32]kgo.Offset, err error) {
	admin := kadm.NewClient(client)
	first, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("start of %s: %w", topic, err)
	}
	last, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("end of %s: %w", topic, err)
	}
	ends, starts = map[int32]int64{}, map[int32]kgo.Offset{}
	for partition, end := range last[topic] {
		if start, _ := first.Lookup(topic, partition); start.Offset < end.Offset {
			ends[partition], starts[partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	}
	return ends, starts, nil
}
