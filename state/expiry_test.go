package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
)

// In the end exactly those events are left that did not happen before the time, whatever the steps and transactions are.
// Standing facts stay.
func TestExpire(t *testing.T) {
	day := schemas.Millis(sweepEvery.Milliseconds())
	for _, seed := range seeds(t, 50) {
		rng := rand.New(rand.NewPCG(seed, 4))
		s := openMemory(t)
		b := s.NewBatch()
		roots := []identity.ID{cookie, phone, {1}, {0xFF, 0xFF}}
		written := map[string]bool{} // in the end, by root and event
		first := map[string]schemas.Millis{}
		for range rng.IntN(100) {
			f := identity.Fact{Event: identity.EventKey{byte(rng.IntN(30))}, At: schemas.Millis(rng.IntN(100)) * day, IDs: []identity.ID{phone}, Standing: rng.IntN(10) == 0}
			if f.Standing {
				f.Event[1] = 1
			}
			root := roots[rng.IntN(len(roots))]
			b.Rows(1).PutFact(root, f)
			b.Rows(2).PutFact(root, f)
			b.Rows(1).PutKept(root, identity.Fact{Event: f.Event, At: f.At, IDs: f.IDs})
			name := fmt.Sprint(root, f.Event)
			if at, ok := first[name]; !f.Standing && (!ok || f.At < at) {
				first[name] = f.At
			}
			written[name] = true
		}
		commit := func() { must(t, b.Commit(nil)); b = s.NewBatch() }
		commit()
		before, limit := schemas.Millis(rng.IntN(100))*day, 1+rng.IntN(20)
		deleted, kept := 0, 0
		for _, root := range roots {
			for _, f := range b.Rows(1).Kept(root) {
				if f.At < before {
					kept++
				}
			}
		}
		for more := true; more; {
			var n int
			n, more = b.Rows(1).Expire(before, limit)
			deleted += n
			if rng.IntN(2) == 0 {
				commit()
			}
		}
		commit()
		if n, more := b.Rows(1).Expire(before+day-1, limit); n > 0 || more {
			t.Fatalf("TRIBUTARY_SEED=%d: a sweep within a day of the last one", seed)
		}
		want := 0
		for name, at := range first {
			if at < before {
				delete(written, name)
				want++
			}
		}
		if left := eventsLeft(b.Rows(1), roots); deleted != want+kept || !slices.Equal(left, sorted(written)) {
			t.Fatalf("TRIBUTARY_SEED=%d: %d events deleted, want %d\nleft %v\nwant %v", seed, deleted, want+kept, left, sorted(written))
		}
		if left := eventsLeft(b.Rows(2), roots); len(left) != len(written)+want {
			t.Fatalf("TRIBUTARY_SEED=%d: another partition has %d events left, want %d", seed, len(left), len(written)+want)
		}
		for _, root := range roots {
			for _, f := range b.Rows(1).Kept(root) {
				if f.At < before {
					t.Fatalf("TRIBUTARY_SEED=%d: a kept touch of %v is left", seed, f.At)
				}
			}
		}
		must(t, b.Err())
		b.Close()
	}
}

// eventsLeft names the events that facts or local rows know.
func eventsLeft(r *Rows, roots []identity.ID) []string {
	left := map[string]bool{}
	for _, root := range roots {
		for _, f := range r.Facts(root) {
			left[fmt.Sprint(root, f.Event)] = true
		}
		for i := range 30 {
			for _, standing := range []byte{0, 1} {
				if e := (identity.EventKey{byte(i), standing}); len(r.Copies(root, e)) > 0 {
					left[fmt.Sprint(root, e)] = true
				}
			}
		}
	}
	return sorted(left)
}

func sorted(set map[string]bool) (names []string) {
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// What was written in the same transaction is not lost, and the next sweep finds it.
func TestExpireInOneTransaction(t *testing.T) {
	s := openMemory(t)
	b := s.NewBatch()
	defer b.Close()
	r := b.Rows(1)
	r.PutFact(phone, identity.Fact{Event: identity.EventKey{1}, At: 5, IDs: []identity.ID{phone}})
	if n, more := r.Expire(10, 10); n != 0 || more {
		t.Errorf("%d deleted, more %v", n, more)
	}
	must(t, b.Commit(nil))
	b = s.NewBatch()
	if n, _ := b.Rows(1).Expire(10+schemas.Millis(sweepEvery.Milliseconds()), 10); n != 1 {
		t.Errorf("%d deleted", n)
	}
}

// A sweep comes to every identifier that has a node or a standing fact and to every conversion, whatever the steps and
// transactions are, and the next one not before its time.
func TestSweep(t *testing.T) {
	for _, seed := range seeds(t, 50) {
		rng := rand.New(rand.NewPCG(seed, 6))
		s := openMemory(t)
		b := s.NewBatch()
		want, got := map[string]bool{}, map[string]bool{}
		for range rng.IntN(100) {
			id := identity.ID{byte(rng.IntN(256)), 15: byte(rng.IntN(4))}
			switch rng.IntN(3) {
			case 0:
				b.Rows(1).PutNode(id, identity.Node{})
				want[fmt.Sprint(id)] = true
			case 1:
				b.Rows(1).PutFact(id, identity.Fact{Event: identity.EventKey{byte(rng.IntN(9))}, IDs: []identity.ID{id}, Standing: true})
				want[fmt.Sprint(id)] = true
			default:
				b.Rows(1).PutConversion(identity.ConversionKey(id), identity.Conversion{ID: "c"})
				want[fmt.Sprint("conversion ", id)] = true
			}
			b.Rows(2).PutNode(identity.ID{15: 9}, identity.Node{Gen: 1})
			b.Rows(1).PutFact(identity.ID{15: 8}, identity.Fact{Event: identity.EventKey{1}, IDs: []identity.ID{id}})
		}
		commit := func() { must(t, b.Commit(nil)); b = s.NewBatch() }
		commit()
		limit := 1 + rng.IntN(20)
		for more, now := true, schemas.Millis(1000); more; now++ {
			var found Actors
			found, more = b.Rows(1).Sweep(now, 100, limit)
			if found.Before != 1000 || len(found.Identifiers)+len(found.Conversions) > limit {
				t.Fatalf("TRIBUTARY_SEED=%d: %d identifiers and %d conversions before %v, limit %d", seed, len(found.Identifiers), len(found.Conversions), found.Before, limit)
			}
			for _, id := range found.Identifiers {
				got[fmt.Sprint(id)] = true
			}
			for _, key := range found.Conversions {
				got[fmt.Sprint("conversion ", identity.ID(key))] = true
			}
			if rng.IntN(2) == 0 {
				commit()
			}
		}
		commit()
		if !slices.Equal(sorted(got), sorted(want)) {
			t.Fatalf("TRIBUTARY_SEED=%d: came to %v, want %v", seed, sorted(got), sorted(want))
		}
		every := 100 * time.Millisecond
		if _, more := b.Rows(1).Sweep(1099, every, 1000); more || b.Rows(1).sweep(actorSweep).before != 1000 {
			t.Fatalf("TRIBUTARY_SEED=%d: a sweep too early", seed)
		}
		b.Rows(1).Sweep(1100, every, 1000)
		if b.Rows(1).sweep(actorSweep).before != 1100 {
			t.Fatalf("TRIBUTARY_SEED=%d: no next sweep", seed)
		}
		must(t, b.Err())
		b.Close()
	}
}

// An identifier that was deleted begins anew with a later generation, also after a restart and in another transaction, and so
// do those that never had a node; other partitions do not.
func TestGenerations(t *testing.T) {
	s := openMemory(t)
	b := s.NewBatch()
	b.Rows(1).PutNode(cookie, identity.Node{Gen: 7})
	if !b.Rows(1).DeleteNode(cookie) || b.Rows(1).DeleteNode(cookie) || b.Rows(1).DeleteNode(phone) {
		t.Error("one of them had a node")
	}
	for range 2 {
		for _, id := range []identity.ID{cookie, phone} {
			if n := b.Rows(1).Node(id); n != (identity.Node{Gen: 8}) {
				t.Errorf("%v begins as %+v", id, n)
			}
			if n := b.Rows(2).Node(id); n != (identity.Node{}) {
				t.Errorf("%v begins in another partition as %+v", id, n)
			}
		}
		must(t, b.Commit(nil))
		b = s.NewBatch()
	}
	b.Rows(1).PutNode(phone, identity.Node{Gen: 3})
	b.Rows(1).DeleteNode(phone)
	if n := b.Rows(1).Node(phone); n.Gen != 8 {
		t.Errorf("an old one takes the generation back to %d", n.Gen)
	}
	must(t, b.Err())
	b.Close()
}
