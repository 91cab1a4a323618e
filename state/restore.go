package state

import (
	"fmt"
)

// Entry is a changelog entry of one partition.
type Entry struct {
	Key   []byte
	Value []byte // nil: the row was deleted
}

// Restore applies changelog entries of one partition in their order and moves its position behind them, in one piece. If
// the partition has no position yet, its rows are deleted first. Entries that this release does not understand are an
// error that unwraps to ErrFormat; nothing is applied then.
//
// A batch that used the partition before can no longer commit.
func (s *Store) Restore(partition int32, entries []Entry, p Position) error {
	if err := s.restore(partition, entries, p); err != nil {
		return fmt.Errorf("state: restore partition %d: %w", partition, err)
	}
	return nil
}

func (s *Store) restore(partition int32, entries []Entry, p Position) error {
	for i := range entries {
		if err := CheckEntry(entries[i].Key, entries[i].Value); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	_, known, err := s.Position(partition)
	if err != nil {
		return err
	}
	if !known {
		empty, err := s.empty(partition)
		if err == nil && !empty {
			err = s.Drop(partition)
		}
		if err != nil {
			return err
		}
	}
	b := s.NewBatch()
	defer b.Close()
	rows := b.Rows(partition)
	for _, e := range entries {
		rows.apply(e)
	}
	b.settle(func(*row) {})
	if b.err != nil {
		return b.err
	}
	return s.replace(partition, func() error {
		write := s.db.NewBatchWithSize(b.writeSize())
		defer write.Close()
		if err := b.fill(write, map[int32]Position{partition: p}); err != nil {
			return err
		}
		return s.recent.commit(s.db, write, s.write, b.sent, b.local)
	})
}

// apply writes one changelog entry and the local rows that follow from it.
func (r *Rows) apply(e Entry) {
	key := appendHead(make([]byte, 0, partitionBytes+len(e.Key)), r.partition, Kind(e.Key[0]))
	key = append(key, e.Key[1:]...)
	r.write(key, e.Value)
	if !isFact(Kind(e.Key[0])) || r.failed() {
		return
	}
	root := idOf(string(key))
	at, event, copy := factPlace(key)
	if e.Value == nil {
		r.removeCopy(root, event, Copy{at, copy})
	} else {
		r.addCopy(root, event, Copy{at, copy})
	}
}
