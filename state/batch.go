package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Batch is one transaction's work on the rows of any partitions: it reads its own writes, and nobody else does until
// Commit. It must not be used by two goroutines at once, and ends with Commit or Close.
//
// What a batch wrote is kept in memory, row by row, and each row goes to the changelog and to the disk once, however often
// it changed. Bytes that were handed out, in changes, facts and statements, are never changed or used again.
type Batch struct {
	store *Store
	parts map[int32]*Rows
	last  *Rows // the partition of the last call of Rows
	*batchMemory

	tables, tableRanges, ranges cursor        // by key from tables alone; by range from tables alone; by range
	recent                      []*generation // what tables may lack

	arena  arena
	slab   []row
	size   int
	closed bool
	err    error
}

// batchMemory is what a batch passes on, empty, to a later one.
type batchMemory struct {
	rows    map[string]*row
	heads   map[head]*row // newest row of an actor and kind
	dirty   []*row        // rows to look at in Changes, each once
	local   []*row        // written rows that are not in the changelog, each once
	sent    []*row        // rows that were in Changes, each once
	changes []Change
}

// maxKeptRows bounds the memory that is passed on: one large batch should not hold it for ever.
const maxKeptRows = 1 << 17

func (m *batchMemory) empty() {
	clear(m.rows)
	clear(m.heads)
	clear(m.dirty[:cap(m.dirty)])
	clear(m.local[:cap(m.local)])
	clear(m.sent[:cap(m.sent)])
	m.dirty, m.local, m.sent, m.changes = m.dirty[:0], m.local[:0], m.sent[:0], nil
}

// row is a row that the batch has read or written.
type row struct {
	key   string
	order uint64 // the first bytes of key: comparing these mostly decides
	value []byte // nil: there is no such row
	base  []byte // as the changelog has it, or the disk if the row is local; only if known
	next  *row   // an older row of the same head
	flags rowFlags
}

type rowFlags uint8

const (
	rowKnown rowFlags = 1 << iota // base is known
	rowDirty                      // in dirty, or in local
	rowSent                       // in sent
)

// Change is a changed row as the changelog has it.
type Change struct {
	Partition int32
	Key       []byte
	Value     []byte // nil: the row was deleted
}

// NewBatch begins a transaction.
func (s *Store) NewBatch() *Batch {
	m, _ := s.memory.Get().(*batchMemory)
	if m == nil {
		m = &batchMemory{rows: map[string]*row{}, heads: map[head]*row{}}
	}
	return &Batch{store: s, parts: map[int32]*Rows{}, batchMemory: m}
}

// Rows are the rows of one partition. They are valid until the batch ends. A partition that cannot be is an error of the
// batch.
func (b *Batch) Rows(partition int32) *Rows {
	if b.last != nil && b.last.partition == partition {
		return b.last
	}
	r := b.parts[partition]
	if r == nil {
		r = &Rows{batch: b, partition: partition}
		if err := checkPartition(partition); err != nil {
			b.fail(err)
			return r
		}
		known := b.store.partition(partition)
		b.store.mu.Lock()
		r.epoch = known.epoch
		b.store.mu.Unlock()
		b.parts[partition] = r
	}
	b.last = r
	return r
}

// Err is the first error of any of its rows: of the disk, of a row that cannot be read (ErrFormat), or of a call that makes
// no sense. From then on reads return nothing and writes do nothing.
func (b *Batch) Err() error { return b.err }

func (b *Batch) fail(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

var errEnded = errors.New("the batch has ended")

// failed reports whether reads and writes do nothing any more.
func (b *Batch) failed() bool {
	if b.closed {
		b.fail(fmt.Errorf("state: %w", errEnded))
	}
	return b.err != nil
}

// Size is about how many bytes of memory the batch holds: a caller with much to do commits when it grows large.
func (b *Batch) Size() int { return b.size }

// Changes returns the rows that changed since the last call, each once with its last value, ascending by partition and
// key. Rows that are again what they were are left out. The slice is good until the next call, the bytes for ever.
func (b *Batch) Changes() []Change {
	b.changes = b.changes[:0]
	b.settle(func(r *row) {
		key := keep(&b.arena, r.key)
		b.changes = append(b.changes, Change{
			Partition: int32(key[0])<<8 | int32(key[1]),
			Key:       key[partitionBytes:],
			Value:     r.value,
		})
	})
	return b.changes
}

// settle calls changed for all rows that differ from what the changelog has, in order, and notes that now they do not.
func (b *Batch) settle(changed func(*row)) {
	if b.failed() {
		return
	}
	slices.SortFunc(b.dirty, compareRows)
	for _, r := range b.dirty {
		r.flags &^= rowDirty
		if r.flags&rowKnown != 0 && equalValues(r.base, r.value) {
			continue
		}
		r.base = r.value
		r.flags |= rowKnown
		if r.flags&rowSent == 0 {
			r.flags |= rowSent
			b.sent = append(b.sent, r)
		}
		changed(r)
	}
	b.dirty = b.dirty[:0]
}

// Commit writes the rows and, in the same piece, the positions of partitions, and ends the batch. With positions there
// must be no change that Changes has not returned: that row would be missing from the changelog. A partition without a
// position keeps the one it has: that is for stores without a changelog.
//
// After an error nothing was written, except that an error of the disk leaves that open; the batch has ended either way.
func (b *Batch) Commit(positions map[int32]Position) error {
	if err := b.commit(positions); err != nil {
		return fmt.Errorf("state: commit: %w", err)
	}
	return nil
}

func (b *Batch) commit(positions map[int32]Position) error {
	if b.closed {
		return errEnded
	}
	defer b.Close()
	if len(positions) > 0 && len(b.dirty) > 0 {
		undrained := false
		b.settle(func(*row) { undrained = true })
		if undrained {
			return ErrUndrained
		}
	}
	b.settle(func(*row) {})
	for p := range positions {
		b.Rows(p)
	}
	if b.err != nil {
		return b.err
	}
	unlock, err := b.store.lock(b.parts)
	if err != nil {
		return err
	}
	defer unlock()
	write := b.store.db.NewBatchWithSize(b.writeSize())
	defer write.Close()
	if err := b.fill(write, positions); err != nil {
		return err
	}
	return b.store.recent.commit(b.store.db, write, b.store.write, b.sent, b.local)
}

// fill puts all rows in the engine's batch, in the order of keys, which its memory table takes faster.
func (b *Batch) fill(write *pebble.Batch, positions map[int32]Position) error {
	slices.SortFunc(b.sent, compareRows)
	slices.SortFunc(b.local, compareRows)
	for _, r := range b.sent {
		if err := put(write, r); err != nil {
			return err
		}
	}
	for _, r := range b.local {
		if r.flags&rowKnown != 0 && equalValues(r.base, r.value) {
			continue
		}
		if err := put(write, r); err != nil {
			return err
		}
	}
	for p, position := range positions {
		if err := write.Set(appendHead(nil, p, kindPosition), appendPosition(nil, position), nil); err != nil {
			return err
		}
	}
	return nil
}

func put(write *pebble.Batch, r *row) error {
	if r.value == nil {
		op := write.DeleteDeferred(len(r.key))
		copy(op.Key, r.key)
		return op.Finish()
	}
	op := write.SetDeferred(len(r.key), len(r.value))
	copy(op.Key, r.key)
	copy(op.Value, r.value)
	return op.Finish()
}

// writeSize is about the bytes of the engine's batch.
func (b *Batch) writeSize() int {
	n := 64
	for _, rows := range [...][]*row{b.sent, b.local} {
		for _, r := range rows {
			n += 12 + len(r.key) + len(r.value)
		}
	}
	return n
}

// Close ends the batch. What was not committed is gone. It can be called again.
func (b *Batch) Close() {
	if b.closed {
		return
	}
	b.tables.close()
	b.tableRanges.close()
	b.ranges.close()
	b.closed = true
	if len(b.rows) <= maxKeptRows {
		b.empty()
		b.store.memory.Put(b.batchMemory)
	}
	b.batchMemory, b.slab, b.arena = &batchMemory{}, nil, arena{}
}

// row returns the row that the batch holds under the key, nil if it holds none.
func (b *Batch) row(key []byte) *row { return b.rows[string(key)] }

// hold adds a row. Its value stands for what is committed until it is set.
func (b *Batch) hold(key []byte) *row {
	if len(b.slab) == 0 {
		b.slab = make([]row, 128)
	}
	r := &b.slab[0]
	b.slab = b.slab[1:]
	r.key = string(key)
	r.order = orderOf(key)
	b.rows[r.key] = r
	if !kinds[key[2]].alone {
		h := headOf(r.key)
		r.next = b.heads[h]
		b.heads[h] = r
	}
	b.size += rowOverhead + len(key)
	return r
}

// rowOverhead is about the memory of a held row beside its key and value.
const rowOverhead = 200

// load returns the row under the key, read from the disk if the batch does not hold it yet.
func (b *Batch) load(part *Rows, key []byte) *row {
	if r := b.row(key); r != nil {
		return r
	}
	value, found := b.committed(part, key)
	if b.err != nil {
		return &row{}
	}
	r := b.hold(key)
	r.flags |= rowKnown
	if found {
		r.value = b.keep(value)
	}
	r.base = r.value
	return r
}

// committed reads the committed value under the key. The value is good until the next call.
func (b *Batch) committed(part *Rows, key []byte) (value []byte, found bool) {
	it := b.tables.at(b, part, &tableReads)
	if it == nil {
		return nil, false
	}
	if value, held := recentRow(b.recent, key); held {
		return value, value != nil
	}
	if it.SeekPrefixGE(key) {
		return it.Value(), true
	}
	if err := it.Error(); err != nil {
		b.fail(fmt.Errorf("state: read a %v row: %w", Kind(key[2]), err))
	}
	return nil, false
}

// keep copies bytes into memory that lives as long as anyone needs it.
func (b *Batch) keep(value []byte) []byte {
	b.size += len(value)
	return keep(&b.arena, value)
}

// set writes a held row. The value, nil for a deletion, is the batch's.
func (b *Batch) set(r *row, value []byte) {
	r.value = value
	if r.flags&rowDirty != 0 {
		return
	}
	r.flags |= rowDirty
	if kinds[r.key[2]].local {
		b.local = append(b.local, r)
	} else {
		b.dirty = append(b.dirty, r)
	}
}

// write sets the row under the key without looking what it was.
func (b *Batch) write(key, value []byte) {
	r := b.row(key)
	if r == nil {
		r = b.hold(key)
	}
	if value != nil {
		value = b.keep(value)
	}
	b.set(r, value)
}

// scan calls yield for all rows from lower to below upper, ascending, until it returns false. The range lies within the
// rows of one head, and yield must not write. Values may be kept.
func (b *Batch) scan(r *Rows, lower, upper []byte, yield func(key, value []byte) bool) {
	var held []*row
	h := headOf(string(lower))
	for o := b.heads[h]; o != nil; o = o.next {
		if o.key >= string(lower) && o.key < string(upper) {
			held = append(held, o)
		}
	}
	slices.SortFunc(held, compareRows)
	it := b.rangeOf(r, h)
	if it == nil {
		return
	}
	it.SetBounds(lower, upper)
	valid := it.First()
	for valid || len(held) > 0 {
		if len(held) == 0 || valid && string(it.Key()) < held[0].key {
			if !yield(it.Key(), b.keep(it.Value())) {
				return
			}
			valid = it.Next()
			continue
		}
		o := held[0]
		held = held[1:]
		if valid && string(it.Key()) == o.key {
			valid = it.Next()
		}
		if o.value != nil && !yield([]byte(o.key), o.value) {
			return
		}
	}
	if err := it.Error(); err != nil {
		b.fail(fmt.Errorf("state: read %v rows: %w", Kind(lower[2]), err))
	}
}

// rangeOf is an iterator over the committed rows of a head; nil after an error.
func (b *Batch) rangeOf(r *Rows, h head) *pebble.Iterator {
	if b.tables.at(b, r, &tableReads) == nil { // which brings recent up to date
		return nil
	}
	if mayHold(b.recent, h) {
		return b.ranges.at(b, r, nil)
	}
	return b.tableRanges.at(b, r, &tableScans)
}

// cursor reads committed rows. Nobody but this batch commits to its partitions, so one iterator serves it to the end,
// unless a partition was restored after the iterator was made.
type cursor struct {
	it    *pebble.Iterator
	epoch uint64 // of the store before it was made
}

// Reads of tables alone. Those by key make the filters of the last level work too, which a plain Get of the engine leaves
// out: most of what we ask for is nowhere.
var (
	tableReads = pebble.IterOptions{UseL6Filters: true, OnlyReadGuaranteedDurable: true}
	tableScans = pebble.IterOptions{OnlyReadGuaranteedDurable: true}
)

// at is an iterator that sees the rows of part; nil after an error.
func (c *cursor) at(b *Batch, part *Rows, o *pebble.IterOptions) *pebble.Iterator {
	if c.it != nil && part.epoch <= c.epoch {
		return c.it
	}
	c.close()
	b.store.mu.Lock()
	c.epoch = b.store.epoch
	b.store.mu.Unlock()
	if o == &tableReads {
		b.recent = b.store.recent.live()
	}
	it, err := b.store.db.NewIter(o)
	if err != nil {
		b.fail(fmt.Errorf("state: read: %w", err))
		return nil
	}
	c.it = it
	return it
}

// close forgets the iterator. An error of a read was seen by the read.
func (c *cursor) close() {
	if c.it != nil {
		c.it.Close()
		c.it = nil
	}
}

func compareRows(a, b *row) int {
	if a.order != b.order {
		return cmp.Compare(a.order, b.order)
	}
	return strings.Compare(a.key, b.key)
}

// orderOf is the first eight bytes of a key as a number of the same order, a short key filled up with zeros.
func orderOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var filled [8]byte
	copy(filled[:], key)
	return binary.BigEndian.Uint64(filled[:])
}

// equalValues tells a row that is not there from an empty value.
func equalValues(a, b []byte) bool { return (a == nil) == (b == nil) && string(a) == string(b) }

// headOf is the head of a key; plain rows have one for each kind.
func headOf(key string) (h head) {
	if kinds[key[2]].plain {
		key = key[:partitionBytes+1]
	}
	copy(h[:], key)
	return h
}

// arena keeps bytes in large pieces, which are never used twice.
type arena struct{ free []byte }

const arenaBytes = 64 << 10

// keep is a copy of b in the arena.
func keep[B []byte | string](a *arena, b B) []byte {
	if len(b) > arenaBytes/4 {
		return append(make([]byte, 0, len(b)), b...)
	}
	if len(b) > len(a.free) || a.free == nil {
		a.free = make([]byte, arenaBytes)
	}
	kept := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(kept, b)
	return kept
}
