package state

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// recentKeys knows which rows may be in the engine's memory tables. Most reads ask for rows that are nowhere, and a search
// through a memory table costs more than the rest of such a read: with this, they go to the tables on disk alone, whose
// filters know the answer.
//
// It has a filter for each memory table, and to know which rows are in which it decides itself when a memory table is
// full. A filter can go once its memory table is in tables. Sequence: a commit adds its keys to the current filter, then
// writes; a turn, which waits for commits to be done and holds up new ones, begins a memory table and a filter. So what
// a filter lacks was written before its memory table began or after it ended.
type recentKeys struct {
	limit int64        // bytes after which a turn is due
	bytes atomic.Int64 // written since the last turn
	mu    sync.RWMutex // commits hold it to read, a turn to write
	older []*generation
	now   *generation
}

// generation is a Bloom filter in which a key sets four bits of one word.
type generation struct {
	words   []atomic.Uint64
	flushed <-chan struct{} // closed when all of it is in tables; nil in the current generation
}

const (
	generationBits  = 17 // words of a filter, a power of 2: 1 MiB
	generationMask  = 1<<generationBits - 1
	generationShift = 64 - generationBits
)

var keySeed = maphash.MakeSeed()

func newRecentKeys(limit int64) *recentKeys { return &recentKeys{limit: limit, now: newGeneration()} }

func newGeneration() *generation {
	return &generation{words: make([]atomic.Uint64, 1<<generationBits)}
}

// filterBits are the word of a hashed key and its four bits.
func filterBits(h uint64) (word uint64, bits uint64) {
	return h >> generationShift, 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) | 1<<(h>>18&63)
}

func (g *generation) add(key string) {
	word, bits := filterBits(maphash.String(keySeed, key))
	if w := &g.words[word]; w.Load()&bits != bits {
		w.Or(bits)
	}
}

// mayHold reports whether one of the generations may have the key.
func mayHold(generations []*generation, key []byte) bool {
	word, bits := filterBits(maphash.Bytes(keySeed, key))
	for _, g := range generations {
		if g.words[word].Load()&bits == bits {
			return true
		}
	}
	return false
}

// live are the generations that are not wholly in tables. Ask before making the iterator that reads the tables.
func (k *recentKeys) live() []*generation {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return append(k.unflushed(), k.now)
}

// unflushed is a new slice. The caller holds mu.
func (k *recentKeys) unflushed() []*generation {
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

// commit writes the engine's batch, whose keys are those of rows.
func (k *recentKeys) commit(db *pebble.DB, write *pebble.Batch, o *pebble.WriteOptions, rows ...[]*row) error {
	k.mu.RLock()
	for _, some := range rows {
		for _, r := range some {
			if !isFact(Kind(r.key[partitionBytes])) { // facts are never read by key
				k.now.add(r.key)
			}
		}
	}
	n := int64(write.Len())
	err := write.Commit(o)
	k.mu.RUnlock()
	if err == nil && k.bytes.Add(n) >= k.limit {
		err = k.turn(db)
	}
	return err
}

func (k *recentKeys) turn(db *pebble.DB) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes.Load() < k.limit {
		return nil // another lane did it
	}
	flushed, err := db.AsyncFlush()
	if err != nil {
		return err
	}
	k.now.flushed = flushed
	k.older = append(k.unflushed(), k.now)
	k.now = newGeneration()
	k.bytes.Store(0)
	return nil
}
