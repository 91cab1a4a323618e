package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/lane"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// application is settings of their own for one run of the service: topics, application id and state folder that no other
// run has.
func (b *bench) application() (*settings.Settings, error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	b.number++
	s := *b.Settings
	s.ApplicationID = fmt.Sprintf("tributary-bench-%d-%d-%d", os.Getpid(), time.Now().UnixMilli(), b.number)
	s.Topics.Attributions = s.ApplicationID + "-attributions"
	s.Topics.Aliases = s.ApplicationID + "-aliases"
	s.Topics.DeadLetters = s.ApplicationID + "-dead-letters"
	s.Topics.Audit = s.ApplicationID + "-audit"
	s.Topics.Late = s.ApplicationID + "-late"
	s.Sources = []settings.Source{{Topic: s.ApplicationID + "-events", Format: "native"}}
	s.State.Dir = dir
	s.HTTP.Listen = ""
	return &s, nil
}

// createTopics creates the topics of an application, and returns what deletes them and its state again.
func (b *bench) createTopics(ctx context.Context, s *settings.Settings) (remove func(), err error) {
	created, err := service.CreateTopics(ctx, b.Client, s, true)
	return func() {
		os.RemoveAll(s.State.Dir)
		b.deleteTopics(created...)
	}, err
}

// deleteTopics gives the broker's memory or disk back. That it cannot is no reason to fail.
func (b *bench) deleteTopics(names ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := b.client()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopics(ctx, names...); err != nil {
		b.Say("topics of this run stay behind: %v", err)
	}
}

// client is a client of the broker, which the caller closes.
func (b *bench) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(slices.Concat(b.Client, opts)...)
}

// producer is a client that produces to a topic that may have been created a moment ago.
func (b *bench) producer(topic string, opts ...kgo.Opt) (*kgo.Client, error) {
	return b.client(append(opts, kgo.DefaultProduceTopic(topic), kgo.UnknownTopicRetries(newTopicRetries))...)
}

// reader is a client that reads committed records, from the start of its topics.
func (b *bench) reader(opts ...kgo.Opt) (*kgo.Client, error) {
	return b.client(append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
}

// lane is a lane that reaches the broker and commits like those of the service.
func (b *bench) lane(s *settings.Settings, c lane.Config, task lane.Task) (*lane.Lane, error) {
	c.Client = slices.Concat(b.Client, service.LaneOptions())
	c.CommitInterval = s.CommitInterval
	c.Log = slog.New(slog.DiscardHandler)
	return lane.New(c, task)
}

// poured are records that a topic already holds but shows nobody who reads committed records only: release shows them all
// at once. So a clock can start when everybody is at work, and no producer takes part of the machine.
type poured struct {
	client *kgo.Client
}

// pourTimeout is how long poured records may wait for release.
const pourTimeout = 5 * time.Minute

// newTopicRetries is how often a broker may not know yet a topic that was just created.
const newTopicRetries = 50

// pour commits the first records and pours the rest.
func (b *bench) pour(ctx context.Context, topic string, records []record, first int) (*poured, error) {
	client, err := b.producer(topic, kgo.TransactionalID(topic), kgo.TransactionTimeout(pourTimeout))
	if err != nil {
		return nil, err
	}
	p := &poured{client}
	if err := p.both(ctx, records[:first], records[first:]); err != nil {
		client.Close()
		return nil, fmt.Errorf("produce to %s: %w", topic, err)
	}
	return p, nil
}

func (p *poured) both(ctx context.Context, shown, hidden []record) error {
	if err := p.produce(ctx, shown); err != nil {
		return err
	}
	if err := p.release(ctx); err != nil {
		return err
	}
	return p.produce(ctx, hidden)
}

func (p *poured) produce(ctx context.Context, records []record) error {
	if err := p.client.BeginTransaction(); err != nil {
		return err
	}
	var failed error
	for _, r := range records {
		p.client.Produce(ctx, &kgo.Record{Key: r.key, Value: r.value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err // promises run one after the other
			}
		})
	}
	if err := p.client.Flush(ctx); err != nil {
		return err
	}
	return failed
}

func (p *poured) release(ctx context.Context) error {
	return p.client.EndTransaction(ctx, kgo.TryCommit)
}

func (p *poured) close() { p.client.Close() }
