package service

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/state"
	"tributary/stream/lane"
	"tributary/stream/metrics"
)

// scrubbed is a service with nothing but a store.
func scrubbed(t *testing.T) *Service {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l, err := lane.New(lane.Config{Client: []kgo.Opt{kgo.SeedBrokers("nowhere")}, Group: "g", TransactionalID: "t", Topics: []string{"journal"}, Log: slog.New(slog.DiscardHandler)}, silent{})
	if err != nil {
		t.Fatal(err)
	}
	return &Service{Config: Config{Metrics: metrics.New("test"), Log: slog.New(slog.DiscardHandler)}, store: store, gate: lane.NewGate(),
		lanes: []*runner{{RoleJourney, 0, l}}}
}

type silent struct{ lane.Task }

// What is nobody's and old is thrown away.
func TestAbandonedPartitions(t *testing.T) {
	s := scrubbed(t)
	now := time.Now()
	for partition, at := range map[int32]time.Time{1: now.Add(-2 * scrubInterval), 2: now.Add(-scrubInterval / 2)} {
		if err := s.store.Restore(partition, nil, state.Position{At: at.UnixMilli()}); err != nil {
			t.Fatal(err)
		}
	}
	s.scrubOnce(t.Context(), 0, s.store.Compact)
	left, err := s.store.Partitions()
	if _, ok := left[2]; err != nil || len(left) != 1 || !ok {
		t.Errorf("%v are left (%v), want partition 2", left, err)
	}
}

// The files are rewritten after a start, after an erasure and after a restore, which may have brought one. Where that
// failed, it is due at the next time.
func TestScrubIsDue(t *testing.T) {
	s := scrubbed(t)
	due := func(done int64) bool {
		return s.scrubOnce(t.Context(), done, func(context.Context) error { return errors.New("no room") }) == -1
	}
	done := int64(-1)
	for _, since := range []struct {
		what string
		do   func()
	}{
		{"the start", func() {}},
		{"an erasure", func() { s.Metrics.Journeyed(&metrics.Journeyed{Erasing: 1}) }},
		{"a restore", func() { s.lanes[0].Stats().RestoredRows.Add(7) }},
		{"a restore of nothing in place of rows of no use", func() { s.lanes[0].Stats().Resets.Add(1) }},
		{"a partition was dropped", func() {
			if err := s.store.Restore(1, nil, state.Position{}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		since.do()
		if !due(done) {
			t.Errorf("nothing is due after %s", since.what)
		}
		if !due(-1) {
			t.Errorf("nothing is due after a rewrite failed after %s", since.what)
		}
		if done = s.scrubOnce(t.Context(), -1, s.store.Compact); done < 0 || due(done) {
			t.Errorf("still due after %s and a rewrite: %d", since.what, done)
		}
	}
}

// Of a process that is restarted before a day is over the next one rewrites the files when the day is over.
func TestScrubIsDueAcrossRestarts(t *testing.T) {
	s := scrubbed(t)
	begin := time.Now()
	for _, c := range []struct {
		what        string
		after, wait time.Duration
	}{
		{"never rewritten", 0, scrubPause},
		{"just now", 0, scrubInterval},
		{"for a while", 5 * time.Hour, scrubInterval - 5*time.Hour},
		{"nearly a day", scrubInterval - time.Second, scrubPause},
		{"two days", 2 * scrubInterval, scrubPause},
		{"in the future, by this clock", -2 * scrubInterval, scrubInterval},
	} {
		// A clock has milliseconds here.
		if got := s.untilScrub(begin.Add(c.after)); (got - c.wait).Abs() > time.Second {
			t.Errorf("%s: waits %v, want %v", c.what, got, c.wait)
		}
		if c.what == "never rewritten" && s.scrubOnce(t.Context(), -1, s.store.Compact) < 0 {
			t.Fatal("not rewritten")
		}
	}
}
