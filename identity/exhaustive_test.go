package identity

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"tributary/schemas"
)

// These tests go through every order in which the messages of a small scenario can arrive. Every identifier and every
// conversion has its own partition and every message from outside its own queue, so that nothing is ordered but what the
// protocol itself may rely on. Every state is held against the invariants, every last state against the oracle, and from
// every state a last one must be within reach: no livelock.

// exploration is what came of one scenario.
type exploration struct {
	states, steps, ends int
	wrong               string
	trace               []string
	cut                 bool // there were more states than allowed; livelock was not checked
}

type explorer struct {
	seen    map[[2]uint64]int32
	from    [][]int32 // by state: the states that lead to it
	ends    []int32
	encoder encoder
}

// explore visits all states of the scenario, up to a number. It stops at the first violation. With trace it goes breadth
// first, so that the violation that it shows is a shortest one.
func explore(s *scenario, f *fault, most int, trace bool) exploration {
	x := explorer{seen: map[[2]uint64]int32{}}
	var result exploration
	type open struct {
		net   *network
		state int32
	}
	first := newNetwork(s, f)
	if trace {
		first.trace = &[]string{}
	}
	number, _ := x.visit(first)
	todo := []open{{first, number}}
	for len(todo) > 0 {
		next := len(todo) - 1
		if trace {
			next = 0
		}
		at := todo[next]
		todo = slices.Delete(todo, next, next+1)
		waiting := at.net.waiting(nil, -1)
		if len(waiting) == 0 {
			x.ends = append(x.ends, at.state)
			if wrong := checkEnd(at.net.world, at.net.reader); wrong != "" {
				result.fail(at.net, wrong)
				break
			}
		}
		for k, i := range waiting {
			next := at.net
			if k < len(waiting)-1 {
				next = at.net.clone()
			}
			to := next.queues[i].to
			next.pop(i)
			next.commit(to)
			result.steps++
			number, fresh := x.visit(next)
			if fresh && next.wrong == "" && next.fault.name == "" {
				next.wrong = next.invariant(next.underWay)
			}
			if next.wrong != "" {
				result.fail(next, next.wrong)
				break
			}
			x.from[number] = append(x.from[number], at.state)
			if fresh {
				todo = append(todo, open{next, number})
			}
		}
		if result.cut = len(x.from) > most; result.cut || result.wrong != "" {
			break
		}
	}
	result.states, result.ends = len(x.from), len(x.ends)
	if !result.cut && result.wrong == "" {
		if stuck := result.states - x.ending(); stuck > 0 {
			result.wrong = fmt.Sprintf("livelock: no end is within reach of %d states", stuck)
		}
	}
	return result
}

// checkEnd holds a last state against the oracle, or if there were sweeps against what is young.
func checkEnd(w *world, by reader) string {
	if w.s.has(expire) {
		return checkAged(w, by)
	}
	return check(w, by)
}

func (e *exploration) fail(n *network, wrong string) {
	e.wrong = wrong
	if n.trace != nil {
		e.trace = *n.trace
	}
}

// visit numbers a state and reports whether it is new.
func (x *explorer) visit(n *network) (number int32, fresh bool) {
	key := x.encoder.hash(n)
	number, known := x.seen[key]
	if known {
		return number, false
	}
	number = int32(len(x.from))
	x.seen[key] = number
	x.from = append(x.from, nil)
	return number, true
}

// ending counts the states from which an end is within reach.
func (x *explorer) ending() int {
	reached := make([]bool, len(x.from))
	count := 0
	open := slices.Clone(x.ends)
	for len(open) > 0 {
		s := open[len(open)-1]
		open = open[:len(open)-1]
		if reached[s] {
			continue
		}
		reached[s] = true
		count++
		open = append(open, x.from[s]...)
	}
	return count
}

// clone copies what a step may change.
func (n *network) clone() *network {
	w := *n.world
	w.rows = n.rows.clone()
	w.effects = Effects{}
	w.touched = nil
	if w.trace != nil {
		trace := slices.Clone(*w.trace)
		w.trace = &trace
	}
	c := &network{world: &w, index: maps.Clone(n.index), queues: slices.Clone(n.queues),
		reader: reader{answers: slices.Clone(n.reader.answers), aliases: maps.Clone(n.reader.aliases)}}
	for i := range c.queues { // what is appended to the one must not be seen by the other
		c.queues[i].messages = slices.Clip(c.queues[i].messages)
	}
	return c
}

func (m *Memory) clone() *Memory {
	c := &Memory{identifiers: make(map[ID]*identifierRows, len(m.identifiers)), conversions: make(map[ConversionKey]*conversionRows, 1),
		horizon: m.horizon, youngest: m.youngest}
	for id, r := range m.identifiers {
		c.identifiers[id] = &identifierRows{r.node, r.known, slices.Clone(r.neighbours), slices.Clone(r.seen), slices.Clone(r.members),
			slices.Clone(r.facts), slices.Clone(r.events), slices.Clone(r.kept), slices.Clone(r.helds)}
	}
	for k, r := range m.conversions {
		c.conversions[k] = &conversionRows{r.row, r.known, slices.Clone(r.statements)}
	}
	return c
}

// encoder writes a state so that equal states have equal bytes and others do not.
type encoder struct {
	b    []byte
	live []int
	seed [2]maphash.Seed
}

func (e *encoder) hash(n *network) [2]uint64 {
	if e.b == nil {
		e.seed = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	}
	e.b = e.b[:0]
	for i := range n.s.identifiers {
		e.identifier(n.rows.read(testIDs[i]))
	}
	for i := range n.s.conversions {
		e.conversion(n.rows.conversions[ConversionKeyOf(conversionName(i))])
	}
	for _, a := range n.reader.answers {
		e.ints(int64(a.revision), int64(a.digest), flagOf(a.deleted))
	}
	e.aliases(n.reader.aliases)
	e.live = n.waiting(e.live[:0], -1)
	slices.SortFunc(e.live, func(i, j int) int {
		a, b := &n.queues[i], &n.queues[j]
		return cmp.Or(a.from-b.from, a.to-b.to)
	})
	for _, i := range e.live {
		q := &n.queues[i]
		e.ints(int64(q.from), int64(q.to), int64(len(q.messages)))
		for _, m := range q.messages {
			e.message(m)
		}
	}
	l := n.ledger
	e.ints(l.Applied, l.Duplicate, l.Conflict, l.Forgotten, l.Shared, l.Expired, int64(n.rows.horizon), int64(n.rows.youngest))
	return [2]uint64{maphash.Bytes(e.seed[0], e.b), maphash.Bytes(e.seed[1], e.b)}
}

func (e *encoder) ints(words ...int64) {
	for _, x := range words {
		e.b = binary.AppendVarint(e.b, x)
	}
}

func (e *encoder) text(s string)         { e.ints(int64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) ref(r Ref)             { e.b = append(e.b, r.ID[0], r.ID[15]); e.ints(int64(r.Gen)) }
func (e *encoder) id(id ID)              { e.b = append(e.b, id[0], id[15]) }
func (e *encoder) time(t schemas.Millis) { e.ints(int64(t)) }

func (e *encoder) list(ids []ID) {
	e.ints(int64(len(ids)))
	for _, id := range ids {
		e.id(id)
	}
}

func (e *encoder) aliases(all map[Customer]Customer) {
	olds := slices.SortedFunc(maps.Keys(all), func(a, b Customer) int {
		return cmp.Or(cmp.Compare(a.Root[15], b.Root[15]), compareMillis(a.Cut, b.Cut))
	})
	e.ints(int64(len(olds)))
	for _, old := range olds {
		e.id(old.Root)
		e.id(all[old].Root)
		e.ints(int64(old.Cut), int64(all[old].Cut))
	}
}

func (e *encoder) fact(f *Fact) {
	e.b = append(e.b, f.Event[0], f.Event[1])
	e.time(f.At)
	e.list(f.IDs)
	e.id(f.Home)
	e.text(string(f.Body))
}

func (e *encoder) terms(t *Terms) {
	e.ints(int64(t.Version), flagOf(t.Erased), int64(t.Since), int64(t.At), t.Value.Minor, t.NetMinor)
	e.text(t.EventID)
}

func (e *encoder) held(h *Held) {
	e.text(h.Conversion)
	e.terms(&h.Terms)
	e.ints(flagOf(h.Custody), int64(h.Revision), int64(h.Digest))
	e.id(h.Home)
}

func (e *encoder) statement(s *Statement) {
	e.text(s.EventID)
	e.ints(flagOf(s.Refund), int64(s.At), s.Amount.Minor)
}

func (e *encoder) identifier(r *identifierRows) {
	n := r.node
	e.ints(flagOf(r.known), int64(n.Gen), int64(n.Cut), flagOf(n.Shared), int64(n.Degree), int64(n.Below), int64(n.Members), int64(n.Latest))
	e.ref(n.Parent)
	e.ints(int64(len(r.neighbours)), int64(len(r.seen)), int64(len(r.members)), int64(len(r.facts)), int64(len(r.kept)), int64(len(r.helds)))
	for _, nb := range r.neighbours {
		e.id(nb.ID)
		e.ints(int64(nb.First), int64(nb.Last), flagOf(nb.Link))
	}
	for _, list := range r.seen {
		e.ints(int64(list))
	}
	for _, m := range r.members {
		e.ref(m)
	}
	for i := range r.facts {
		e.fact(&r.facts[i])
	}
	for i := range r.kept {
		e.fact(&r.kept[i])
	}
	for i := range r.helds {
		e.held(&r.helds[i].held)
	}
}

func (e *encoder) conversion(r *conversionRows) {
	if r == nil {
		e.ints(-1)
		return
	}
	c := r.row
	e.ints(flagOf(r.known), flagOf(c.Out), flagOf(c.Parked), int64(c.Erased), int64(len(r.statements)))
	e.list(c.IDs)
	e.terms(&c.Terms)
	e.held(&c.Token)
	for i := range r.statements {
		e.statement(&r.statements[i].statement)
	}
}

func (e *encoder) message(m *Message) {
	e.ints(int64(m.Kind), int64(m.Time), int64(m.Last), int64(m.Index), int64(m.Tried), flagOf(m.Gone), flagOf(m.Fresh))
	e.text(m.Conversion)
	e.ref(m.To)
	e.ref(m.From)
	e.ref(m.Absorbed)
	e.id(m.Origin)
	e.list(m.IDs)
	e.ints(flagOf(m.Statement != nil), flagOf(m.Fact != nil), flagOf(m.Held != nil),
		int64(len(m.Facts)), int64(len(m.Helds)), int64(len(m.Members)))
	if m.Statement != nil {
		e.statement(m.Statement)
	}
	if m.Fact != nil {
		e.fact(m.Fact)
	}
	if m.Held != nil {
		e.held(m.Held)
	}
	for i := range m.Facts {
		e.fact(&m.Facts[i])
	}
	for i := range m.Helds {
		e.held(&m.Helds[i])
	}
	for _, x := range m.Members {
		e.ref(x)
	}
}

func flagOf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// letters are the inputs that scenarios over n identifiers and one conversion are made of. The time of a touch is its place
// in the scenario; the conversion is at 3, stated by a separate event each time.
func letters(n int) []input {
	var all []input
	for i := range n {
		all = append(all,
			input{kind: touch, ids: []int{i}},
			input{kind: conversion, ids: []int{i}, at: 3, minor: 100},
			input{kind: forget, ids: []int{i}, at: 100},
			input{kind: forget, ids: []int{i}, at: 2},
			input{kind: share, ids: []int{i}})
		for j := i + 1; j < n; j++ {
			all = append(all,
				input{kind: touch, ids: []int{i, j}},
				input{kind: conversion, ids: []int{i, j}, at: 3, minor: 100})
		}
	}
	if n >= 3 {
		all = append(all, input{kind: touch, ids: []int{0, 1, 2}}, input{kind: identify, ids: []int{0, 1, 2}})
	}
	return append(all,
		input{kind: conversion, ids: []int{0}, at: 1, minor: 300}, // another time
		input{kind: refund, at: 4, minor: 50})
}

// words are the scenarios of k letters: each with a conversion, at most two forgets and one shared identifier.
func words(n, k int) []*scenario {
	alphabet := letters(n)
	var all []*scenario
	var word []input
	var extend func(from int)
	extend = func(from int) {
		if len(word) == k {
			if s := spell(n, word); s != nil {
				all = append(all, s)
			}
			return
		}
		for i := from; i < len(alphabet); i++ {
			word = append(word, alphabet[i])
			extend(i)
			word = word[:len(word)-1]
		}
	}
	extend(0)
	for i, s := range all { // caps, verdicts and chunks rotate over the scenarios
		s.cap = i % 3
		if i%4 == 0 {
			s.alike = alike{of: 2, with: 1, most: 1} // c and d with a and b
		}
		s.rules.oversize = []int{0, 2}[i/3%2]
		s.rules.across = i/6%2 == 0
		s.chunk = []int{0, 1}[i/2%2]
		s.kept = i % 2
		for _, in := range s.inputs {
			if in.kind == share && i/2%2 == 0 {
				s.sharedLast(in.ids[0], func() bool { return true })
			}
		}
	}
	return all
}

func spell(n int, word []input) *scenario {
	s := &scenario{identifiers: n, conversions: 1, partitions: n + 1, inputs: slices.Clone(word)}
	var count [expire + 1]int
	for i := range s.inputs {
		in := &s.inputs[i]
		count[in.kind]++
		in.event = fmt.Sprintf("e%d", i)
		if in.kind == touch || in.kind == identify {
			in.at = schemas.Millis(1 + i)
		}
	}
	if count[conversion] == 0 || count[forget] > 2 || count[share] > 1 {
		return nil
	}
	return s
}

// TestEveryOrder explores scenarios of up to three inputs over three identifiers: those of two and a sample of those of
// three; with TRIBUTARY_LONG=1 all of them, and samples of larger ones. TRIBUTARY_EXPLORE=identifiers,inputs,n,states
// explores every nth of others.
func TestEveryOrder(t *testing.T) {
	var identifiers, inputs, every, most int
	if n, _ := fmt.Sscanf(os.Getenv("TRIBUTARY_EXPLORE"), "%d,%d,%d,%d", &identifiers, &inputs, &every, &most); n == 4 {
		exploreAll(t, identifiers, inputs, every, most)
		return
	}
	exploreAll(t, 3, 2, 1, 1_000_000)
	if !long() {
		exploreAll(t, 3, 3, 20, 20_000)
		return
	}
	exploreAll(t, 3, 3, 1, 150_000)
	exploreAll(t, 4, 3, 25, 50_000)
	exploreAll(t, 3, 4, 200, 50_000)
}

// exploreAll explores every so-manieth of the scenarios.
func exploreAll(t *testing.T, identifiers, inputs, every, most int) {
	t.Helper()
	exploreThese(t, words(identifiers, inputs), identifiers, inputs, every, most)
}

func exploreThese(t *testing.T, all []*scenario, identifiers, inputs, every, most int) {
	t.Helper()
	name := fmt.Sprintf("%d inputs, %d identifiers", inputs, identifiers)
	var mu sync.Mutex
	var sum exploration
	cut, largest, explored := 0, 0, 0
	failed := inParallel(uint64(len(all)/every), func(i uint64) bool {
		e := explore(all[int(i)*every], nil, most, false)
		mu.Lock()
		defer mu.Unlock()
		explored++
		sum.states += e.states
		sum.steps += e.steps
		sum.ends += e.ends
		largest = max(largest, e.states)
		if e.cut {
			cut++
		}
		return e.wrong == ""
	})
	for _, i := range failed {
		s := all[int(i)*every]
		e := explore(s, nil, most, true)
		t.Errorf("%s: scenario %d: %s\n%s%s", name, int(i)*every, e.wrong, s, strings.Join(e.trace, "\n"))
	}
	t.Logf("%s: %d of %d scenarios, %d states, %d steps, %d ends, largest %d, %d cut at %d states", name, explored, len(all),
		sum.states, sum.steps, sum.ends, largest, cut, most)
}
