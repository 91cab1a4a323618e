package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors of a store that a caller may want to tell apart.
var (
	// ErrForeign says that a directory holds a database that no release of Tributary wrote.
	ErrForeign = errors.New("not a state directory")
	// ErrMoved says that a partition was restored or dropped under an open batch. Nothing of the batch was written.
	ErrMoved = errors.New("partition moved under an open batch")
	// ErrUndrained says that a batch has changes that Changes did not return yet. Nothing of the batch was written.
	ErrUndrained = errors.New("changes that are not in the changelog")
)

// Store is the rows of one instance. Its methods can be called by several goroutines at once; a batch belongs to one.
// Two batches that are open at once must use different partitions, unless one only reads: it sees of each row what some
// commit left, not all rows at one moment.
type Store struct {
	db     *pebble.DB
	noWAL  bool
	write  *pebble.WriteOptions
	recent *recentRows

	memory sync.Pool // of batches that have ended: *batchMemory

	failure          *failure
	backgroundErrors atomic.Int64

	mu         sync.Mutex
	epoch      uint64 // grows with every restore and drop
	partitions map[int32]*partition
}

// partition is what is known of one partition in memory.
type partition struct {
	mu    sync.Mutex // held while its rows are written
	epoch uint64     // of the store when it was last restored or dropped
}

// formatKey holds the version of the whole store. It begins with the one number that is no partition.
var formatKey = []byte("\xff\xfftributary state")

// cleanKey holds up to when the files are known to be clean.
var cleanKey = []byte("\xff\xfftributary clean")

// formatVersion is the first byte of formatKey's value. It changes when an older release could misread the store.
const formatVersion = 1

// pebbleFormat is pinned, so that a new version of the engine does not make the store unreadable for the release before.
const pebbleFormat = pebble.FormatTableFormatV6

const (
	blockBytes      = 16 << 10 // against the engine's 4 KiB: 10 % less disk and a tenth less work in compactions
	indexBlockBytes = 64 << 10
)

// Open opens the store in dir, or makes it. A directory that is in use, holds another database or was written in another
// format is an error and is left as it is.
func Open(dir string, o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open state in %s: %w", dir, err)
	}
	return s, nil
}

// OpenMemory opens an empty store that lives in memory and ends with Close.
func OpenMemory() (*Store, error) { return Open("state", Options{FS: vfs.NewMem(), NoWAL: true}) }

func open(dir string, o Options) (*Store, error) {
	s := &Store{noWAL: o.NoWAL, write: pebble.NoSync, recent: newRecentRows(o.MemTableBytes * 3 / 4), partitions: map[int32]*partition{},
		failure: newFailure(dir, o.Log)}
	if o.Sync && !o.NoWAL {
		s.write = pebble.Sync
	}
	if err := o.FS.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, fmt.Errorf("lock the directory, which may be in use: %w", err)
	}
	defer lock.Close() // the database holds it on
	engine := s.engine(o)
	engine.Lock = lock
	begun := make(chan error, 1)
	go func() { begun <- s.begin(dir, engine, o) }()
	select {
	case err := <-begun:
		return s, err
	case err := <-s.failure.failed:
		select {
		case opened := <-begun:
			if opened == nil {
				err = errors.Join(err, s.db.Close())
			}
		case <-time.After(stuckTimeout): // the engine has stopped for good in the middle of it
		}
		return nil, err
	}
}

// stuckTimeout is how long a failing engine may take to give its directory back.
const stuckTimeout = 5 * time.Second

func (s *Store) begin(dir string, engine *pebble.Options, o Options) (err error) {
	if s.db, err = pebble.Open(dir, engine); err != nil {
		return damaged(err)
	}
	if err := s.checkFormat(o); err != nil {
		return errors.Join(err, s.db.Close())
	}
	if err := s.db.Flush(); err != nil { // what recent does not know of
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// Failed gets one error, once, when the store can't go on: its files are damaged, or the disk takes no more rows. What is being
// read or written then may never return, so the process should end.
func (s *Store) Failed() <-chan error { return s.failure.failed }

func (s *Store) engine(o Options) *pebble.Options {
	engine := &pebble.Options{
		FS:                          o.FS,
		FormatMajorVersion:          pebbleFormat,
		CacheSize:                   o.CacheBytes + 2*o.MemTableBytes, // the engine takes its memory tables off the cache
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                o.OpenFiles,
		DisableWAL:                  o.NoWAL,
		WALBytesPerSync:             1 << 20,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000, // the changelog's pace bounds us, not the depth of level 0
		LBaseMaxBytes:               64 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, o.Compactions },
		Logger:                      logger{s.failure},
		EventListener:               s.failure.listen(func() { s.backgroundErrors.Add(1) }),
	}
	engine.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	for i := range engine.Levels {
		engine.Levels[i].BlockSize = blockBytes
		engine.Levels[i].IndexBlockSize = indexBlockBytes
		if o.BloomBits > 0 {
			engine.Levels[i].FilterPolicy = bloom.FilterPolicy(o.BloomBits)
		}
	}
	return engine
}

// checkFormat reads the format version of the store, and writes it if the store is empty.
func (s *Store) checkFormat(o Options) error {
	value, err := s.get(formatKey)
	if err != nil {
		return err
	}
	if value != nil {
		version := append(value, 0)[0]
		if version != formatVersion {
			return fmt.Errorf("%w: the store is of version %d, this release reads %d; an empty directory is filled from the changelog", ErrFormat, version, formatVersion)
		}
		return nil
	}
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !it.First()
	if err := it.Close(); err != nil {
		return err
	}
	if !empty {
		return fmt.Errorf("%w: it holds rows, but no version", ErrForeign)
	}
	return s.db.Set(formatKey, []byte{formatVersion}, &pebble.WriteOptions{Sync: !o.NoWAL})
}

// Close ends the store, with all that was committed on the disk. No batch may be open.
func (s *Store) Close() error {
	var err error
	if s.noWAL {
		err = s.db.Flush()
	}
	return errors.Join(err, s.db.Close())
}

// Flush writes everything to the disk that commits left in memory.
func (s *Store) Flush() error { return s.db.Flush() }

// Compact rewrites all rows, so that nothing of a deleted one is left in the files. It takes as long as reading and writing
// the whole store, and holds up nobody.
func (s *Store) Compact(ctx context.Context) error {
	first, last := []byte{0}, []byte{0xFF, 0xFF, 0xFF}
	// The engine leaves a file of the last level as it is if nothing above reaches into it, with the keys of deleted rows in it.
	// So something does that reaches from end to end: the deletion of range keys, of which there are none.
	if err := s.db.RangeKeyDelete(first, last, s.write); err != nil {
		return fmt.Errorf("state: compact: %w", err)
	}
	if err := s.Flush(); err != nil {
		return fmt.Errorf("state: compact: %w", err)
	}
	if err := s.db.Compact(ctx, first, last, true); err != nil {
		return fmt.Errorf("state: compact: %w", err)
	}
	return nil
}

// Clean is the time that NoteClean was last given; the zero time if it never was.
func (s *Store) Clean() (time.Time, error) {
	value, err := s.get(cleanKey)
	if err != nil || len(value) != 8 {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(value))), nil
}

// NoteClean notes that nothing is left in the files of rows that were deleted before a time. It outlives the process.
func (s *Store) NoteClean(at time.Time) error {
	if err := s.db.Set(cleanKey, binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())), s.write); err != nil {
		return fmt.Errorf("state: note that the files are clean: %w", err)
	}
	return s.Flush()
}

// Position is how far the partition's rows include its changelog; ok is false if there are none.
func (s *Store) Position(partition int32) (p Position, ok bool, err error) {
	if err := checkPartition(partition); err != nil {
		return Position{}, false, err
	}
	value, err := s.get(appendHead(nil, partition, kindPosition))
	if err == nil && value != nil {
		p, err = decodePosition(value)
		ok = err == nil
	}
	if err != nil {
		return Position{}, false, fmt.Errorf("state: read the position of partition %d: %w", partition, err)
	}
	return p, ok, nil
}

// Partitions are the positions of all partitions that have one.
func (s *Store) Partitions() (map[int32]Position, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{UpperBound: appendHead(nil, maxPartition+1, 0)})
	if err != nil {
		return nil, fmt.Errorf("state: list partitions: %w", err)
	}
	found := map[int32]Position{}
	for valid := it.First(); valid; {
		key := it.Key()
		p := int32(key[0])<<8 | int32(key[1])
		if Kind(key[2]) == kindPosition {
			position, err := decodePosition(it.Value())
			if err != nil {
				return nil, errors.Join(fmt.Errorf("state: position of partition %d: %w", p, err), it.Close())
			}
			found[p] = position
		}
		valid = it.SeekGE(appendHead(nil, p+1, 0))
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("state: list partitions: %w", err)
	}
	return found, nil
}

// Drop deletes all rows of the partition and its position.
func (s *Store) Drop(partition int32) error {
	if err := checkPartition(partition); err != nil {
		return err
	}
	err := s.replace(partition, func() error {
		lower, upper := partitionBounds(partition)
		return s.recent.deleteRange(s.db, lower, upper, s.write)
	})
	if err != nil {
		return fmt.Errorf("state: drop partition %d: %w", partition, err)
	}
	return nil
}

// partitionBounds are the first key of a partition and the end of its last.
func partitionBounds(p int32) (lower, upper []byte) {
	return appendHead(nil, p, 0)[:partitionBytes], appendHead(nil, p+1, 0)[:partitionBytes]
}

// empty reports whether a partition has no rows.
func (s *Store) empty(p int32) (bool, error) {
	lower, upper := partitionBounds(p)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return false, err
	}
	empty := !it.First()
	return empty, it.Close()
}

// replace writes rows of a partition past the batches, which from then on cannot commit to it.
func (s *Store) replace(p int32, write func() error) error {
	known := s.partition(p)
	known.mu.Lock()
	defer known.mu.Unlock()
	err := write()
	s.mu.Lock()
	s.epoch++
	known.epoch = s.epoch
	s.mu.Unlock()
	return err
}

func (s *Store) partition(p int32) *partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.partitions[p]
	if known == nil {
		known = &partition{}
		s.partitions[p] = known
	}
	return known
}

// lock locks the partitions of a batch, in ascending order, and makes sure that none moved since the batch saw it.
func (s *Store) lock(rows map[int32]*Rows) (unlock func(), err error) {
	var locked []*partition
	unlock = func() {
		for _, p := range locked {
			p.mu.Unlock()
		}
	}
	order := make([]int32, 0, len(rows))
	for p := range rows {
		order = append(order, p)
	}
	slices.Sort(order)
	for _, p := range order {
		known := s.partition(p)
		known.mu.Lock()
		locked = append(locked, known)
		if known.epoch != rows[p].epoch {
			unlock()
			return nil, fmt.Errorf("%w: partition %d", ErrMoved, p)
		}
	}
	return unlock, nil
}

// get returns a copy of a committed row's value, nil if there is no such row.
func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

func checkPartition(p int32) error {
	if p < 0 || p > maxPartition {
		return fmt.Errorf("state: partition %d, must be from 0 to %d", p, maxPartition)
	}
	return nil
}
