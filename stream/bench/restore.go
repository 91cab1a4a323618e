package bench

import (
	"context"
	"fmt"
	"time"

	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/roles"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// restore lets the service write its changelog and a journey lane with an empty store read it, in turns.
func (b *bench) restore(ctx context.Context) ([]Row, error) {
	records := b.population()
	var written, restored, ratios []float64
	var rows int64
	times := min(b.Pairs, 3)
	for turn := range times {
		n, write, read, err := b.writeAndRestore(ctx, records)
		if err != nil {
			return nil, err
		}
		rows = n
		written = append(written, perSecond(int(n), write))
		restored = append(restored, perSecond(int(n), read))
		ratios = append(ratios, write.Seconds()/read.Seconds())
		b.Say("restore: turn %d of %d: %d rows written in %.2f s, restored in %.2f s", turn+1, times, n, write.Seconds(), read.Seconds())
	}
	return []Row{{
		What:     fmt.Sprintf("a changelog of %s rows into an empty store, %d turns", count(rows), times),
		Measured: fmt.Sprintf("%s rows/s", count(median(restored))),
		Beside:   fmt.Sprintf("written at %s rows/s", count(median(written))),
		Ratio:    median(ratios),
	}}, nil
}

func (b *bench) writeAndRestore(ctx context.Context, records []record) (rows int64, write, read time.Duration, err error) {
	s, err := b.application()
	if err != nil {
		return 0, 0, 0, err
	}
	remove, err := b.createTopics(ctx, s)
	defer remove()
	if err != nil {
		return 0, 0, 0, err
	}
	t, err := b.serve(ctx, s, records)
	if err != nil {
		return 0, 0, 0, err
	}
	// Those that warm the service wrote rows too, before its clock started.
	write = t.wall * time.Duration(len(records)) / time.Duration(len(records)-warm(records))
	rows, read, err = b.restoreAll(ctx, s)
	return rows, write, read, err
}

// restoreAll is how long a journey lane with an empty store takes to restore all partitions.
func (b *bench) restoreAll(ctx context.Context, s *settings.Settings) (rows int64, took time.Duration, err error) {
	dir, err := b.folder()
	if err != nil {
		return 0, 0, err
	}
	store, err := state.Open(dir, state.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if e := store.Close(); err == nil {
			err = e
		}
	}()
	l, err := b.journeyLane(s, store)
	if err != nil {
		return 0, 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() {
		stop()
		if e := <-ended; err == nil {
			err = e
		}
	}()
	took, err = restoring(ctx, l.Stats(), int64(s.Partitions), ended)
	return l.Stats().RestoredRows.Load(), took, err
}

func (b *bench) journeyLane(s *settings.Settings, store *state.Store) (*lane.Lane, error) {
	config, err := service.AttributionConfig(s, b.Keys)
	if err != nil {
		return nil, err
	}
	names := service.TopicsOf(s)
	task := roles.NewJourney(attribution.New(config), store, names, func(*metrics.Journeyed) {})
	group := fmt.Sprintf("%s-%s", s.ApplicationID, service.RoleJourney)
	return b.lane(s, lane.Config{Group: group, TransactionalID: group + "-restore", Topics: []string{names.Journal},
		Changelog: names.Changelog, Addressed: []string{names.Journal}}, task)
}

// restoring is the time from the first partition being restored until the last one is.
func restoring(ctx context.Context, stats *lane.Stats, partitions int64, ended chan error) (time.Duration, error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var began time.Time
	for {
		if began.IsZero() && stats.Restoring.Load() > 0 {
			began = time.Now()
		}
		if stats.Restores.Load() >= partitions {
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case err := <-ended:
			ended <- err
			return 0, fmt.Errorf("the lane stopped: %w", err)
		case <-tick.C:
		}
	}
}
