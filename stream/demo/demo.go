// Package demo runs the whole service on an embedded broker over a file or a generated population, waits until every
// record has come to rest, and hands over what a consumer of the output has read by then.
package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/embedded"
	"tributary/stream/metrics"
	"tributary/stream/report"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// Config says what to run.
type Config struct {
	Settings *settings.Settings // brokers, state folder and listener are the demo's
	Keys     identity.Keyring
	StateDir string
	Events   func(each func(value []byte) error) error // delivers the events, in the order of arrival
	Progress func(sent, settled int64)
	Log      *slog.Logger
	Version  string
}

// Result is what the run came to.
type Result struct {
	Ledger  metrics.Ledger
	Records *report.Collector
	Took    time.Duration // from the first event sent to the last record read
}

// quiet is how long nothing may happen before the run counts as over: many commits of every lane.
const quiet = 750 * time.Millisecond

// everything is an allowed lateness that takes all: the events may be in any order, as those of `tributary attribute`.
const everything = 200 * 365 * 24 * time.Hour

// Run sends the events, lets the service work, and stops it when all has come to rest.
func Run(ctx context.Context, c Config) (result Result, err error) {
	kafka, err := embedded.Start()
	if err != nil {
		return result, fmt.Errorf("embedded broker: %w", err)
	}
	defer kafka.Close()
	s := *c.Settings
	s.Kafka = settings.Kafka{Brokers: kafka.Brokers()}
	s.State.Dir = c.StateDir
	s.Lateness.Allowed = everything
	client := []kgo.Opt{kgo.SeedBrokers(s.Kafka.Brokers...)}
	if _, err := service.CreateTopics(ctx, client, &s, true); err != nil {
		return result, err
	}
	m := metrics.New(c.Version)
	svc, err := service.New(ctx, service.Config{Settings: &s, Keys: c.Keys, Client: client, Instance: "demo", Version: c.Version, Metrics: m, Log: c.Log})
	if err != nil {
		return result, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	defer func() {
		stop()
		if e := <-ended; err == nil {
			err = e
		}
		if e := svc.Close(); err == nil {
			err = e
		}
	}()

	start := time.Now()
	sent, err := send(ctx, &s, c.Events, func(n int64) { c.Progress(n, settledOf(m)) })
	if err != nil {
		return result, err
	}
	if err := rest(ctx, m, sent, ended, c.Progress); err != nil {
		return result, err
	}
	result.Ledger = m.Ledger()
	result.Records, err = read(ctx, &s, m.Revisions())
	result.Took = time.Since(start)
	return result, err
}

func settledOf(m *metrics.Metrics) int64 {
	l := m.Ledger()
	return l.Applied + l.Duplicate + l.Refused + l.Late + l.Filtered + l.Forgotten + l.Shared + l.Expired
}

// send produces every event to the first source topic.
func send(ctx context.Context, s *settings.Settings, events func(func([]byte) error) error, progress func(int64)) (sent int64, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.DefaultProduceTopic(s.Sources[0].Topic),
		kgo.ProducerBatchMaxBytes(16<<20), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	var failed error
	err = events(func(value []byte) error {
		client.Produce(ctx, kgo.SliceRecord(value), func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err // promises run one after the other
			}
		})
		if sent++; sent%5000 == 0 {
			progress(sent)
		}
		return ctx.Err()
	})
	if e := client.Flush(ctx); err == nil {
		err = e
	}
	if err == nil {
		err = failed
	}
	progress(sent)
	return sent, err
}

// rest waits until every record sent has ended somewhere and no message has been handled for a while.
func rest(ctx context.Context, m *metrics.Metrics, sent int64, ended chan error, progress func(int64, int64)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var messages int64
	since := time.Now()
	for {
		select {
		case err := <-ended:
			ended <- nil
			if err == nil {
				err = ctx.Err()
			}
			return fmt.Errorf("the service stopped: %w", err)
		case <-tick.C:
		}
		progress(sent, settledOf(m))
		if n := m.Messages(); n != messages {
			messages, since = n, time.Now()
		}
		if l := m.Ledger(); l.Received >= sent && l.Settled() && time.Since(since) >= quiet {
			return nil
		}
	}
}

// read consumes the output topic as any reader would, until it has seen n records.
func read(ctx context.Context, s *settings.Settings, n int64) (*report.Collector, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumeTopics(s.Topics.Attributions),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	out := &report.Collector{}
	for int64(out.Revisions()) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			a, err := schemas.DecodeAttribution(r.Value)
			if err != nil {
				bad = fmt.Errorf("%s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
				return
			}
			out.Add(&a)
		})
		if bad != nil {
			return nil, bad
		}
	}
	return out, nil
}

// Print writes the report: ledger, channels, one journey, one correction.
func (r Result) Print(w io.Writer) {
	report.WriteLedger(w, r.Ledger, 0)
	fmt.Fprintln(w)
	report.WriteChannels(w, report.ByChannel(r.Records.Newest()))
	if a := r.Records.Journey(); a != nil {
		fmt.Fprintln(w)
		report.WriteJourney(w, a)
	}
	if c := r.Records.Correction(); c != nil {
		fmt.Fprintln(w)
		report.WriteCorrection(w, c)
	}
}
