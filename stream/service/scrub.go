package service

import (
	"context"
	"errors"
	"time"
)

// scrubInterval is how long the bytes of an erased person can stay in the local files after their rows are gone. The
// changelog's topic has the same bound.
const scrubInterval = 24 * time.Hour

// scrubPause is how long a start waits at least, so that the partitions are given out: what is nobody's then is somebody
// else's.
const scrubPause = 15 * time.Minute

// scrub throws away, now and then until ctx is cancelled, the rows of partitions that have been elsewhere for long, and
// rewrites the local state if somebody may have been erased since the last time.
func (s *Service) scrub(ctx context.Context) error {
	done := int64(-1)
	timer := time.NewTimer(s.untilScrub(time.Now()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		done = s.scrubOnce(ctx, done, s.store.Compact)
		timer.Reset(scrubInterval)
	}
}

// untilScrub is how long a process that starts now waits. What one before it began to wait for counts: else the files of one
// that is restarted every day were never rewritten.
func (s *Service) untilScrub(now time.Time) time.Duration {
	clean, err := s.store.Clean()
	if err != nil {
		return scrubPause
	}
	return min(max(scrubInterval-now.Sub(clean), scrubPause), scrubInterval)
}

// scrubOnce takes what erasing stood at when the local state was last rewritten, -1 if that is not known, and returns what
// is to be taken the next time.
func (s *Service) scrubOnce(ctx context.Context, done int64, rewrite func(context.Context) error) int64 {
	now := time.Now()
	dropped, err := s.abandon(now.Add(-scrubInterval))
	erased := s.erasing()
	if err == nil && (erased != done || dropped > 0) {
		err = rewrite(ctx)
	}
	if err == nil {
		err = s.store.NoteClean(now)
	}
	if err == nil {
		return erased
	}
	if ctx.Err() == nil {
		s.Log.Warn("the local state could not be rewritten: bytes of erased rows can still be in its files", "error", err)
	}
	return -1
}

// erasing grows whenever rows of somebody who was erased may have been deleted here: by a message of the erasure, by a
// restore, which repeats what happened elsewhere, or with a partition whose rows were of no use.
func (s *Service) erasing() int64 {
	n := s.Metrics.Erasing()
	for _, l := range s.lanes {
		n += l.Stats().RestoredRows.Load() + l.Stats().Resets.Load()
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
