package state

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"tributary/identity"
	"tributary/schemas"
)

// The worlds of these tests are small and cramped: few identifiers, events and times, so that rows meet.

// seeds returns the seeds to try: TRIBUTARY_SEED alone if it is set, else n, or TRIBUTARY_SEEDS, new ones.
func seeds(t *testing.T, n int) []uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TRIBUTARY_SEED"), 10, 64); err == nil {
		return []uint64{seed}
	}
	if more, err := strconv.Atoi(os.Getenv("TRIBUTARY_SEEDS")); err == nil {
		n = more
	}
	if testing.Short() {
		n = (n + 9) / 10
	}
	first := rand.Uint64N(1 << 40)
	t.Logf("%d seeds from TRIBUTARY_SEED=%d", n, first)
	all := make([]uint64, n)
	for i := range all {
		all[i] = first + uint64(i)
	}
	return all
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

const (
	someIDs    = 6
	someEvents = 5
	someTimes  = 6
)

func anID(rng *rand.Rand) identity.ID {
	id := identity.ID{byte(1 + rng.IntN(2)), 1}
	id[7] = byte(rng.IntN(someIDs))
	if rng.IntN(20) == 0 {
		return identity.ID(bytes.Repeat([]byte{0xFF}, 16))
	}
	return id
}

func anEvent(rng *rand.Rand) identity.EventKey {
	return identity.EventKeyOf(strconv.Itoa(rng.IntN(someEvents)))
}

func aTime(rng *rand.Rand) schemas.Millis {
	if rng.IntN(40) == 0 {
		return pick(rng, math.MinInt64, math.MaxInt64, schemas.Millis(-1), 0)
	}
	return schemas.Millis(1 + rng.IntN(someTimes))
}

func someOf(rng *rand.Rand, n int) (ids []identity.ID) {
	for range rng.IntN(n + 1) {
		ids = append(ids, anID(rng))
	}
	return ids
}

func aText(rng *rand.Rand) string { return pick(rng, "", "a", "purchase", "order-1001", "\x00\xff") }

func aFact(rng *rand.Rand) identity.Fact {
	f := identity.Fact{Event: anEvent(rng), At: aTime(rng), IDs: someOf(rng, 2)}
	switch {
	case len(f.IDs) > 0 && rng.IntN(2) == 0:
		f.Home = f.IDs[0]
	case rng.IntN(2) == 0:
		f.Home = anID(rng)
	}
	if body := aText(rng); body != "" {
		f.Body = []byte(body)
		f.Standing = body == "purchase" // the body tells them apart
	}
	return f
}

func someMoney(rng *rand.Rand) schemas.Money {
	return schemas.Money{Minor: pick[int64](rng, 0, 1, 9990, -5, math.MaxInt64), Currency: pick(rng, "", "USD", "JPY")}
}

func someTerms(rng *rand.Rand) identity.Terms {
	return identity.Terms{Version: pick(rng, uint32(0), 1, 300, math.MaxUint32), Erased: rng.IntN(4) == 0, Since: aTime(rng),
		EventID: aText(rng), Name: aText(rng), At: aTime(rng), Value: someMoney(rng), NetMinor: int64(rng.IntN(3))}
}

func aHeld(rng *rand.Rand) identity.Held {
	h := identity.Held{Conversion: aText(rng), Terms: someTerms(rng), Custody: rng.IntN(2) == 0, Final: rng.IntN(3) == 0}
	if rng.IntN(2) == 0 {
		h.Home, h.Revision, h.Digest = anID(rng), uint32(rng.IntN(2)), uint64(rng.IntN(2))*rng.Uint64()
	}
	return h
}

func aConversion(rng *rand.Rand) identity.Conversion {
	c := identity.Conversion{ID: aText(rng), IDs: someOf(rng, 3), Terms: someTerms(rng), Out: rng.IntN(2) == 0, Erased: aTime(rng)}
	if rng.IntN(2) == 0 {
		c.Parked, c.Token = true, aHeld(rng)
	}
	return c
}

func aStatement(rng *rand.Rand) identity.Statement {
	return identity.Statement{EventID: aText(rng), Refund: rng.IntN(2) == 0, At: aTime(rng), Name: aText(rng), Amount: someMoney(rng)}
}

func aNode(rng *rand.Rand) identity.Node {
	if rng.IntN(8) == 0 {
		return identity.Node{}
	}
	n := identity.Node{Gen: uint32(rng.IntN(3)), Shared: rng.IntN(4) == 0, Reason: pick(rng, identity.ReasonDeclared, identity.ReasonLimit, 255), Degree: uint32(rng.IntN(300)), Members: uint32(rng.IntN(3))}
	n.Below = uint32(rng.IntN(3))
	if rng.IntN(2) == 0 {
		n.Parent = identity.Ref{ID: anID(rng), Gen: uint32(rng.IntN(2))}
	}
	if rng.IntN(2) == 0 {
		n.Cut, n.Latest = aTime(rng), aTime(rng)
	}
	return n
}

func aNeighbour(rng *rand.Rand) identity.Neighbour {
	return identity.Neighbour{ID: anID(rng), First: aTime(rng), Last: aTime(rng), Link: rng.IntN(2) == 0}
}

// op is one call on rows. Its result must be the same on all implementations.
type op func(identity.Rows) any

// anOp draws a call with its arguments.
func anOp(rng *rand.Rand) op {
	id, other := anID(rng), anID(rng)
	key := identity.ConversionKeyOf(aText(rng))
	event := anEvent(rng)
	list := uint64(rng.IntN(4))
	switch rng.IntN(36) {
	case 0, 1:
		return func(r identity.Rows) any { return r.Node(id) }
	case 2, 3:
		n := aNode(rng)
		return func(r identity.Rows) any { r.PutNode(id, n); return nil }
	case 4:
		return func(r identity.Rows) any { n, ok := r.Neighbour(id, other); return fmt.Sprint(n, ok) }
	case 5:
		return func(r identity.Rows) any { return r.Neighbours(id) }
	case 6:
		n := aNeighbour(rng)
		return func(r identity.Rows) any { r.PutNeighbour(id, n); return nil }
	case 7:
		return func(r identity.Rows) any { r.DeleteNeighbour(id, other); return nil }
	case 8:
		return func(r identity.Rows) any { return r.Seen(id, list) }
	case 9:
		return func(r identity.Rows) any { r.PutSeen(id, list); return nil }
	case 10:
		return func(r identity.Rows) any { r.DeleteSeen(id); return nil }
	case 11:
		return func(r identity.Rows) any { return r.Members(id) }
	case 12:
		m := identity.Ref{ID: other, Gen: uint32(rng.IntN(2))}
		return func(r identity.Rows) any { r.PutMember(id, m); return nil }
	case 13:
		return func(r identity.Rows) any { r.DeleteMember(id, other); return nil }
	case 14, 15, 16, 17:
		f := aFact(rng)
		return func(r identity.Rows) any { return r.PutFact(id, f) }
	case 18:
		return func(r identity.Rows) any { return r.Facts(id) }
	case 19, 20:
		f := aFact(rng)
		return func(r identity.Rows) any { r.DeleteFact(id, f); return nil }
	case 21: // the journey leaves its root
		return func(r identity.Rows) any {
			for _, f := range r.Facts(id) {
				r.DeleteFact(id, f)
			}
			return nil
		}
	case 30:
		f := aFact(rng)
		f.Standing = false
		return func(r identity.Rows) any { r.PutKept(id, f); return nil }
	case 31:
		return func(r identity.Rows) any { return r.Kept(id) }
	case 32:
		f := aFact(rng)
		return func(r identity.Rows) any { r.DeleteKept(id, f); return nil }
	case 33:
		return func(r identity.Rows) any { return r.DeleteNode(id) }
	case 34:
		return func(r identity.Rows) any { m, ok := r.Member(id, other); return fmt.Sprint(m, ok) }
	case 35:
		return func(r identity.Rows) any { r.DeleteConversion(key); return nil }
	case 22:
		h := aHeld(rng)
		return func(r identity.Rows) any { r.PutHeld(id, h); return nil }
	case 23:
		return func(r identity.Rows) any { r.DeleteHeld(id, key); return nil }
	case 24:
		return func(r identity.Rows) any { h, ok := r.Held(id, key); return fmt.Sprint(h, ok, r.Helds(id)) }
	case 25:
		c := aConversion(rng)
		return func(r identity.Rows) any { r.PutConversion(key, c); return nil }
	case 26:
		return func(r identity.Rows) any { c, ok := r.Conversion(key); return fmt.Sprint(c, ok) }
	case 27:
		s := aStatement(rng)
		return func(r identity.Rows) any { r.PutStatement(key, event, s); return nil }
	case 28:
		return func(r identity.Rows) any { r.DeleteStatement(key, event); return nil }
	default:
		return func(r identity.Rows) any {
			s, ok := r.Statement(key, event)
			return fmt.Sprint(s, ok, r.Statements(key))
		}
	}
}

// dump is all rows of a partition as the disk has them, local ones too, without the position.
func dump(t testing.TB, s *Store, partition int32) map[string]string {
	t.Helper()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: appendHead(nil, partition, 1), UpperBound: appendHead(nil, partition+1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for valid := it.First(); valid; valid = it.Next() {
		rows[string(it.Key()[partitionBytes:])] = string(it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// shared leaves out local rows.
func shared(rows map[string]string) map[string]string {
	left := map[string]string{}
	for key, value := range rows {
		if !kinds[key[0]].local {
			left[key] = value
		}
	}
	return left
}

// difference is the first key in which two dumps differ, "" if none.
func difference(a, b map[string]string) string {
	var keys []string
	for key, value := range a {
		if other, ok := b[key]; !ok || other != value {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	slices.Sort(keys)
	key := keys[0]
	one, ok1 := a[key]
	two, ok2 := b[key]
	return fmt.Sprintf("%d keys differ, the first is a %v, %x: %x (%v) and %x (%v)", len(keys), Kind(key[0]), key, one, ok1, two, ok2)
}
