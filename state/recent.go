package state

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// recentRows are the rows that may be in the engine's memory tables. A search through a memory table costs more than the
// rest of a read: with this, a read by key asks a hash table, then the tables on disk alone, whose filters know most of
// what is nowhere; and a read by range leaves memory tables out where they have nothing of its head.
//
// There is a generation for each memory table, and to know which rows are in which it decides itself when a memory table
// is full. A generation can go once its memory table is in tables. Sequence: a commit writes, then adds its rows to the
// current generation; a turn, which waits for commits to be done and holds up new ones, begins a memory table and a
// generation. So what a generation lacks was written before its memory table began or after it ended.
type recentRows struct {
	limit int64        // bytes after which a turn is due
	bytes atomic.Int64 // written since the last turn
	mu    sync.RWMutex // commits hold it to read, a turn to write
	older []*generation
	now   *generation
}

// generation is the rows of one memory table.
type generation struct {
	rows    [generationShards]rowTable // by partition, so that lanes do not meet
	heads   []atomic.Uint64            // a Bloom filter of the heads that rows are read by; a head sets four bits of a word
	flushed <-chan struct{}            // closed when all of it is in tables; nil in the current generation
}

const (
	generationShards = 64
	headsBits        = 16 // words of the filter, a power of 2: 512 KiB
	headsShift       = 64 - headsBits
)

var keySeed = maphash.MakeSeed()

func newRecentRows(limit int64) *recentRows { return &recentRows{limit: limit, now: newGeneration()} }

func newGeneration() *generation {
	return &generation{heads: make([]atomic.Uint64, 1<<headsBits)}
}

// filterBits are the word of a hash and its four bits.
func filterBits(h uint64) (word uint64, bits uint64) {
	return h >> headsShift, 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) | 1<<(h>>18&63)
}

func (g *generation) add(r *row) {
	k := Kind(r.key[partitionBytes])
	if !kinds[k].alone {
		h := headOf(r.key)
		word, bits := filterBits(maphash.Bytes(keySeed, h[:]))
		if w := &g.heads[word]; w.Load()&bits != bits {
			w.Or(bits)
		}
	}
	if !isFact(k) { // facts are never read by key
		g.shard(r.key[1]).put(r.key, r.value)
	}
}

func (g *generation) shard(partition byte) *rowTable { return &g.rows[partition%generationShards] }

// recentRow is what the newest generation that knows the row has. A deleted row is held, without a value.
func recentRow(generations []*generation, key []byte) (value []byte, held bool) {
	h := uint32(maphash.Bytes(keySeed, key))
	for i := len(generations) - 1; i >= 0; i-- {
		if value, held := generations[i].shard(key[1]).get(h, key); held {
			return value, true
		}
	}
	return nil, false
}

// mayHold reports whether one of the generations may have a row of the head.
func mayHold(generations []*generation, h head) bool {
	word, bits := filterBits(maphash.Bytes(keySeed, h[:]))
	for _, g := range generations {
		if g.heads[word].Load()&bits == bits {
			return true
		}
	}
	return false
}

// live are the generations that are not wholly in tables, ascending. Ask before making the iterator that reads the
// tables.
func (k *recentRows) live() []*generation {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return append(k.unflushed(), k.now)
}

// unflushed is a new slice. The caller holds mu.
func (k *recentRows) unflushed() []*generation {
	left := make([]*generation, 0, len(k.older)+1)
	for _, g := range k.older {
		select {
		case <-g.flushed:
		default:
			left = append(left, g)
		}
	}
	return left
}

// commit writes the engine's batch, which holds rows.
func (k *recentRows) commit(db *pebble.DB, write *pebble.Batch, o *pebble.WriteOptions, rows ...[]*row) error {
	n := int64(write.Len())
	k.mu.RLock()
	err := write.Commit(o)
	if err == nil {
		for _, some := range rows {
			for _, r := range some {
				k.now.add(r)
			}
		}
	}
	k.mu.RUnlock()
	if err == nil && k.bytes.Add(n) >= k.limit {
		err = k.turnIfDue(db)
	}
	return err
}

func (k *recentRows) turnIfDue(db *pebble.DB) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes.Load() < k.limit {
		return nil // another lane did it
	}
	_, err := k.turn(db)
	return err
}

// deleteRange deletes all rows from lower to below upper. When it returns, no generation knows them any more.
func (k *recentRows) deleteRange(db *pebble.DB, lower, upper []byte, o *pebble.WriteOptions) error {
	k.mu.Lock()
	err := db.DeleteRange(lower, upper, o)
	var flushed <-chan struct{}
	if err == nil {
		flushed, err = k.turn(db)
	}
	k.mu.Unlock()
	if err == nil {
		<-flushed
	}
	return err
}

// turn begins a memory table and a generation. The caller holds mu.
func (k *recentRows) turn(db *pebble.DB) (flushed <-chan struct{}, err error) {
	flushed, err = db.AsyncFlush()
	if err != nil {
		return nil, err
	}
	k.now.flushed = flushed
	k.older = append(k.unflushed(), k.now)
	k.now = newGeneration()
	k.bytes.Store(0)
	return flushed, nil
}

// rowTable is a hash table of rows. It has no pointers to rows, of which there are many: a garbage collector would follow
// them all. What it has of a row is never changed, only left behind.
type rowTable struct {
	mu     sync.RWMutex
	slots  []slot // a power of two; searched from the slot of the hash on, until an empty one
	used   int
	pieces [][]byte
}

// slot says where a row is. The row there is its key's length in two bytes, its value's length and one, or 0 for a deleted
// row, in four, key and value.
type slot struct {
	hash  uint32
	piece uint32 // index and one; 0: an empty slot
	at    uint32
}

const (
	rowTablePiece = 32 << 10
	rowTableSlots = 256 // at first
	rowHeader     = 6
)

// get returns the value of a row, nil if it was deleted. It can be kept.
func (t *rowTable) get(hash uint32, key []byte) (value []byte, held bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.used == 0 {
		return nil, false
	}
	found, value := t.find(hash, key)
	return value, found.piece != 0
}

func (t *rowTable) put(key string, value []byte) {
	hash := uint32(maphash.String(keySeed, key))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used >= len(t.slots)*3/4 {
		t.grow()
	}
	made := slot{hash: hash}
	made.piece, made.at = t.write(key, value)
	found, _ := t.find(hash, t.key(&made))
	if found.piece == 0 {
		t.used++
	}
	*found = made
}

// find returns the slot of the row, or the empty one where it would be.
func (t *rowTable) find(hash uint32, key []byte) (*slot, []byte) {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.piece == 0 {
			return s, nil
		}
		if s.hash == hash && bytes.Equal(t.key(s), key) {
			return s, t.value(s)
		}
	}
}

func (t *rowTable) key(s *slot) []byte {
	b := t.pieces[s.piece-1][s.at:]
	return b[rowHeader : rowHeader+int(binary.LittleEndian.Uint16(b))]
}

func (t *rowTable) value(s *slot) []byte {
	b := t.pieces[s.piece-1][s.at:]
	length := int(binary.LittleEndian.Uint32(b[2:]))
	if length == 0 {
		return nil
	}
	start := rowHeader + int(binary.LittleEndian.Uint16(b))
	end := start + length - 1
	return b[start:end:end]
}

// write appends a row to the pieces.
func (t *rowTable) write(key string, value []byte) (piece, at uint32) {
	size := rowHeader + len(key) + len(value)
	last := len(t.pieces) - 1
	if last < 0 || len(t.pieces[last])+size > cap(t.pieces[last]) {
		t.pieces = append(t.pieces, make([]byte, 0, max(size, rowTablePiece)))
		last++
	}
	b := t.pieces[last]
	at = uint32(len(b))
	length := uint32(0)
	if value != nil {
		length = uint32(len(value) + 1)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key)))
	b = binary.LittleEndian.AppendUint32(b, length)
	b = append(append(b, key...), value...)
	t.pieces[last] = b
	return uint32(last + 1), at
}

func (t *rowTable) grow() {
	old := t.slots
	t.slots = make([]slot, max(rowTableSlots, 2*len(old)))
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.piece == 0 {
			continue
		}
		i := s.hash & mask
		for t.slots[i].piece != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}
