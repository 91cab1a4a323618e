package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tributary/stream/lane"
	"tributary/stream/settings"
)

// warm is how many of the events a run has handled before its clock starts: groups are joined, topics known, memory is there.
func warm(records []record) int { return len(records) / 50 }

// throughput lets service and pass-through take turns on the same records.
func (b *bench) throughput(ctx context.Context) ([]Row, error) {
	records := b.population()
	ours, theirs := turns{records: records}, turns{records: records}
	for pair := range b.Pairs {
		order := []func() error{
			func() error { return ours.take(ctx, b.pipeline) },
			func() error { return theirs.take(ctx, b.passThrough) },
		}
		if pair%2 == 1 { // whoever goes first may have a machine that is still busy
			order[0], order[1] = order[1], order[0]
		}
		for _, turn := range order {
			if err := turn(); err != nil {
				return nil, err
			}
		}
		b.Say("throughput: pair %d of %d: %.0f and %.0f events a second, ratio %.3f", pair+1, b.Pairs, ours.rates[pair], theirs.rates[pair],
			ours.rates[pair]/theirs.rates[pair])
	}
	rows := []Row{{
		What:     fmt.Sprintf("%s events of %s through the service, %d pairs", count(len(records)), bytesOf(volume(records)), b.Pairs),
		Measured: fmt.Sprintf("%s events/s", count(median(ours.rates))),
		Beside:   fmt.Sprintf("%s events/s passed on unchanged", count(median(theirs.rates))),
		Ratio:    median(ratios(ours.rates, theirs.rates)),
	}}
	if cpuTime() > 0 {
		rows = append(rows, Row{
			What:     "processor time an event, " + b.whose(),
			Measured: fmt.Sprintf("%.1f µs", median(ours.cpu)),
			Beside:   fmt.Sprintf("%.1f µs passed on unchanged", median(theirs.cpu)),
			Ratio:    median(ratios(ours.cpu, theirs.cpu)),
		})
	}
	return rows, nil
}

// whose says whose processor time this process sees.
func (b *bench) whose() string {
	if b.embedded {
		return "the broker's included"
	}
	return "without the broker's"
}

// turns are the runs of one side.
type turns struct {
	records []record
	rates   []float64 // events a second
	cpu     []float64 // microseconds an event
}

func (t *turns) take(ctx context.Context, run func(context.Context, []record) (took, error)) error {
	watch, err := run(ctx, t.records)
	n := len(t.records) - warm(t.records)
	t.rates = append(t.rates, perSecond(n, watch.wall))
	t.cpu = append(t.cpu, watch.cpu.Seconds()*1e6/float64(n))
	return err
}

func ratios(a, b []float64) (out []float64) {
	for i := range a {
		out = append(out, a[i]/b[i])
	}
	return out
}

// pipeline is the time that the service needs for the records that come after those that warm it.
func (b *bench) pipeline(ctx context.Context, records []record) (t took, err error) {
	s, err := b.application()
	if err != nil {
		return t, err
	}
	remove, err := b.createTopics(ctx, s)
	defer remove()
	if err != nil {
		return t, err
	}
	return b.serve(ctx, s, records)
}

// serve runs the service of the settings over the records from beginning to end.
func (b *bench) serve(ctx context.Context, s *settings.Settings, records []record) (t took, err error) {
	source, err := b.pour(ctx, s.Sources[0].Topic, records, warm(records))
	if err != nil {
		return t, err
	}
	defer source.close()
	r, err := b.start(ctx, s)
	if err != nil {
		return t, err
	}
	defer func() {
		if e := r.stop(); err == nil {
			err = e
		}
	}()
	if _, err := r.settle(ctx, warm(records), startWatch()); err != nil {
		return t, err
	}
	watch := startWatch()
	if err := source.release(ctx); err != nil {
		return t, err
	}
	return r.settle(ctx, len(records), watch)
}

// passThrough is the time that a lane needs which does nothing but pass on every record, exactly once, to another topic.
func (b *bench) passThrough(ctx context.Context, records []record) (t took, err error) {
	s, err := b.application()
	if err != nil {
		return t, err
	}
	remove, err := b.createTopics(ctx, s)
	defer remove()
	if err != nil {
		return t, err
	}
	source, err := b.pour(ctx, s.Sources[0].Topic, records, warm(records))
	if err != nil {
		return t, err
	}
	defer source.close()
	l, err := b.lane(s, lane.Config{Group: s.ApplicationID, TransactionalID: s.ApplicationID, Topics: []string{s.Sources[0].Topic}},
		pass{s.Topics.Attributions})
	if err != nil {
		return t, err
	}
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	group.Go(func() error { return l.Run(ctx) })
	defer func() {
		stop()
		if e := group.Wait(); err == nil {
			err = e
		}
	}()
	if err := consumed(ctx, l, warm(records)); err != nil {
		return t, err
	}
	watch := startWatch()
	if err := source.release(ctx); err != nil {
		return t, err
	}
	err = consumed(ctx, l, len(records))
	return watch.stop(), err
}

// consumed waits until a lane has committed n records.
func consumed(ctx context.Context, l *lane.Lane, n int) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for l.Stats().Consumed.Load() < int64(n) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// pass is the least that a task can do.
type pass struct{ topic string }

func (p pass) Process(_ context.Context, records []*kgo.Record) ([]*kgo.Record, error) {
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = &kgo.Record{Topic: p.topic, Key: r.Key, Value: r.Value}
	}
	return out, nil
}

func (pass) Flush(context.Context) ([]*kgo.Record, error) { return nil, nil }
func (pass) Commit(map[int32]lane.Position) error         { return nil }
func (pass) Abort()                                       {}

func volume(records []record) (n int) {
	for _, r := range records {
		n += len(r.key) + len(r.value)
	}
	return n
}
