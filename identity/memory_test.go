package identity

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"tributary/schemas"
)

// twin is Rows as plainly as can be: one map for each kind of row, sorted when it is read.
type twin struct {
	nodes       map[ID]Node
	youngest    uint32
	neighbours  map[[2]ID]Neighbour
	seen        map[ID]map[uint64]bool
	members     map[[2]ID]Ref
	facts       map[ID][]Fact
	kept        map[ID][]Fact
	helds       map[ID]map[ConversionKey]Held
	conversions map[ConversionKey]Conversion
	statements  map[ConversionKey]map[EventKey]Statement
}

func newTwin() *twin {
	return &twin{map[ID]Node{}, 0, map[[2]ID]Neighbour{}, map[ID]map[uint64]bool{}, map[[2]ID]Ref{}, map[ID][]Fact{}, map[ID][]Fact{},
		map[ID]map[ConversionKey]Held{}, map[ConversionKey]Conversion{}, map[ConversionKey]map[EventKey]Statement{}}
}

func (w *twin) Horizon() schemas.Millis { return 0 }
func (w *twin) Node(id ID) Node {
	n, ok := w.nodes[id]
	if !ok {
		n.Gen = w.youngest
	}
	return n
}
func (w *twin) PutNode(id ID, n Node) { w.nodes[id] = n }
func (w *twin) DeleteNode(id ID) bool {
	n, ok := w.nodes[id]
	if ok {
		w.youngest = max(w.youngest, n.Gen+1)
		delete(w.nodes, id)
	}
	return ok
}
func (w *twin) Neighbour(of, id ID) (Neighbour, bool) {
	n, ok := w.neighbours[[2]ID{of, id}]
	return n, ok
}
func (w *twin) Neighbours(of ID) (all []Neighbour) {
	for k, n := range w.neighbours {
		if k[0] == of {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b Neighbour) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all
}
func (w *twin) PutNeighbour(of ID, n Neighbour)             { w.neighbours[[2]ID{of, n.ID}] = n }
func (w *twin) DeleteNeighbour(of, id ID)                   { delete(w.neighbours, [2]ID{of, id}) }
func (w *twin) Seen(of ID, list uint64) bool                { return w.seen[of][list] }
func (w *twin) PutSeen(of ID, list uint64)                  { inner(w.seen, of)[list] = true }
func (w *twin) DeleteSeen(of ID)                            { delete(w.seen, of) }
func (w *twin) PutMember(root ID, m Ref)                    { w.members[[2]ID{root, m.ID}] = m }
func (w *twin) DeleteMember(root, id ID)                    { delete(w.members, [2]ID{root, id}) }
func (w *twin) Facts(root ID) []Fact                        { return slices.Clone(w.facts[root]) }
func (w *twin) PutHeld(root ID, h Held)                     { inner(w.helds, root)[ConversionKeyOf(h.Conversion)] = h }
func (w *twin) DeleteHeld(root ID, k ConversionKey)         { delete(w.helds[root], k) }
func (w *twin) PutConversion(k ConversionKey, c Conversion) { w.conversions[k] = c }
func (w *twin) DeleteConversion(k ConversionKey)            { delete(w.conversions, k) }
func (w *twin) Member(root, id ID) (Ref, bool) {
	m, ok := w.members[[2]ID{root, id}]
	return m, ok
}
func (w *twin) Members(root ID) (all []Ref) {
	for k, m := range w.members {
		if k[0] == root {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Ref) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all
}
func (w *twin) PutFact(root ID, f Fact) Met {
	met := MetNothing
	for _, g := range w.facts[root] {
		if g.Event != f.Event {
			continue
		}
		if g.At == f.At && g.Copy() == f.Copy() {
			return MetEqual
		}
		met = MetConflict
	}
	w.facts[root] = append(w.facts[root], f)
	slices.SortFunc(w.facts[root], func(a, b Fact) int {
		return cmp.Or(cmp.Compare(a.At, b.At), bytes.Compare(a.Event[:], b.Event[:]), cmp.Compare(a.Copy(), b.Copy()))
	})
	return met
}
func (w *twin) DeleteFact(root ID, f Fact) {
	w.facts[root] = slices.DeleteFunc(w.facts[root], func(g Fact) bool {
		return g.Event == f.Event && g.At == f.At && g.Copy() == f.Copy()
	})
}
func (w *twin) Kept(of ID) []Fact { return slices.Clone(w.kept[of]) }
func (w *twin) PutKept(of ID, f Fact) {
	w.DeleteKept(of, f)
	w.kept[of] = append(w.kept[of], f)
	slices.SortFunc(w.kept[of], CompareFacts)
}
func (w *twin) DeleteKept(of ID, f Fact) {
	w.kept[of] = slices.DeleteFunc(w.kept[of], func(g Fact) bool { return CompareFacts(f, g) == 0 })
}
func (w *twin) Held(root ID, k ConversionKey) (Held, bool) {
	h, ok := w.helds[root][k]
	return h, ok
}
func (w *twin) Helds(root ID) []Held {
	return ascending(w.helds[root], func(k ConversionKey) []byte { return k[:] })
}
func (w *twin) Conversion(k ConversionKey) (Conversion, bool) {
	c, ok := w.conversions[k]
	return c, ok
}
func (w *twin) Statement(k ConversionKey, e EventKey) (Statement, bool) {
	s, ok := w.statements[k][e]
	return s, ok
}
func (w *twin) Statements(k ConversionKey) []Statement {
	return ascending(w.statements[k], func(e EventKey) []byte { return e[:] })
}
func (w *twin) PutStatement(k ConversionKey, e EventKey, s Statement) { inner(w.statements, k)[e] = s }
func (w *twin) DeleteStatement(k ConversionKey, e EventKey)           { delete(w.statements[k], e) }

func inner[K, L comparable, V any](m map[K]map[L]V, k K) map[L]V {
	if m[k] == nil {
		m[k] = map[L]V{}
	}
	return m[k]
}

func ascending[K comparable, V any](m map[K]V, key func(K) []byte) (all []V) {
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int { return bytes.Compare(key(a), key(b)) })
	for _, k := range keys {
		all = append(all, m[k])
	}
	return all
}

// TestMemory holds Memory against its twin over random calls. What was read before must not change by later calls.
func TestMemory(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		m, w := NewMemory(), newTwin()
		type reading struct{ got, copied any }
		var readings []reading
		for call := range 400 {
			wrote, got, want := randomCall(r, m, w)
			if !reflect.DeepEqual(got, want) && !(empty(got) && empty(want)) {
				t.Fatalf("seed %d, call %d, %s: %+v, want %+v", seed, call, wrote, got, want)
			}
			readings = append(readings, reading{got, want})
		}
		for _, x := range readings {
			if !reflect.DeepEqual(x.got, x.copied) && !(empty(x.got) && empty(x.copied)) {
				t.Fatalf("seed %d: a result changed to %+v, was %+v", seed, x.got, x.copied)
			}
		}
	}
}

func empty(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Slice && v.Len() == 0
}

// randomCall does one random call on both and returns what both answered.
func randomCall(r *rand.Rand, m, w Rows) (what string, got, want any) {
	of, id := testIDs[r.IntN(3)], testIDs[r.IntN(6)]
	conversion := conversionName(r.IntN(4))
	k := ConversionKeyOf(conversion)
	number := r.IntN(5)
	at := schemas.Millis(r.IntN(8))
	f := Fact{Event: EventKeyOf(fmt.Sprint(r.IntN(4))), At: at, IDs: idsOf([]int{r.IntN(2)}), Home: id}
	st := Statement{EventID: fmt.Sprint(number), At: at}
	two := func(a any, known bool) any { return []any{a, known} }
	calls := []struct {
		name string
		call func(Rows) any
	}{
		{"Node", func(x Rows) any { return x.Node(of) }},
		{"PutNode", func(x Rows) any { x.PutNode(of, Node{Gen: uint32(number)}); return nil }},
		{"DeleteNode", func(x Rows) any { return x.DeleteNode(of) }},
		{"Neighbour", func(x Rows) any { return two(x.Neighbour(of, id)) }},
		{"Neighbours", func(x Rows) any { return x.Neighbours(of) }},
		{"PutNeighbour", func(x Rows) any { x.PutNeighbour(of, Neighbour{ID: id, First: at}); return nil }},
		{"DeleteNeighbour", func(x Rows) any { x.DeleteNeighbour(of, id); return nil }},
		{"Seen", func(x Rows) any { return x.Seen(of, uint64(number)) }},
		{"PutSeen", func(x Rows) any { x.PutSeen(of, uint64(number)); return nil }},
		{"DeleteSeen", func(x Rows) any { x.DeleteSeen(of); return nil }},
		{"Members", func(x Rows) any { return x.Members(of) }},
		{"Member", func(x Rows) any { return two(x.Member(of, id)) }},
		{"PutMember", func(x Rows) any { x.PutMember(of, Ref{id, uint32(number)}); return nil }},
		{"DeleteMember", func(x Rows) any { x.DeleteMember(of, id); return nil }},
		{"PutFact", func(x Rows) any { return x.PutFact(of, f) }},
		{"Facts", func(x Rows) any { return x.Facts(of) }},
		{"DeleteFact", func(x Rows) any { x.DeleteFact(of, f); return nil }},
		{"PutKept", func(x Rows) any { x.PutKept(of, f); return nil }},
		{"Kept", func(x Rows) any { return x.Kept(of) }},
		{"DeleteKept", func(x Rows) any { x.DeleteKept(of, f); return nil }},
		{"Held", func(x Rows) any { return two(x.Held(of, k)) }},
		{"Helds", func(x Rows) any { return x.Helds(of) }},
		{"PutHeld", func(x Rows) any { x.PutHeld(of, Held{Conversion: conversion, Revision: uint32(number)}); return nil }},
		{"DeleteHeld", func(x Rows) any { x.DeleteHeld(of, k); return nil }},
		{"Conversion", func(x Rows) any { return two(x.Conversion(k)) }},
		{"PutConversion", func(x Rows) any { x.PutConversion(k, Conversion{Out: number > 2}); return nil }},
		{"DeleteConversion", func(x Rows) any { x.DeleteConversion(k); return nil }},
		{"Statement", func(x Rows) any { return two(x.Statement(k, st.Key())) }},
		{"Statements", func(x Rows) any { return x.Statements(k) }},
		{"PutStatement", func(x Rows) any { x.PutStatement(k, st.Key(), st); return nil }},
		{"DeleteStatement", func(x Rows) any { x.DeleteStatement(k, st.Key()); return nil }},
	}
	c := calls[r.IntN(len(calls))]
	return c.name, c.call(m), c.call(w)
}
