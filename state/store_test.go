package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tributary/identity"
	"tributary/schemas"
)

func openMemory(t testing.TB) *Store {
	t.Helper()
	s, err := OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	cookie = identity.ID{6, 1, 0xC0}
	phone  = identity.ID{4, 1, 0x0F}
	click  = identity.Fact{Event: identity.EventKeyOf("click"), At: 1000, IDs: []identity.ID{cookie}, Home: cookie, Body: []byte("click on search")}
)

// at is the click as it was delivered with another time.
func at(t schemas.Millis) identity.Fact {
	f := click
	f.At = t
	return f
}

func TestWindowLeavesOutWhatAnEarlierCopyDecides(t *testing.T) {
	b := openMemory(t).NewBatch()
	defer b.Close()
	r := b.Rows(0)
	for _, time := range []schemas.Millis{1000, 1010, 900} {
		r.PutFact(cookie, at(time))
	}
	other := click
	other.Event, other.At = identity.EventKeyOf("other"), 1005
	r.PutFact(cookie, other)
	for _, c := range []struct {
		from, to schemas.Millis
		want     string
	}{
		{900, 1010, "[900 1000 1005 1010]"}, // the caller takes 900
		{901, 1010, "[1005]"},               // 900 counts, and is outside
		{0, 899, "[]"},
		{0, 950, "[900]"},
		{1005, 1005, "[1005]"},
		{1006, 1005, "[]"},
	} {
		times := []int64{}
		for _, f := range r.Window(cookie, c.from, c.to) {
			times = append(times, int64(f.At))
		}
		if got := fmt.Sprint(times); got != c.want {
			t.Errorf("from %d to %d: got %s, want %s", c.from, c.to, got, c.want)
		}
	}
	must(t, b.Err())
}

func TestChangesAreOneARow(t *testing.T) {
	b := openMemory(t).NewBatch()
	r := b.Rows(0)
	r.PutFact(cookie, click)
	r.PutFact(cookie, at(5))
	r.PutMember(cookie, identity.Ref{ID: phone})
	r.PutMember(cookie, identity.Ref{ID: phone, Gen: 3})
	r.DeleteFact(cookie, click)
	b.Rows(1).PutSeen(phone, 7)
	changes := b.Changes()
	if len(changes) != 3 || Kind(changes[0].Key[0]) != KindMember || Kind(changes[1].Key[0]) != KindFact || changes[2].Partition != 1 {
		t.Errorf("got %v, want a member, a fact and, of partition 1, a list", changes)
	}
	if again := b.Changes(); len(again) != 0 {
		t.Errorf("got %v again", again)
	}
	r.PutMember(cookie, identity.Ref{ID: phone}) // not what was said before
	r.DeleteFact(cookie, at(5))
	if changes = b.Changes(); len(changes) != 2 || changes[1].Value != nil {
		t.Errorf("got %v, want a member and a deletion", changes)
	}
	must(t, b.Commit(map[int32]Position{0: {Next: 5}, 1: {Next: 6}}))
}

func TestCommitRefusesWhatTheChangelogLacks(t *testing.T) {
	s := openMemory(t)
	b := s.NewBatch()
	b.Rows(0).PutSeen(cookie, 1)
	b.Changes()
	b.Rows(0).PutSeen(cookie, 2)
	if err := b.Commit(map[int32]Position{0: {Next: 1}}); !errors.Is(err, ErrUndrained) {
		t.Errorf("got %v, want %v", err, ErrUndrained)
	}
	if rows := dump(t, s, 0); len(rows) > 0 {
		t.Errorf("%d rows were written", len(rows))
	}
	b = s.NewBatch() // what changed back is not missing
	b.Rows(0).PutSeen(cookie, 1)
	b.Changes()
	b.Rows(0).PutMember(cookie, identity.Ref{ID: phone})
	b.Rows(0).DeleteMember(cookie, phone)
	must(t, b.Commit(map[int32]Position{0: {Next: 1}}))
}

func TestBatchEnds(t *testing.T) {
	s := openMemory(t)
	b := s.NewBatch()
	r := b.Rows(0)
	must(t, b.Commit(nil))
	must(t, b.Err())
	b.Close()
	r.PutFact(cookie, click)
	if err := b.Err(); !errors.Is(err, errEnded) {
		t.Errorf("got %v, want %v", err, errEnded)
	}
	if err := b.Commit(nil); !errors.Is(err, errEnded) {
		t.Errorf("got %v, want %v", err, errEnded)
	}
	if changes := b.Changes(); len(changes) > 0 {
		t.Errorf("got %v", changes)
	}
}

func TestPartitionsThatCannotBe(t *testing.T) {
	s := openMemory(t)
	for _, p := range []int32{-1, 1<<16 - 1, 1 << 20} {
		b := s.NewBatch()
		b.Rows(p).PutFact(cookie, click)
		_, _, err := s.Position(p)
		_, size := s.Bytes(p)
		for _, err := range []error{b.Err(), b.Commit(nil), err, size, s.Drop(p), s.Restore(p, nil, Position{})} {
			if err == nil || !strings.Contains(err.Error(), "from 0 to 65534") {
				t.Errorf("partition %d: %v", p, err)
			}
		}
	}
	b := s.NewBatch()
	b.Rows(65534).PutFact(cookie, click)
	must(t, b.Commit(nil))
	must(t, s.Drop(65534))
	if rows := dump(t, s, 65534); len(rows) > 0 {
		t.Errorf("%d rows are left", len(rows))
	}
	must(t, s.checkFormat(Options{})) // the store's own row is behind the last partition
}

// A lane that lost a partition must not write what it still holds of it.
func TestRestoreUnderAnOpenBatch(t *testing.T) {
	s := openMemory(t)
	first := s.NewBatch()
	first.Rows(0).PutFact(cookie, click)
	changes := first.Changes()
	must(t, first.Commit(map[int32]Position{0: {Next: 1}}))

	late := s.NewBatch()
	if facts := late.Rows(0).Facts(cookie); len(facts) != 1 {
		t.Errorf("got %v", facts)
	}
	late.Rows(0).PutSeen(cookie, 1)
	fresh := s.NewBatch() // has read, but of another partition
	fresh.Rows(1).Facts(cookie)
	fresh.Rows(1).Seen(cookie, 1)
	must(t, s.Drop(0))
	late.Changes()
	if err := late.Commit(nil); !errors.Is(err, ErrMoved) {
		t.Errorf("got %v, want %v", err, ErrMoved)
	}
	if facts := fresh.Rows(0).Facts(cookie); len(facts) != 0 {
		t.Errorf("got %v of a dropped partition", facts)
	}
	fresh.Close()

	fresh = s.NewBatch()
	fresh.Rows(1).Facts(cookie)
	fresh.Rows(1).Seen(cookie, 1)
	must(t, s.Restore(0, []Entry{{changes[0].Key, changes[0].Value}}, Position{Next: 1}))
	if met := fresh.Rows(0).PutFact(cookie, click); met != identity.MetEqual {
		t.Errorf("got %v for a restored fact", met)
	}
	must(t, fresh.Commit(nil))
}

// A partition that moved shows nothing of before, wherever the engine had it.
func TestDroppedRowsAreGone(t *testing.T) {
	s, err := Open("s", smallOptions(vfs.NewMem()))
	must(t, err)
	defer s.Close()
	b := s.NewBatch()
	b.Rows(0).PutNode(cookie, identity.Node{Gen: 1})
	must(t, b.Commit(nil))
	for i := range 4 { // enough for new memory tables: the node is in tables, its deletion is not
		b = s.NewBatch()
		f := at(schemas.Millis(i + 1))
		f.Body = make([]byte, minMemTableBytes)
		b.Rows(1).PutFact(phone, f)
		must(t, b.Commit(nil))
	}
	must(t, s.Flush())
	must(t, s.Drop(0))
	b = s.NewBatch()
	if n := b.Rows(0).Node(cookie); n.Gen != 0 {
		t.Errorf("got generation %d", n.Gen)
	}
	b.Close()
	key := append([]byte{byte(KindNode)}, cookie[:]...)
	must(t, s.Restore(0, []Entry{{key, appendNode(nil, identity.Node{Gen: 2})}}, Position{}))
	b = s.NewBatch()
	if n := b.Rows(0).Node(cookie); n.Gen != 2 {
		t.Errorf("got generation %d, want 2", n.Gen)
	}
	b.Close()
}

func TestRestoreBeginsWithNothing(t *testing.T) {
	s := openMemory(t)
	b := s.NewBatch()
	b.Rows(3).PutFact(cookie, click)
	must(t, b.Commit(nil)) // rows without a position are of no known time
	must(t, s.Restore(3, nil, Position{Next: 9, At: 5}))
	if rows := dump(t, s, 3); len(rows) > 0 {
		t.Errorf("%d rows are left", len(rows))
	}
	if p, ok, err := s.Position(3); p.Next != 9 || p.At != 5 || !ok || err != nil {
		t.Errorf("got %v %v %v", p, ok, err)
	}
}

func TestRestoreRefusesEntriesOfOtherReleases(t *testing.T) {
	s := openMemory(t)
	node := append([]byte{byte(KindNode)}, cookie[:]...)
	good := Entry{node, appendNode(nil, identity.Node{Gen: 1})}
	for _, c := range []struct {
		entry   Entry
		kind    Kind
		version uint8
		want    string
	}{
		{Entry{nil, nil}, 0, 0, "no key"},
		{Entry{[]byte{0x7F, 1}, nil}, 0x7F, 0, "kind 0x7f row, version 0: not a kind of this release"},
		{Entry{[]byte{byte(kindEvent)}, nil}, kindEvent, 0, "not a kind of this release"},
		{Entry{node[:5], nil}, KindNode, 0, "key of 4 bytes"},
		{Entry{node, []byte{}}, KindNode, 0, "too short"},
		{Entry{node, []byte{9, 0, 0, 0, 0}}, KindNode, 9, "node row, version 9: not a version of this release"},
		{Entry{node, append(slices.Clone(good.Value), 0)}, KindNode, 1, "bytes left over"},
	} {
		err := s.Restore(0, []Entry{good, c.entry}, Position{})
		var format *FormatError
		if !errors.As(err, &format) || !errors.Is(err, ErrFormat) || format.Kind != c.kind || format.Version != c.version || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%x: got %v, want %q", c.entry.Key, err, c.want)
		}
		if _, ok, _ := s.Position(0); ok {
			t.Error("something was applied")
		}
	}
}

func TestDamagedRowsAreErrors(t *testing.T) {
	for k, info := range kinds {
		if info.name == "" || Kind(k) == kindPosition || Kind(k) == KindSeen {
			continue
		}
		s := openMemory(t)
		key := appendHead(nil, 0, Kind(k))
		if !info.plain {
			key = append(key, make([]byte, info.key)...)
		}
		must(t, s.db.Set(key, []byte{7, 7}, pebble.NoSync))
		must(t, s.Flush()) // past the store, so it must be in tables
		b := s.NewBatch()
		readAll(b.Rows(0))
		err := b.Err()
		var format *FormatError
		if Kind(k) == kindConflict { // only says that there is something to look at
			err = decodeErr(decodeConflict([]byte{7, 7}))
		}
		if !errors.As(err, &format) || format.Kind != Kind(k) || format.Version != 7 {
			t.Errorf("%v: got %v", Kind(k), err)
		}
		b.Rows(0).PutMember(cookie, identity.Ref{ID: phone})
		if Kind(k) != kindConflict && b.Commit(nil) == nil {
			t.Errorf("%v: committed", Kind(k))
		}
		b.Close()
	}
	s := openMemory(t)
	must(t, s.db.Set(appendHead(nil, 4, kindPosition), []byte{7}, pebble.NoSync))
	if _, _, err := s.Position(4); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Partitions(); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
}

func decodeErr[T any](_ T, err error) error { return err }

// readAll reads the rows of the zero identifier in every way.
func readAll(r *Rows) {
	var id identity.ID
	var key identity.ConversionKey
	var event identity.EventKey
	r.Node(id)
	r.Neighbour(id, id)
	r.Neighbours(id)
	r.Seen(id, 0)
	r.Members(id)
	r.Facts(id)
	r.Kept(id)
	r.Window(id, 0, 9)
	r.Copies(id, event)
	r.Held(id, key)
	r.Helds(id)
	r.Conversion(key)
	r.Statement(key, event)
	r.Statements(key)
	r.Ledger()
	for _, k := range []Kind{KindTimer, KindWatermark, KindSweep} {
		r.Plain(k, nil)
		r.Plains(k, nil, nil, func(_, _ []byte) bool { return true })
	}
}

func TestPlainRowsOfOtherKinds(t *testing.T) {
	s := openMemory(t)
	for _, bad := range []func(*Rows){
		func(r *Rows) { r.PutPlain(KindNode, nil, nil) },
		func(r *Rows) { r.DeletePlain(KindFact, make([]byte, 3)) },
		func(r *Rows) { r.Plain(Kind(0x55), nil) },
		func(r *Rows) { r.Plains(kindEvent, nil, nil, nil) },
		func(r *Rows) { r.PutPlain(KindTimer, make([]byte, MaxPlainKey+1), nil) },
	} {
		b := s.NewBatch()
		bad(b.Rows(0))
		if b.Err() == nil {
			t.Error("no error")
		}
		b.Close()
	}
}

// The first fault of the disk stays, and nothing of the batch becomes visible.
func TestDiskFaults(t *testing.T) {
	fs := vfs.NewMem()
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt {
			return errorfs.ErrInjected
		}
		return nil
	})}
	o := smallOptions(errorfs.Wrap(fs, toggle))
	s, err := Open("s", o)
	must(t, err)
	b := s.NewBatch()
	for i := range 20_000 {
		f := at(schemas.Millis(i + 1))
		f.Event = identity.EventKeyOf(fmt.Sprint(i))
		b.Rows(0).PutFact(cookie, f)
	}
	must(t, b.Commit(nil))
	must(t, s.Close())
	s, err = Open("s", o)
	must(t, err)
	defer s.Close()
	toggle.On()
	b = s.NewBatch()
	r := b.Rows(0)
	r.PutMember(phone, identity.Ref{ID: cookie})
	if facts := r.Facts(cookie); b.Err() == nil || len(facts) >= 20_000 {
		t.Errorf("got %d facts and %v", len(facts), b.Err())
	}
	r.PutMember(cookie, identity.Ref{ID: phone})
	if !errors.Is(b.Err(), errorfs.ErrInjected) || b.Changes() != nil {
		t.Errorf("got %v", b.Err())
	}
	if err := b.Commit(nil); !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("got %v", err)
	}
	toggle.Off()
	// The engine may have been opening a table for itself; whoever wants it too gets that fault.
	var facts []identity.Fact
	for range 100 {
		b = s.NewBatch()
		facts = b.Rows(0).Facts(cookie)
		err = b.Err()
		b.Close()
		if err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	b = s.NewBatch()
	defer b.Close()
	if n := len(b.Rows(0).Members(phone)); n != 0 {
		t.Errorf("%d members", n)
	}
	if len(facts) != 20_000 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

func TestOpenLeavesOtherDatabasesAlone(t *testing.T) {
	fs := vfs.NewMem()
	db, err := pebble.Open("s", &pebble.Options{FS: fs, Logger: logger{newFailure("s", Options{}.withDefaults().Log)}})
	must(t, err)
	must(t, db.Set([]byte("a"), []byte("b"), pebble.Sync))
	must(t, db.Close())
	if _, err := Open("s", Options{FS: fs}); !errors.Is(err, ErrForeign) {
		t.Errorf("got %v, want %v", err, ErrForeign)
	}
	db, err = pebble.Open("s", &pebble.Options{FS: fs, Logger: logger{newFailure("s", Options{}.withDefaults().Log)}})
	must(t, err)
	value, closer, err := db.Get([]byte("a"))
	if err != nil || string(value) != "b" {
		t.Errorf("the row is now %q, %v", value, err)
	}
	closer.Close()
	must(t, db.Close())
}

func TestOpenRefusesOtherFormats(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Open("s", Options{FS: fs})
	must(t, err)
	must(t, s.db.Set(formatKey, []byte{99}, pebble.Sync))
	must(t, s.Close())
	for range 2 { // again: nothing was reset
		if _, err := Open("s", Options{FS: fs}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "version 99") {
			t.Errorf("got %v", err)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	must(t, s.Close())
	s, err = Open(dir, Options{})
	must(t, err)
	must(t, s.Close())
}

func TestValidateNamesEveryFault(t *testing.T) {
	_, err := Open("s", Options{FS: vfs.NewMem(), CacheBytes: 1, MemTableBytes: -1, BloomBits: 99, Compactions: -1, OpenFiles: 1})
	for _, name := range []string{"CacheBytes is 1,", "MemTableBytes", "BloomBits", "Compactions", "OpenFiles"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in %v", name, err)
		}
	}
	must(t, Options{}.Validate())
}

// Without filters, and waiting for the disk, everything is the same.
func TestBareStore(t *testing.T) {
	s, err := Open("s", Options{FS: vfs.NewMem(), BloomBits: -1, Sync: true})
	must(t, err)
	defer s.Close()
	for range 2 {
		b := s.NewBatch()
		n := b.Rows(0).Node(cookie)
		n.Gen++
		b.Rows(0).PutNode(cookie, n)
		must(t, b.Commit(nil))
	}
	b := s.NewBatch()
	defer b.Close()
	if n := b.Rows(0).Node(cookie); n.Gen != 2 {
		t.Errorf("got %d", n.Gen)
	}
}

// Lanes with partitions of their own do not disturb each other, nor do restores of others and questions.
func TestLanesSideBySide(t *testing.T) {
	const lanes = 3
	for _, seed := range seeds(t, 5) {
		s, err := Open("s", smallOptions(vfs.NewMem()))
		must(t, err)
		var wg sync.WaitGroup
		for lane := range int32(lanes) {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(lane)))
				twin := identity.NewMemory()
				next := int64(0)
				for range 60 {
					b := s.NewBatch()
					for range 50 {
						o := anOp(rng)
						got, want := o(b.Rows(lane)), o(twin)
						if fmt.Sprint(got) != fmt.Sprint(want) {
							t.Errorf("TRIBUTARY_SEED=%d: lane %d: got %v, want %v", seed, lane, got, want)
							return
						}
					}
					next += int64(len(b.Changes()))
					if err := b.Commit(map[int32]Position{lane: {Next: next}}); err != nil {
						t.Errorf("TRIBUTARY_SEED=%d: lane %d: %v", seed, lane, err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			node := append([]byte{byte(KindNode)}, cookie[:]...)
			for i := range 100 {
				gen := uint32(i + 1)
				if err := s.Restore(lanes, []Entry{{node, appendNode(nil, identity.Node{Gen: gen})}}, Position{Next: int64(i)}); err != nil {
					t.Error(err)
				}
				b := s.NewBatch()
				if n := b.Rows(lanes).Node(cookie); n.Gen != gen {
					t.Errorf("got %d, want %d", n.Gen, gen)
				}
				b.Close()
				if i%30 == 29 {
					if err := s.Drop(lanes); err != nil {
						t.Error(err)
					}
				}
				s.Metrics()
				if _, err := s.Partitions(); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		must(t, s.Close())
	}
}

func TestMetrics(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	must(t, err)
	defer s.Close()
	b := s.NewBatch()
	for i := range 1000 {
		f := at(schemas.Millis(i + 1))
		f.Event = identity.EventKeyOf(fmt.Sprint(i))
		b.Rows(2).PutFact(cookie, f)
		b.Rows(2).Node(cookie)
	}
	if b.Size() < 1000*len(click.Body) {
		t.Errorf("size %d", b.Size())
	}
	must(t, b.Commit(nil))
	must(t, s.Flush())
	m := s.Metrics()
	if m.DiskBytes == 0 || m.TableBytes == 0 || m.Tables == 0 || m.Flushes == 0 || m.BackgroundFaults != 0 {
		t.Errorf("got %+v", m)
	}
	if rows, err := s.EstimateRows(); err != nil || rows < 2000 || rows > 2010 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if n, err := s.Bytes(2); err != nil || n < 1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := s.Bytes(3); err != nil || n > 1000 {
		t.Errorf("%d bytes of an empty partition, %v", n, err)
	}
}

// Bytes that were handed out stay as they are when their batch is long over.
func TestBytesAreForEver(t *testing.T) {
	s := openMemory(t)
	var kept [][]byte
	var copies [][]byte
	for i := range 50 {
		b := s.NewBatch()
		for j := range 50 {
			f := at(schemas.Millis(i*100 + j + 1))
			f.Event = identity.EventKeyOf(fmt.Sprint(i, j))
			f.Body = bytes.Repeat([]byte{byte(i)}, 100)
			b.Rows(0).PutFact(cookie, f)
		}
		for _, c := range b.Changes() {
			kept = append(kept, c.Key, c.Value)
			copies = append(copies, bytes.Clone(c.Key), bytes.Clone(c.Value))
		}
		for _, f := range b.Rows(0).FactsBetween(cookie, 0, schemas.Millis(i*100)) {
			kept, copies = append(kept, f.Body), append(copies, bytes.Clone(f.Body))
		}
		must(t, b.Commit(nil))
	}
	for i := range kept {
		if !bytes.Equal(kept[i], copies[i]) {
			t.Fatalf("%x became %x", copies[i], kept[i])
		}
	}
}

func TestCleanOutlivesTheProcess(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s, err := Open("state", Options{FS: fs, NoWAL: true})
	must(t, err)
	if at, err := s.Clean(); err != nil || !at.IsZero() {
		t.Errorf("a new store is clean since %v, %v", at, err)
	}
	noted := time.UnixMilli(1_767_225_600_123)
	must(t, s.NoteClean(noted))
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	must(t, s.Close())
	s, err = Open("state", Options{FS: crashed, NoWAL: true})
	must(t, err)
	defer s.Close()
	if at, err := s.Clean(); err != nil || !at.Equal(noted) {
		t.Errorf("clean since %v, %v, want %v", at, err, noted)
	}
}

// A row that came and went before anything was written to a file leaves its key there, marked as deleted. The engine moves such
// a file to its last level as it is, and looks at it no more.
func TestCompactLeavesNoKeyOfADeletedRow(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Open("state", Options{FS: fs, NoWAL: true})
	must(t, err)
	defer s.Close()
	commit := func(change func(*Rows)) {
		b := s.NewBatch()
		change(b.Rows(1))
		b.Changes()
		must(t, b.Commit(nil))
	}
	for n := range byte(100) {
		commit(func(r *Rows) { r.PutNode(identity.ID{1, 1, n}, identity.Node{Gen: 1}) })
	}
	const event = "zebra-event-"
	visit := identity.Fact{Event: identity.EventKey([]byte(event)), At: 1000, IDs: []identity.ID{cookie}, Home: cookie, Body: []byte("visit")}
	commit(func(r *Rows) { r.PutFact(cookie, visit) })
	commit(func(r *Rows) { r.DeleteFact(cookie, visit) })
	must(t, s.Flush())
	must(t, s.db.Compact(t.Context(), []byte{0}, []byte{0xFF, 0xFF, 0xFF}, true))
	if filesWith(t, fs, event) == 0 {
		t.Error("the engine is thorough by itself: Compact can be simpler")
	}
	must(t, s.Compact(t.Context()))
	for deadline := time.Now().Add(10 * time.Second); filesWith(t, fs, event) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) { // it deletes old files in the background
			t.Fatal("the key of a deleted row is still in a file")
		}
	}
	b := s.NewBatch()
	defer b.Close()
	if n := b.Rows(1).Node(identity.ID{1, 1, 99}); n.Gen != 1 {
		t.Errorf("another row is gone, too: %+v", n)
	}
}

// filesWith is how many tables hold the text.
func filesWith(t *testing.T, fs vfs.FS, text string) (n int) {
	names, err := fs.List("state")
	must(t, err)
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		f, err := fs.Open(fs.PathJoin("state", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		must(t, err)
		content, err := io.ReadAll(f)
		must(t, err)
		must(t, f.Close())
		if bytes.Contains(content, []byte(text)) {
			n++
		}
	}
	return n
}
