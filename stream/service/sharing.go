package service

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/settings"
)

// Shared reads from the changelog which identifiers of an application are shared, whether or not it runs, in their fixed
// order. It reads all of it twice, since the rows of one identifier are in no order: first who is shared, then what each
// keeps.
func Shared(ctx context.Context, client []kgo.Opt, s *settings.Settings) ([]attribution.Shared, error) {
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
	var all []attribution.Shared
	for _, id := range slices.SortedFunc(maps.Keys(partitions), identity.Compare) {
		found, err := attribution.SharedOf(batch.Rows(partitions[id]), id)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, batch.Err()
}
