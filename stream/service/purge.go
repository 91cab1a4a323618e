package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tributary/stream/topics"
)

// purgeInterval is how often consumed messages are deleted from the journal. It bounds the journal's size on disk by what is
// produced in that time, beside what is not consumed yet.
const purgeInterval = time.Minute

// purge deletes consumed messages from the journal, again and again until ctx is cancelled. The journal itself keeps
// everything, since a message must never be gone before it was handled; once it was, nothing reads it again: state comes
// back from the changelog. Every instance of the journey role does this, and whoever comes second finds nothing to do.
func (s *Service) purge(ctx context.Context) error {
	client, err := topics.Connect(s.Client)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	said := ""
	for tick := time.NewTicker(s.purgeEvery); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.purgeOnce(ctx, admin)
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			s.Log.Warn("consumed messages stay in the journal: it grows until this is cured", "topic", s.topics.Journal, "error", err)
		}
	}
}

// purgeOnce deletes what lies before the committed offsets of the journey role, and never anything behind them.
func (s *Service) purgeOnce(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, s.purgeEvery+10*time.Second)
	defer cancel()
	committed, err := admin.FetchOffsets(ctx, s.group(RoleJourney))
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil // nobody has joined it yet
	}
	if err != nil {
		return fmt.Errorf("committed offsets of %s: %w", s.group(RoleJourney), err)
	}
	starts, err := admin.ListStartOffsets(ctx, s.topics.Journal)
	if err != nil {
		return fmt.Errorf("start of %s: %w", s.topics.Journal, err)
	}
	upTo := kadm.Offsets{}
	for partition, offset := range committed[s.topics.Journal] {
		start, ok := starts.Lookup(s.topics.Journal, partition)
		if ok && offset.Err == nil && start.Err == nil && offset.At > start.Offset {
			upTo.AddOffset(s.topics.Journal, partition, offset.At, -1)
		}
	}
	if len(upTo) == 0 {
		return nil
	}
	deleted, err := admin.DeleteRecords(ctx, upTo)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("delete records of %s: %w", s.topics.Journal, err)
	}
	return nil
}
