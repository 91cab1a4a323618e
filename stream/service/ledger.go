package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/state"
	"tributary/stream/metrics"
	"tributary/stream/roles"
	"tributary/stream/settings"
)

// Ledger reads what became of every record that an application ever read, whether or not it runs. The sums are part of the
// transactions that did the work, so they are exact across crashes, where the metrics of a process that was killed lack its
// last transaction. Journeys are read first: what is on its way meanwhile is journaled, and has not ended.
//
// Kafka forgets the offsets of topics that nobody reads any more, and with them the counts of these.
func Ledger(ctx context.Context, client []kgo.Opt, s *settings.Settings) (l metrics.Ledger, err error) {
	ended := map[int32]identity.Ledger{}
	err = readCommitted(ctx, client, s.ChangelogTopic(), func(r *kgo.Record) error {
		sums, ok, err := state.LedgerEntry(state.Entry{Key: r.Key, Value: r.Value})
		if ok {
			ended[r.Partition] = sums
		}
		return err
	})
	if err != nil {
		return l, err
	}
	for _, of := range ended {
		l.Applied += of.Applied
		l.Duplicate += of.Duplicate
		l.Conflicts += of.Conflict
		l.Forgotten += of.Forgotten
		l.Shared += of.Shared
		l.Expired += of.Expired
	}
	return l, addIngested(ctx, client, groupOf(s, RoleIngest), &l)
}

// addIngested adds what the notes beside the offsets of ingest say.
func addIngested(ctx context.Context, client []kgo.Opt, group string, l *metrics.Ledger) error {
	c, err := reach(ctx, client)
	if err != nil {
		return err
	}
	defer c.Close()
	offsets, err := kadm.NewClient(c).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil // nobody has joined it yet
	}
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return fmt.Errorf("committed offsets of %s: %w", group, err)
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		counts := roles.CountsOf(o.Metadata)
		l.Received += counts.Received
		l.Journaled += counts.Journaled()
		l.Refused += counts.Refused
		l.Filtered += counts.Filtered
		l.Late += counts.Late
	})
	return nil
}
