package service

import (
	"context"
	"errors"
	"time"
)

// scrubInterval is how long the bytes of an erased person can stay in the local files after their rows are gone. The
// changelog's topic has the same bound.
const scrubInterval = 24 * time.Hour

// scrub throws away, now and then until ctx is cancelled, the rows of partitions that have been elsewhere for long, and
// rewrites the local state if somebody may have been erased since the last time.
func (s *Service) scrub(ctx context.Context) error {
	done := int64(-1)
	for tick := time.NewTicker(s.scrubEvery); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		done = s.scrubOnce(ctx, done, s.store.Compact)
	}
}

// scrubOnce takes what erasing stood at when the local state was last rewritten, -1 if that is not known, and returns what
// is to be taken the next time.
func (s *Service) scrubOnce(ctx context.Context, done int64, rewrite func(context.Context) error) int64 {
	dropped, err := s.abandon(time.Now().Add(-scrubInterval))
	erased := s.erasing()
	if err == nil && erased == done && dropped == 0 {
		return done
	}
	if err == nil {
		err = rewrite(ctx)
	}
	if err == nil {
		return erased
	}
	if ctx.Err() == nil {
		s.Log.Warn("the local state could not be rewritten: bytes of erased rows can still be in its files", "error", err)
	}
	return -1
}

// erasing grows whenever rows of somebody who was erased may have been deleted here: by a message of the erasure, or by a
// restore, which repeats what happened elsewhere.
func (s *Service) erasing() int64 {
	n := s.Metrics.Erasing()
	for _, l := range s.lanes {
		n += l.Stats().RestoredRows.Load()
	}
	return n
}

// abandon drops the rows of partitions that are nobody's here and lack what happened since a time. Nobody erases in them,
// and after the changelog's delete.retention.ms they are of no use to whoever gets the partition back.
func (s *Service) abandon(since time.Time) (dropped int, err error) {
	partitions, err := s.store.Partitions()
	if err != nil {
		return 0, err
	}
	for partition, position := range partitions {
		if position.At >= since.UnixMilli() {
			continue
		}
		err = errors.Join(err, s.gate.IfNobodys(partition, func() error {
			dropped++
			return s.store.Drop(partition)
		}))
	}
	return dropped, err
}
