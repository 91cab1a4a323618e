package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tributary/identity"
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

// NodeEntry reads a changelog entry of a node: its identifier and what it says, the zero Node if the row was deleted. ok is
// false for an entry of another kind.
func NodeEntry(e Entry) (id identity.ID, n identity.Node, ok bool, err error) {
	if len(e.Key) != 1+idBytes || Kind(e.Key[0]) != KindNode {
		return id, n, false, nil
	}
	if e.Value != nil {
		n, err = decodeNode(e.Value)
	}
	return identity.ID(e.Key[1:]), n, err == nil, err
}

// Sharing is the identifier that the row of a changelog entry is about, if it is of a kind that says what a shared
// identifier keeps: its node, candidates and touches.
func (e Entry) Sharing() (id identity.ID, ok bool) {
	if len(e.Key) < 1+idBytes {
		return id, false
	}
	switch Kind(e.Key[0]) {
	case KindNode, KindNeighbour, KindKept:
		return identity.ID(e.Key[1 : 1+idBytes]), true
	}
	return id, false
}
