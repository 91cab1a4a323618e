package state

import (
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// crash is a disk as it may be after the power went, and what had been asked of it then.
type crash struct {
	fs        *vfs.MemFS
	committed int64 // commits that had returned
}

// crasher takes pictures of a disk at random operations on it.
type crasher struct {
	fs        *vfs.MemFS
	committed atomic.Int64
	mu        sync.Mutex
	rng       *rand.Rand
	every     int
	crashes   []crash
}

func (c *crasher) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.Kind == errorfs.OpFileSync {
		c.syncEntry(op.Path)
	}
	if c.rng.IntN(c.every) == 0 {
		c.take()
	}
	return nil
}

func (c *crasher) String() string { return "crasher" }

// syncEntry makes the disk as good as those that are used: to sync a new file there syncs its entry in the directory too. The
// engine needs that when it begins a new manifest; the simulated disk alone does not promise it.
func (c *crasher) syncEntry(path string) {
	dir, err := c.fs.OpenDir(c.fs.PathDir(path))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		panic(err)
	}
}

// take pictures a crash in which some, none or all of what was not yet on the disk has reached it.
func (c *crasher) take() {
	before := c.committed.Load()
	config := vfs.CrashCloneCfg{UnsyncedDataPercent: pick(c.rng, 0, 10, 50, 90, 100), RNG: c.rng}
	c.crashes = append(c.crashes, crash{c.fs.CrashClone(config), before})
}

// Whatever is on the disk after a crash is the rows after some commit, with that commit's position; with Sync, it is no
// commit that had returned too little. The changelog brings it up to the end.
func TestCrash(t *testing.T) {
	behind := map[int64]int{} // how many crashes were so many commits behind
	all := seeds(t, 12)
	for _, seed := range all {
		c := &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 3)), every: 8}
		o := smallOptions(errorfs.Wrap(c.fs, c))
		o.Sync, o.NoWAL = seed%3 == 0, seed%3 == 1
		m := newModel(t, seed)
		m.must(m.store.Close())
		var err error
		m.store, err = Open("s", o)
		m.must(err)
		type moment struct {
			rows      [modelPartitions]map[string]string
			positions map[int32]Position
			log       int
		}
		moments := []moment{{positions: map[int32]Position{}}}
		for len(moments) < 25 {
			if m.batch == nil {
				m.batch = m.store.NewBatch()
			}
			for range m.rng.IntN(60) {
				p := int32(m.rng.IntN(modelPartitions))
				o := anOp(m.rng)
				o(m.batch.Rows(p))
				m.open = append(m.open, partOp{p, o})
			}
			if m.rng.IntN(5) == 0 {
				m.abort()
				continue
			}
			m.commit()
			c.committed.Add(1)
			now := moment{log: len(m.log)}
			for p := range int32(modelPartitions) {
				now.rows[p] = dump(t, m.store, p)
			}
			now.positions, err = m.store.Partitions()
			m.must(err)
			moments = append(moments, now)
			switch m.rng.IntN(6) {
			case 0:
				m.must(m.store.Flush())
			case 1, 2:
				c.mu.Lock()
				c.take()
				c.mu.Unlock()
			}
		}
		m.must(m.store.Close())
		c.mu.Lock()
		c.take()
		crashes := c.crashes
		c.mu.Unlock()
		for i, crash := range crashes {
			s, err := Open("s", Options{FS: crash.fs})
			if err != nil {
				m.fatalf("crash %d: %v", i, err)
			}
			positions, err := s.Partitions()
			m.must(err)
			at := -1
			for k := range moments {
				if maps.Equal(moments[k].positions, positions) {
					at = k
				}
			}
			if at < 0 {
				m.fatalf("crash %d: positions %v are those of no commit", i, positions)
			}
			if o.Sync && int64(at) < crash.committed {
				m.fatalf("crash %d: %d commits were synced, %d are left", i, crash.committed, at)
			}
			behind[crash.committed-int64(at)]++
			for p := range int32(modelPartitions) {
				if d := difference(dump(t, s, p), moments[at].rows[p]); d != "" {
					m.fatalf("crash %d, after commit %d, partition %d: %s", i, at, p, d)
				}
			}
			m.standby.Close()
			m.standby = s
			for p := range int32(modelPartitions) {
				m.restore(p, moments[at].log)
				if d := difference(dump(t, s, p), moments[len(moments)-1].rows[p]); d != "" {
					m.fatalf("crash %d, restored, partition %d: %s", i, p, d)
				}
			}
		}
		m.must(m.standby.Close())
	}
	t.Logf("crashes by the number of commits that they lost: %v", behind)
	if len(all) >= 10 && (behind[1] == 0 || behind[2] == 0) {
		t.Error("crashes lose next to nothing: the test is blind")
	}
}

// A crash while partitions are restored and dropped leaves each with the rows that its position says, or with none.
func TestCrashInRestore(t *testing.T) {
	for _, seed := range seeds(t, 12) {
		m := newModel(t, seed)
		for len(m.log) < 300 {
			m.step()
		}
		m.abort()
		c := &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 4)), every: 8}
		o := smallOptions(errorfs.Wrap(c.fs, c))
		s, err := Open("s", o)
		m.must(err)
		var next [modelPartitions]int
		for range 80 {
			p := m.rng.IntN(modelPartitions)
			if m.rng.IntN(8) == 0 {
				m.must(s.Drop(int32(p)))
				next[p] = 0
				continue
			}
			to := min(next[p]+m.rng.IntN(60), len(m.log))
			m.must(s.Restore(int32(p), entriesOf(m.log[next[p]:to], int32(p)), Position{Next: int64(to)}))
			next[p] = to
			c.mu.Lock()
			c.take()
			c.mu.Unlock()
		}
		m.must(s.Close())
		for i, crash := range c.crashes {
			s, err := Open("s", Options{FS: crash.fs})
			if err != nil {
				m.fatalf("crash %d: %v", i, err)
			}
			for p := range int32(modelPartitions) {
				position, _, err := s.Position(p)
				m.must(err)
				m.must(m.standby.Drop(p))
				m.must(m.standby.Restore(p, entriesOf(m.log[:position.Next], p), position))
				if d := difference(dump(t, s, p), dump(t, m.standby, p)); d != "" {
					m.fatalf("crash %d, partition %d at %d: %s", i, p, position.Next, d)
				}
			}
			m.must(s.Close())
		}
		m.must(m.store.Close())
		m.must(m.standby.Close())
	}
}

// entriesOf are the entries of one partition.
func entriesOf(log []Change, p int32) (entries []Entry) {
	for _, c := range log {
		if c.Partition == p {
			entries = append(entries, Entry{c.Key, c.Value})
		}
	}
	return entries
}
