package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tributary/schemas"
)

// Here sweeps come to identifiers and conversions at any time, between any messages. What is then old goes, or is refused if
// it comes later: it may have counted or not. What is young must be as if there had been no sweep, and once everything is
// old, nothing must be left.

// expire is what the caller does when a sweep comes to an actor.
func (w *world) expire(rows Rows, m *Message) {
	w.rows.SetHorizon(max(w.rows.Horizon(), m.Time))
	a := Ages{Events: m.Time, Links: m.Time - schemas.Millis(w.s.refresh),
		Conversions: func(string) schemas.Millis { return m.Time }}
	if m.Conversion != "" {
		w.machine.ExpireConversion(rows, ConversionKeyOf(m.Conversion), a, &w.effects)
		return
	}
	for _, f := range w.rows.Facts(m.To.ID) {
		if f.At < a.Events && !f.Standing {
			w.rows.DeleteFact(m.To.ID, f)
		}
	}
	for _, f := range w.rows.Kept(m.To.ID) {
		if f.At < a.Events {
			w.rows.DeleteKept(m.To.ID, f)
		}
	}
	w.machine.ExpireIdentifier(rows, m.To.ID, a, &w.effects)
}

// age adds consents, and sweeps that come to some actors at some times.
func (s *scenario) age(r *rand.Rand) {
	s.refresh = 1 + r.IntN(4)
	s.rules.oversize, s.rules.across = 0, false // they ask for what is old
	at := map[string]schemas.Millis{}
	for i := range s.inputs { // of an event with an old delivery and a young one the old counts, if it is there
		in := &s.inputs[i]
		if first, again := at[in.event]; again && in.event != "" {
			in.at = first
		}
		at[in.event] = in.at
	}
	for i := r.IntN(3); i > 0; i-- {
		s.inputs = append(s.inputs, input{kind: consent, event: fmt.Sprint("s", i), at: schemas.Millis(1 + r.IntN(20)), ids: s.randomIDs(r)})
	}
	for range 2 + r.IntN(8) {
		in := input{kind: expire, at: schemas.Millis(1 + r.IntN(20)), ids: []int{r.IntN(s.identifiers)}}
		if r.IntN(5) == 0 {
			in.ids, in.conversion = nil, r.IntN(s.conversions)
		}
		s.inputs = append(s.inputs, in)
		s.rules.since = max(s.rules.since, in.at)
	}
}

// checkAged holds a world without messages against what is young of its inputs.
func checkAged(w *world, by reader) string {
	o := &oracle{s: w.s, w: w, forget: w.s.has(forget)}
	for i := range w.s.identifiers {
		o.nodes = append(o.nodes, w.rows.Node(testIDs[i]))
	}
	if wrong := o.checkPointers(); wrong != "" {
		return wrong
	}
	if wrong := o.checkMembers(); wrong != "" {
		return wrong
	}
	if wrong := o.checkForgotten(); wrong != "" || o.forget {
		return wrong
	}
	o.units = unitsOf(w.s)
	may := newForest(len(o.nodes))
	for _, u := range o.units {
		ids := o.remaining(u, 0)
		if u.at < w.s.rules.since { // who had gone when it became shared took nothing apart
			ids = u.ids
		}
		may.join(ids...)
	}
	o.units = slices.DeleteFunc(o.units, func(u *unit) bool { return !o.young(u) })
	if wrong := o.judge(); wrong != "" {
		return wrong
	}
	must := newForest(len(o.nodes))
	for _, u := range o.units {
		must.join(o.remaining(u, 0)...)
	}
	for i := range o.nodes {
		for k := range i {
			together := o.root[i] == o.root[k]
			if must.find(i) == must.find(k) && !together {
				return fmt.Sprintf("%s and %s are connected and in two trees", name(k), name(i))
			}
			if together && may.find(i) != may.find(k) {
				return fmt.Sprintf("%s and %s were never connected and are in one tree", name(k), name(i))
			}
		}
	}
	if wrong := o.checkYoungTouches(); wrong != "" {
		return wrong
	}
	for _, u := range o.units {
		if u.conversion < 0 {
			continue
		}
		if wrong := o.checkConversion(u, by.answers[u.conversion]); wrong != "" {
			return fmt.Sprintf("%s: %s", conversionName(u.conversion), wrong)
		}
	}
	return w.invariant(func(func(*Message) bool) {})
}

// young reports whether nothing of a unit was old at any time.
func (o *oracle) young(u *unit) bool {
	if u.conversion < 0 {
		return u.at >= o.s.rules.since
	}
	return !slices.ContainsFunc(o.s.inputs, func(in input) bool {
		return (in.kind == conversion || in.kind == refund) && in.conversion == u.conversion && in.at < o.s.rules.since
	})
}

// checkForgotten: no forget is lost, and no journey has what was forgotten by an identifier that it names.
func (o *oracle) checkForgotten() string {
	for _, in := range o.s.inputs {
		if in.kind == forget && o.nodes[in.ids[0]].Cut < in.at {
			return fmt.Sprintf("forget of %s up to %d is lost", name(in.ids[0]), in.at)
		}
	}
	for i := range o.nodes {
		for _, f := range o.w.rows.Facts(testIDs[i]) {
			for _, id := range f.IDs {
				if f.At < o.s.rules.since { // whoever it names may have gone before the forget came
					continue
				}
				if n := o.nodes[indexOf(id)]; !n.Shared && n.Forgotten(f.At) {
					return fmt.Sprintf("the journey of %s has a touch @%d that %s forgot", name(i), f.At, initial(id))
				}
			}
		}
	}
	return ""
}

// checkYoungTouches: each young touch is once at the root of its home.
func (o *oracle) checkYoungTouches() string {
	for i := range o.nodes {
		var want, got []string
		for _, u := range o.units {
			if u.fact && u.home >= 0 && o.root[u.home] == i {
				want = append(want, u.factKey())
			}
		}
		for _, f := range o.w.rows.Facts(testIDs[i]) {
			if f.At >= o.s.rules.since && !f.Standing {
				got = append(got, o.factKey(f))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if want = slices.Compact(want); !slices.Equal(want, got) {
			return fmt.Sprintf("journey of %s: %v, want %v", name(i), got, want)
		}
	}
	return ""
}

// end lets everything become final and old, and sweeps until nothing changes. It returns what is left beside the memory of
// forgets and the verdicts on shared identifiers.
func (n *network) end(r *rand.Rand, t tempo) string {
	const late = 1000
	for _, rows := range n.rows.identifiers {
		for i := range rows.helds {
			rows.helds[i].held.Final = true
		}
	}
	for _, rows := range n.rows.conversions {
		rows.row.Token.Final = rows.row.Parked
	}
	for range 2*n.s.identifiers + 2 { // a level of the tree goes with each, and consents that hold one up
		for i := range n.s.identifiers + n.s.conversions {
			in := input{kind: expire, at: late, ids: []int{i}}
			if i >= n.s.identifiers {
				in.ids, in.conversion = nil, i-n.s.identifiers
			}
			n.push(n.s.partitions+len(n.s.inputs)+i, in.message())
		}
		if wrong := n.drain(r, t); wrong != "" {
			return wrong
		}
	}
	for id, rows := range n.rows.identifiers {
		left := len(rows.neighbours) + len(rows.seen) + len(rows.members) + len(rows.facts) + len(rows.kept) + len(rows.helds)
		if lives := rows.known && rows.node.Cut == 0 && !rows.node.Shared; lives || left > 0 {
			return fmt.Sprintf("%s has %d rows left, node %+v", initial(id), left, rows.node)
		}
	}
	for _, rows := range n.rows.conversions {
		if rows.known && rows.row.Erased == 0 || len(rows.statements) > 0 {
			return fmt.Sprintf("%s is left", rows.row.ID)
		}
	}
	return ""
}

func runAgedSeed(seed uint64, f *fault, trace *[]string) (*scenario, string) {
	r := rand.New(rand.NewPCG(seed, 5))
	z := size{identifiers: 6, inputs: 10, forgets: 2, times: true}
	z.plain = r.IntN(2) == 0
	s := randomScenario(r, z)
	if r.IntN(2) == 0 {
		s.cap, s.alike = 0, alike{} // what links is not shared before the sweeps come
	}
	s.age(r)
	n := newNetwork(s, f)
	n.trace = trace
	n.final = r
	t := randomTempo(r, s)
	wrong := n.drain(r, t)
	if wrong == "" {
		wrong = checkAged(n.world, n.reader)
	}
	if wrong == "" {
		n.log("  everything is old")
		wrong = n.end(r, t)
	}
	return s, wrong
}

// TestAgedSchedules runs random schedules with sweeps. TRIBUTARY_SCHEDULES sets how many, TRIBUTARY_AGED_SEED replays one.
func TestAgedSchedules(t *testing.T) {
	count := uint64(50_000)
	if long() {
		count = 1_000_000
	}
	count = setting("TRIBUTARY_SCHEDULES", count)
	from := setting("TRIBUTARY_AGED_SEED", 0)
	if from > 0 {
		count = 1
	}
	failed := inParallel(count, func(i uint64) bool {
		_, wrong := runAgedSeed(from+i, nil, nil)
		return wrong == ""
	})
	for _, i := range failed {
		var trace []string
		s, wrong := runAgedSeed(from+i, nil, &trace)
		t.Errorf("TRIBUTARY_AGED_SEED=%d: %s\n%s%s", from+i, wrong, s, strings.Join(trace, "\n"))
	}
	t.Logf("%d schedules, seeds %d to %d", count, from, from+count-1)
}

// agedWords are the scenarios of k inputs over n identifiers in which something old is linked and sweeps come: touches are at 1,
// which is old then, or at 20.
func agedWords(n, k int) (all []*scenario) {
	var alphabet []input
	for i := range n {
		for _, at := range []schemas.Millis{1, 20} {
			alphabet = append(alphabet, input{kind: touch, ids: []int{i}, at: at})
			for j := i + 1; j < n; j++ {
				alphabet = append(alphabet, input{kind: touch, ids: []int{i, j}, at: at})
			}
		}
		alphabet = append(alphabet, input{kind: expire, ids: []int{i}, at: 10}, input{kind: forget, ids: []int{i}, at: 2})
	}
	var word []input
	var extend func(from int)
	extend = func(from int) {
		if len(word) < k {
			for i := from; i < len(alphabet); i++ {
				word = append(word, alphabet[i])
				extend(i)
				word = word[:len(word)-1]
			}
			return
		}
		s := &scenario{identifiers: n, partitions: n, refresh: 1, chunk: len(all) % 2, rules: rules{since: 10}, inputs: slices.Clone(word)}
		links, sweeps := false, 0
		for i := range s.inputs {
			in := &s.inputs[i]
			in.event = fmt.Sprint("e", i)
			links = links || len(in.ids) > 1 && in.at == 1
			if in.kind == expire {
				sweeps++
				in.event = ""
			}
		}
		if links && sweeps > 0 {
			all = append(all, s)
		}
	}
	extend(0)
	return all
}

// TestEveryOrderOfSweeps explores scenarios of four inputs over three identifiers: a sample, and with TRIBUTARY_LONG=1 all, and a
// sample of five.
func TestEveryOrderOfSweeps(t *testing.T) {
	if !long() {
		exploreThese(t, agedWords(3, 4), 3, 4, 20, 150_000)
		return
	}
	exploreThese(t, agedWords(3, 4), 3, 4, 1, 150_000)
	exploreThese(t, agedWords(3, 5), 3, 5, 150, 50_000)
}

// agedFaults are rules about what goes, each switched off.
var agedFaults = []*fault{
	changingNodes("pointers: an identifier that others point to leaves", func(n *Node) { n.Below = 0 }),
	{name: "generations: an identifier that comes back begins with the first", rows: func(r Rows) Rows { return recycling{r.(*Memory)} }},
	dropping("members: the root does not hear of who left", func(by, m *Message) bool { return m.Kind == KindLeave }),
	dropping("members: nobody is asked", func(by, m *Message) bool { return m.Kind == KindIdle }),
	{name: "forgets: who left does not hear of them", step: func(rows Rows, m *Message) bool {
		return m.Kind == KindReset && rows.Node(m.To.ID).Gen != m.To.Gen
	}},
	dropping("tokens: one that went home for ever is lost", func(by, m *Message) bool { return m.Kind == KindHome && m.Time > 0 }),
	changing("links: what is still seen is not announced again", func(m *Message) {
		if m.Kind == KindIdle {
			m.Time = 1000
		}
	}),
	{name: "consents: they stay for ever", rows: func(r Rows) Rows { return clinging{r} }},
	{name: "stale members: they replace newer ones", rows: func(r Rows) Rows { return forgetful{r} }},
}

// recycling lets generations begin anew.
type recycling struct{ *Memory }

func (r recycling) DeleteNode(id ID) bool {
	deleted := r.Memory.DeleteNode(id)
	r.youngest = 0
	return deleted
}

// clinging deletes no standing fact.
type clinging struct{ Rows }

func (r clinging) DeleteFact(root ID, f Fact) {
	if !f.Standing {
		r.Rows.DeleteFact(root, f)
	}
}

// forgetful knows no member when it is asked for one.
type forgetful struct{ Rows }

func (forgetful) Member(ID, ID) (Ref, bool) { return Ref{}, false }

// TestAgedFaults asserts that random schedules with sweeps notice every rule that is missing.
func TestAgedFaults(t *testing.T) {
	const most = 200_000
	for _, f := range agedFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(most) {
				if _, wrong := runAgedSeed(seed, f, nil); wrong != "" {
					t.Logf("schedule %d: %s", seed, wrong)
					return
				}
			}
			t.Errorf("%d schedules without this rule, and no difference", most)
		})
	}
}
