package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tributary/identity"
)

// model holds a store against rows in memory and against what its changelog adds up to, under random calls, aborts,
// restarts and restores.
type model struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	fs   vfs.FS

	store   *Store
	standby *Store // fed by the changelog only
	batch   *Batch
	twins   []*identity.Memory

	done, open []partOp // since the beginning; in the open batch
	log        []Change // changelog, one for all partitions
	produced   []Change // by the open batch
	restored   int      // of log, in standby
}

type partOp struct {
	partition int32
	op        op
}

const modelPartitions = 3

func (m *model) fatalf(format string, values ...any) {
	m.t.Helper()
	m.t.Fatalf("TRIBUTARY_SEED=%d: %s", m.seed, fmt.Sprintf(format, values...))
}

func (m *model) must(err error) {
	m.t.Helper()
	if err != nil {
		m.fatalf("%v", err)
	}
}

func smallOptions(fs vfs.FS) Options {
	return Options{FS: fs, MemTableBytes: minMemTableBytes, CacheBytes: 1 << 20}
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewMem(), twins: make([]*identity.Memory, modelPartitions)}
	var err error
	m.store, err = Open("s", smallOptions(m.fs))
	m.must(err)
	m.standby, err = OpenMemory()
	m.must(err)
	m.rebuild()
	return m
}

// rebuild makes the twins from what was committed.
func (m *model) rebuild() {
	for p := range m.twins {
		m.twins[p] = identity.NewMemory()
	}
	for _, o := range m.done {
		o.op(m.twins[o.partition])
	}
}

func (m *model) step() {
	if m.batch == nil {
		m.batch = m.store.NewBatch()
	}
	switch n := m.rng.IntN(100); {
	case n < 90:
		p := int32(m.rng.IntN(modelPartitions))
		o := anOp(m.rng)
		got, want := o(m.batch.Rows(p)), o(m.twins[p])
		if fmt.Sprint(got) != fmt.Sprint(want) {
			m.fatalf("got %v, want %v", got, want)
		}
		m.open = append(m.open, partOp{p, o})
	case n < 92:
		m.window()
	case n < 94:
		m.drain()
	case n < 97:
		m.commit()
	case n < 98:
		m.abort()
	case n < 99:
		m.follow()
	default:
		m.abort()
		m.restart()
	}
	m.must(errOf(m.batch))
}

func errOf(b *Batch) error {
	if b == nil {
		return nil
	}
	return b.Err()
}

// window compares a stretch of a journey with what all of it says.
func (m *model) window() {
	p, root := int32(m.rng.IntN(modelPartitions)), anID(m.rng)
	from, to := aTime(m.rng), aTime(m.rng)
	rows := m.batch.Rows(p)
	var between, window, standing []identity.Fact
	copies := map[identity.EventKey][]Copy{}
	for _, f := range m.twins[p].Facts(root) { // ascending by time
		copies[f.Event] = append(copies[f.Event], Copy{f.At, f.Copy()})
		if f.Standing {
			if f.At <= to {
				standing = append(standing, f)
			}
			continue
		}
		if f.At < from || f.At > to {
			continue
		}
		between = append(between, f)
		if copies[f.Event][0].At >= from {
			window = append(window, f)
		}
	}
	if got := rows.FactsBetween(root, from, to); fmt.Sprint(got) != fmt.Sprint(between) {
		m.fatalf("from %d to %d: got %v, want %v", from, to, got, between)
	}
	if got := rows.Window(root, from, to); fmt.Sprint(got) != fmt.Sprint(window) {
		m.fatalf("window from %d to %d: got %v, want %v", from, to, got, window)
	}
	if got := rows.Standing(root, to); fmt.Sprint(got) != fmt.Sprint(standing) {
		m.fatalf("standing to %d: got %v, want %v", to, got, standing)
	}
	e := anEvent(m.rng)
	if got := rows.Copies(root, e); !slices.Equal(got, copies[e]) {
		m.fatalf("got %v, want %v", got, copies[e])
	}
}

func (m *model) drain() {
	changes := m.batch.Changes()
	if !slices.IsSortedFunc(changes, compareChanges) {
		m.fatalf("changes are not ascending")
	}
	m.produced = append(m.produced, changes...)
}

func compareChanges(a, b Change) int {
	if a.Partition != b.Partition {
		return int(a.Partition - b.Partition)
	}
	return bytes.Compare(a.Key, b.Key)
}

func (m *model) commit() {
	m.drain()
	m.log = append(m.log, m.produced...)
	positions := map[int32]Position{}
	for _, c := range m.produced {
		positions[c.Partition] = Position{Next: int64(len(m.log)), At: 7}
	}
	before, err := m.store.Partitions()
	m.must(err)
	m.must(m.batch.Commit(positions))
	after, err := m.store.Partitions()
	m.must(err)
	for p, position := range positions {
		before[p] = position
	}
	if !reflect.DeepEqual(before, after) {
		m.fatalf("positions are %v, want %v", after, before)
	}
	m.done = append(m.done, m.open...)
	m.batch, m.open, m.produced = nil, nil, nil
	m.compareFold()
}

// compareFold compares the rows with what the changelog adds up to.
func (m *model) compareFold() {
	for p := range int32(modelPartitions) {
		fold := map[string]string{}
		for _, c := range m.log {
			switch {
			case c.Partition != p:
			case c.Value == nil:
				delete(fold, string(c.Key))
			default:
				fold[string(c.Key)] = string(c.Value)
			}
		}
		if d := difference(fold, shared(dump(m.t, m.store, p))); d != "" {
			m.fatalf("partition %d: changelog and rows: %s", p, d)
		}
	}
}

func (m *model) abort() {
	if m.batch != nil {
		m.batch.Close()
	}
	m.batch, m.open, m.produced = nil, nil, nil
	m.rebuild()
}

func (m *model) restart() {
	m.must(m.store.Close())
	var err error
	m.store, err = Open("s", smallOptions(m.fs))
	m.must(err)
}

// follow brings the standby up to date in pieces and compares it, local rows and all.
func (m *model) follow() {
	if m.rng.IntN(4) == 0 { // a partition starts again from nothing
		p := int32(m.rng.IntN(modelPartitions))
		m.must(m.standby.Drop(p))
		if left := dump(m.t, m.standby, p); len(left) > 0 {
			m.fatalf("%d rows are left", len(left))
		}
		if _, ok, err := m.standby.Position(p); ok || err != nil {
			m.fatalf("the position is left, %v", err)
		}
		m.restore(p, 0)
	}
	for p := range int32(modelPartitions) {
		m.restore(p, m.restored)
		if d := difference(dump(m.t, m.store, p), dump(m.t, m.standby, p)); d != "" {
			m.fatalf("partition %d: rows and restored rows: %s", p, d)
		}
	}
	m.restored = len(m.log)
}

func (m *model) restore(p int32, from int) {
	for from < len(m.log) {
		to := min(from+m.rng.IntN(50), len(m.log))
		m.must(m.standby.Restore(p, entriesOf(m.log[from:to], p), Position{Next: int64(to)}))
		from = to
	}
	m.must(m.standby.Restore(p, nil, Position{Next: int64(len(m.log))}))
}

// Rows on disk are the rows in memory, the sum of the changelog, and what a restore of it gives.
func TestModel(t *testing.T) {
	for _, seed := range seeds(t, 200) {
		m := newModel(t, seed)
		for range 600 {
			m.step()
		}
		if m.batch != nil {
			m.commit()
		}
		m.follow()
		m.must(m.store.Close())
		m.must(m.standby.Close())
	}
}

// Plain rows against a map.
func TestPlainModel(t *testing.T) {
	for _, seed := range seeds(t, 50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s, err := OpenMemory()
		if err != nil {
			t.Fatal(err)
		}
		twin := map[string]string{}
		b := s.NewBatch()
		for range 400 {
			r := b.Rows(1)
			key := make([]byte, rng.IntN(3))
			for i := range key {
				key[i] = byte(rng.IntN(3) * 127)
			}
			value := []byte(aText(rng))
			switch rng.IntN(6) {
			case 0, 1:
				r.PutPlain(KindTimer, key, value)
				r.PutPlain(KindWatermark, key, nil)
				twin[string(key)] = string(value)
			case 2:
				r.DeletePlain(KindTimer, key)
				delete(twin, string(key))
			case 3:
				got, ok := r.Plain(KindTimer, key)
				if want, wanted := twin[string(key)]; ok != wanted || string(got) != want {
					t.Fatalf("TRIBUTARY_SEED=%d: got %q %v, want %q %v", seed, got, ok, want, wanted)
				}
			case 4:
				comparePlains(t, seed, rng, r, twin)
			default:
				if rng.IntN(3) == 0 {
					if err := b.Commit(nil); err != nil {
						t.Fatal(err)
					}
					b = s.NewBatch()
				}
			}
		}
		b.Close()
		s.Close()
	}
}

func comparePlains(t *testing.T, seed uint64, rng *rand.Rand, r *Rows, twin map[string]string) {
	from := []byte{byte(rng.IntN(256))}[:rng.IntN(2)]
	to := []byte{byte(rng.IntN(256)), 1}
	if rng.IntN(2) == 0 {
		to = nil
	}
	limit := rng.IntN(10)
	var want []string
	for key := range twin {
		if key >= string(from) && (to == nil || key < string(to)) {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	want = want[:min(limit, len(want))]
	var got []string
	r.Plains(KindTimer, from, to, func(key, value []byte) bool {
		if len(got) == limit {
			return false
		}
		got = append(got, string(key))
		if string(value) != twin[string(key)] {
			t.Fatalf("TRIBUTARY_SEED=%d: value of %x is %q", seed, key, value)
		}
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("TRIBUTARY_SEED=%d: got %x, want %x", seed, got, want)
	}
}
