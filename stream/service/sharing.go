package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/schemas/tributarypb"
	"tributary/state"
	"tributary/stream/settings"
)

// SharedIdentifier is an identifier that many people share, and what was lost by it.
type SharedIdentifier struct {
	ID         identity.ID
	Why        string        // "declared", or the setting of the limit that it went beyond
	Candidates []identity.ID // identifiers that it was seen with, the strongest first: a bounded number
	Touches    []LostTouch   // that name shared identifiers only, the oldest first: the newest of them
}

// LostTouch is a touch that is nobody's.
type LostTouch struct {
	At                              schemas.Millis
	Kind, Channel, Source, Campaign string
}

// Shared reads from the changelog which identifiers of an application are shared, whether or not it runs, in their fixed
// order. It reads all of it twice, since the rows of one identifier are in no order: first who is shared, then what each
// keeps.
func Shared(ctx context.Context, client []kgo.Opt, s *settings.Settings) ([]SharedIdentifier, error) {
	partitions := map[identity.ID]int32{}
	err := readCommitted(ctx, client, s.ChangelogTopic(), func(r *kgo.Record) error {
		id, node, ok, err := state.NodeEntry(state.Entry{Key: r.Key, Value: r.Value})
		switch {
		case ok && node.Shared:
			partitions[id] = r.Partition
		case ok:
			delete(partitions, id)
		}
		return err
	})
	if err != nil || len(partitions) == 0 {
		return nil, err
	}
	store, err := state.OpenMemory()
	if err != nil {
		return nil, err
	}
	defer store.Close()
	err = readCommitted(ctx, client, s.ChangelogTopic(), func(r *kgo.Record) error {
		e := state.Entry{Key: r.Key, Value: r.Value}
		id, ok := e.Sharing()
		if _, shared := partitions[id]; !ok || !shared {
			return nil
		}
		return store.Restore(r.Partition, []state.Entry{e}, state.Position{})
	})
	if err != nil {
		return nil, err
	}
	batch := store.NewBatch()
	defer batch.Close()
	var all []SharedIdentifier
	for _, id := range slices.SortedFunc(maps.Keys(partitions), identity.Compare) {
		found, err := sharedOf(batch.Rows(partitions[id]), id)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, batch.Err()
}

func sharedOf(rows identity.Rows, id identity.ID) (SharedIdentifier, error) {
	found := SharedIdentifier{ID: id, Why: rows.Node(id).Reason.String()}
	if rows.Node(id).Reason != identity.ReasonDeclared {
		found.Why = "identity.limits." + id.Type() + "." + found.Why
	}
	for _, nb := range rows.Neighbours(id) {
		found.Candidates = append(found.Candidates, nb.ID)
	}
	var c tributarypb.TouchContent
	for _, f := range rows.Kept(id) {
		c.Reset()
		if err := c.UnmarshalVT(f.Body); err != nil {
			return found, fmt.Errorf("content of a touch at %v: %w", f.At, err)
		}
		if !c.Activity {
			found.Touches = append(found.Touches, LostTouch{f.At, c.Kind, c.Channel, c.Source, c.Campaign})
		}
	}
	return found, nil
}
