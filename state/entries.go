package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Entries calls yield for the committed rows of a partition as the changelog has them, ascending by key, until it returns
// false: what is left of the changelog when every row keeps its last entry. All are of one moment. The entry's bytes are
// good until yield returns.
func (s *Store) Entries(partition int32, yield func(Entry) bool) error {
	if err := checkPartition(partition); err != nil {
		return err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: appendHead(nil, partition, 0), UpperBound: appendHead(nil, partition+1, 0)[:partitionBytes]})
	if err != nil {
		return fmt.Errorf("state: list the rows of partition %d: %w", partition, err)
	}
	for valid := it.First(); valid; valid = it.Next() {
		key := it.Key()[partitionBytes:]
		if kinds[key[0]].local {
			continue
		}
		if !yield(Entry{Key: key, Value: it.Value()}) {
			break
		}
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("state: list the rows of partition %d: %w", partition, err)
	}
	return nil
}
