package identity

import (
	"fmt"
	"maps"
	"slices"

	"tributary/schemas"
)

// The oracle computes from the inputs at once what the actors must agree on when no message is left. It shares nothing with
// them but the fold of statements into terms (resolve) and the digest of an answer. Which identifiers are shared and up to
// when each is forgotten depends on the order of arrival if there were forgets (a forget means the customer as it is when
// the forget comes to its root): the oracle takes these from the world after checking that there was reason for each.

// unit is something that links identifiers and is forgotten as a whole: one delivery, or all that is said of one conversion.
type unit struct {
	in         input
	ids        []int
	at         schemas.Millis
	fact       bool // it puts a touch into the journey
	conversion int  // all of this conversion; -1: a delivery
	live       bool
	home       int  // first identifier that is not shared; -1: all are
	unsure     bool // both fates are allowed
}

func unitsOf(s *scenario) []*unit {
	var units []*unit
	all := make([]*unit, s.conversions)
	seen := map[string]bool{}
	for _, in := range s.inputs {
		u := &unit{in: in, ids: in.ids, at: in.at, conversion: -1, fact: in.kind == touch || in.touched}
		key := fmt.Sprint(in)
		switch in.kind {
		case forget, share:
			continue
		case touch:
			key = fmt.Sprint("touch", in.event, in.ids, in.at, in.body)
		case conversion:
			if in.touched {
				key = fmt.Sprint("touch", in.event, in.ids, in.at, in.body)
			}
			c := all[in.conversion]
			if c == nil {
				c = &unit{in: in, at: in.at, conversion: in.conversion}
				all[in.conversion] = c
				units = append(units, c)
			}
			c.at = min(c.at, in.at)
			for _, q := range in.ids {
				if !slices.Contains(c.ids, q) {
					c.ids = append(c.ids, q)
				}
			}
		}
		if !seen[key] && len(in.ids) > 0 {
			seen[key] = true
			units = append(units, u)
		}
	}
	return units
}

func (u *unit) factKey() string {
	return fmt.Sprintf("%s@%d%v%s", u.in.event, int64(u.at), u.ids, u.in.body)
}

// oracle is the expected state at quiescence, given the cuts and shared flags of the world.
type oracle struct {
	s      *scenario
	w      *world
	units  []*unit
	nodes  []Node
	root   []int // of each identifier, by the pointers
	forget bool
	shared bool // some identifier is
}

// check compares a world without messages with the oracle. It returns the first difference, or "".
func check(w *world, by reader) string {
	o := &oracle{s: w.s, w: w, units: unitsOf(w.s), forget: w.s.has(forget)}
	for i := range w.s.identifiers {
		o.nodes = append(o.nodes, w.rows.Node(testIDs[i]))
		o.shared = o.shared || o.nodes[i].Shared
	}
	steps := []func() string{o.checkShared, o.checkCuts, o.checkPointers, o.judge, o.checkComponents, o.checkMembers,
		o.checkNeighbours, o.checkCandidates, o.checkKept, o.checkJourneys, func() string { return o.checkConversions(by.answers) },
		func() string { return o.checkAliases(by.aliases) }, o.checkLedger}
	for _, f := range steps {
		if diff := f(); diff != "" {
			return diff
		}
	}
	return w.invariant(func(func(*Message) bool) {})
}

// checkShared: shared are those declared, and those that were seen with too many others.
func (o *oracle) checkShared() string {
	for i, n := range o.nodes {
		want := slices.ContainsFunc(o.s.inputs, func(in input) bool { return in.kind == share && in.ids[0] == i })
		with := map[int]bool{}
		for _, u := range o.units {
			if slices.Contains(u.ids, i) {
				for _, q := range u.ids {
					with[q] = true
				}
			}
		}
		delete(with, i)
		maps.DeleteFunc(with, func(q int, _ bool) bool { return testIDs[q].Key() != testIDs[i].Key() })
		want = want || o.s.cap > 0 && len(with) > o.s.cap
		if l := o.s.alike; l.most > 0 && int(testIDs[i].Rank()) == l.of {
			maps.DeleteFunc(with, func(q int, _ bool) bool { return int(testIDs[q].Rank()) != l.with })
			want = want || len(with) > l.most
		}
		if n.Shared && !want || want && !n.Shared && !o.forget {
			return fmt.Sprintf("shared(%s) is %v", name(i), n.Shared)
		}
	}
	return ""
}

// checkCuts: no forget is lost, and what is forgotten was connected with somebody who asked.
func (o *oracle) checkCuts() string {
	connected := newForest(o.s.identifiers)
	for _, u := range o.units {
		connected.join(u.ids...)
	}
	for _, in := range o.s.inputs {
		if in.kind == forget && o.nodes[in.ids[0]].Cut < in.at {
			return fmt.Sprintf("forget of %s up to %d is lost", name(in.ids[0]), in.at)
		}
	}
	for i, n := range o.nodes {
		asked := n.Cut == 0 || slices.ContainsFunc(o.s.inputs, func(in input) bool {
			return in.kind == forget && in.at == n.Cut && connected.find(in.ids[0]) == connected.find(i)
		})
		if !asked {
			return fmt.Sprintf("%s is forgotten up to %d and nobody connected with it asked", name(i), n.Cut)
		}
	}
	return ""
}

// checkPointers: every pointer goes down to a live incarnation; it also finds the roots.
func (o *oracle) checkPointers() string {
	for i := range o.nodes {
		x := i
		for !o.nodes[x].Root() {
			p := o.nodes[x].Parent
			if indexOf(p.ID) >= x {
				return fmt.Sprintf("pointer of %s goes up", name(x))
			}
			if o.nodes[indexOf(p.ID)].Gen != p.Gen {
				return fmt.Sprintf("pointer of %s goes to a dead incarnation", name(x))
			}
			x = indexOf(p.ID)
		}
		o.root = append(o.root, x)
	}
	return ""
}

// judge decides which units are live: none of its identifiers is forgotten up to its time. Either all of them are or none
// is: a forget is closed over what it meets.
func (o *oracle) judge() string {
	for _, u := range o.units {
		u.home = -1
		dead, alive, met := 0, 0, false
		for _, q := range u.ids {
			n := o.nodes[q]
			met = met || n.Shared
			if n.Shared {
				continue
			}
			if u.home < 0 {
				u.home = q
			}
			if n.Forgotten(u.at) {
				dead++
			} else {
				alive++
			}
		}
		if dead > 0 && alive > 0 && !met {
			return fmt.Sprintf("forget is not closed over %s", u.in)
		}
		u.live = dead == 0
		forgotten := slices.ContainsFunc(u.ids, func(q int) bool { return o.nodes[q].Forgotten(u.at) })
		if met && forgotten { // it may have been forgotten before its identifier became shared, or after
			u.unsure = true
			u.live = o.present(u)
		}
	}
	return ""
}

// present reports whether the world holds the unit's touch or token.
func (o *oracle) present(u *unit) bool {
	if u.conversion >= 0 {
		return o.token(u.conversion).where != nowhere
	}
	for i := range o.nodes {
		if slices.Contains(o.facts(i), u.factKey()) {
			return true
		}
	}
	return false
}

// checkComponents: identifiers are in one tree if and only if live units connect them. Edges of a conversion that is
// forgotten by its earliest statement may stay if its later statements are not.
func (o *oracle) checkComponents() string {
	must, may := newForest(len(o.nodes)), newForest(len(o.nodes))
	for _, u := range o.units {
		if certain := u.fact || u.conversion >= 0 || !u.unsure; u.live && certain {
			ids := o.remaining(u, u.at)
			must.join(ids...)
			may.join(ids...)
		}
		if u.unsure || u.conversion >= 0 {
			ids := o.remaining(u, o.until(u))
			for i, a := range ids {
				for _, b := range ids[:i] {
					if o.root[a] == o.root[b] {
						may.join(a, b)
					}
				}
			}
		}
	}
	for i := range o.nodes {
		for k := range i {
			together := o.root[i] == o.root[k]
			if must.find(i) == must.find(k) && !together {
				return fmt.Sprintf("%s and %s are connected and in two trees", name(k), name(i))
			}
			if together && may.find(i) != may.find(k) {
				return fmt.Sprintf("%s and %s are not connected and in one tree", name(k), name(i))
			}
		}
	}
	return ""
}

// remaining are the unit's identifiers that are neither shared nor forgotten up to t.
func (o *oracle) remaining(u *unit, t schemas.Millis) (ids []int) {
	for _, q := range u.ids {
		if n := o.nodes[q]; !n.Shared && !n.Forgotten(t) {
			ids = append(ids, q)
		}
	}
	return ids
}

// until is the time of the unit, or of the latest statement of its conversion.
func (o *oracle) until(u *unit) schemas.Millis {
	t := u.at
	for _, in := range o.s.inputs {
		if in.kind == conversion && in.conversion == u.conversion {
			t = max(t, in.at)
		}
	}
	return t
}

func (o *oracle) checkMembers() string {
	for i, n := range o.nodes {
		var want, got []Ref
		for k := range o.nodes {
			if n.Root() && k != i && o.root[k] == i {
				want = append(want, Ref{testIDs[k], o.nodes[k].Gen})
			}
		}
		if got = o.w.rows.Members(testIDs[i]); !slices.Equal(want, got) {
			return fmt.Sprintf("members of %s: %v, want %v", name(i), got, want)
		}
	}
	return ""
}

// checkNeighbours: without forgets and shared identifiers each remembers all that it was seen with; with forgets, nobody
// that no live unit names beside it.
func (o *oracle) checkNeighbours() string {
	if o.shared {
		return ""
	}
	for i := range o.nodes {
		allowed := map[int]bool{}
		for _, u := range o.units {
			named := slices.Contains(u.ids, i)
			if named && (u.live || u.conversion >= 0 && !o.nodes[i].Forgotten(o.until(u))) {
				for _, q := range u.ids {
					allowed[q] = true
				}
			}
		}
		delete(allowed, i)
		got := o.w.rows.Neighbours(testIDs[i])
		for _, nb := range got {
			if !allowed[indexOf(nb.ID)] {
				return fmt.Sprintf("%s still remembers %s", name(i), initial(nb.ID))
			}
			if nb.First > nb.Last || o.nodes[i].Forgotten(nb.First) {
				return fmt.Sprintf("%s remembers %s at %d-%d", name(i), initial(nb.ID), nb.First, nb.Last)
			}
		}
		if !o.forget && len(got) != len(allowed) {
			return fmt.Sprintf("%s remembers %d neighbours of %d", name(i), len(got), len(allowed))
		}
	}
	return ""
}

// checkCandidates: a shared identifier remembers those that it was seen with, the first in the fixed order; with forgets,
// nobody that no event names beside it which neither forgot.
func (o *oracle) checkCandidates() string {
	for i, n := range o.nodes {
		if !n.Shared {
			continue
		}
		seen := map[int]bool{}
		for _, u := range o.units {
			if !slices.Contains(u.ids, i) {
				continue
			}
			for _, q := range u.ids {
				if q != i && !n.Forgotten(o.until(u)) && (o.nodes[q].Shared || !o.nodes[q].Forgotten(o.until(u))) {
					seen[q] = true
				}
			}
		}
		var got []int
		for _, nb := range o.w.rows.Neighbours(testIDs[i]) {
			q := indexOf(nb.ID)
			if got = append(got, q); nb.Link || !seen[q] || n.Forgotten(nb.First) || nb.First > nb.Last {
				return fmt.Sprintf("%s is shared and has the candidate %s, %+v", name(i), name(q), nb)
			}
		}
		want := slices.Sorted(maps.Keys(seen))
		want = want[:min(len(want), o.w.machine.limits.Kept)]
		if len(got) > o.w.machine.limits.Kept || !o.forget && !slices.Equal(got, want) {
			return fmt.Sprintf("%s is shared and has the candidates %v, want %v", name(i), got, want)
		}
	}
	return ""
}

// checkKept: a shared identifier keeps the newest touches that name it and shared identifiers only; with forgets, those
// that nobody forgot.
func (o *oracle) checkKept() string {
	for i, n := range o.nodes {
		kept := o.w.rows.Kept(testIDs[i])
		var want []Fact
		for _, u := range o.units {
			if n.Shared && u.fact && u.home < 0 && slices.Contains(u.ids, i) && !n.Forgotten(u.at) {
				want = append(want, Fact{Event: EventKeyOf(u.in.event), At: u.at, Body: []byte(u.in.body)})
			}
		}
		slices.SortFunc(want, CompareFacts)
		want = slices.CompactFunc(want, func(a, b Fact) bool { return CompareFacts(a, b) == 0 })
		for _, f := range kept {
			if len(f.IDs) > 0 || f.Home != None || !slices.ContainsFunc(want, func(g Fact) bool { return CompareFacts(f, g) == 0 }) {
				return fmt.Sprintf("%s keeps the touch %x@%d", name(i), f.Event[:2], f.At)
			}
		}
		want = want[max(0, len(want)-o.w.machine.limits.Kept):]
		if len(kept) > o.w.machine.limits.Kept || !o.forget && !slices.EqualFunc(kept, want, func(f, g Fact) bool { return CompareFacts(f, g) == 0 }) {
			return fmt.Sprintf("%s keeps %d touches and not the newest, want %d", name(i), len(kept), len(want))
		}
	}
	return ""
}

// checkJourneys: the touches at a root are the live ones of its component, each once.
func (o *oracle) checkJourneys() string {
	want := make([][]string, len(o.nodes))
	for _, u := range o.units {
		if u.fact && u.live && u.home >= 0 {
			r := o.root[u.home]
			want[r] = append(want[r], u.factKey())
		}
	}
	for i := range o.nodes {
		got := o.facts(i)
		slices.Sort(want[i])
		if want := slices.Compact(want[i]); !slices.Equal(want, got) {
			return fmt.Sprintf("journey of %s: %v, want %v", name(i), got, want)
		}
	}
	return ""
}

// facts are the keys of the journey at i, sorted.
func (o *oracle) facts(i int) []string {
	var keys []string
	for _, f := range o.w.rows.Facts(testIDs[i]) {
		keys = append(keys, o.factKey(f))
	}
	slices.Sort(keys)
	return keys
}

func (o *oracle) factKey(f Fact) string {
	var ids []int
	for _, id := range f.IDs {
		ids = append(ids, indexOf(id))
	}
	for _, in := range o.s.inputs {
		if EventKeyOf(in.event) == f.Event {
			return (&unit{in: input{event: in.event, body: string(f.Body)}, ids: ids, at: f.At}).factKey()
		}
	}
	return "a fact from nowhere"
}

// Where a token is.
const (
	nowhere = -1
	parked  = -2
)

// place is where the token of a conversion is: at a root, or parked.
type place struct {
	where int
	held  Held
}

func whereName(where int) string {
	switch where {
	case nowhere:
		return "nowhere"
	case parked:
		return "parked"
	default:
		return "at " + name(where)
	}
}

func (o *oracle) token(c int) place {
	name := conversionName(c)
	k := ConversionKeyOf(name)
	for i := range o.nodes {
		if h, _ := o.w.rows.Held(testIDs[i], k); h.Custody {
			return place{i, h}
		}
	}
	if row, _ := o.w.rows.Conversion(k); row.Parked {
		return place{parked, row.Token}
	}
	return place{nowhere, Held{}}
}

// checkConversions: the token is at the root of its identifiers and carries the terms of all statements; the newest record
// has the answer of that root's journey. A forgotten conversion has no token, no rows, and a deletion as its last record.
func (o *oracle) checkConversions(answers []answer) string {
	for _, u := range o.units {
		if u.conversion < 0 {
			continue
		}
		if diff := o.checkConversion(u, answers[u.conversion]); diff != "" {
			return fmt.Sprintf("%s: %s", conversionName(u.conversion), diff)
		}
	}
	for i := range o.nodes {
		for _, h := range o.w.rows.Helds(testIDs[i]) {
			if !h.Custody {
				return fmt.Sprintf("%s keeps terms of %s without its token", name(i), h.Conversion)
			}
		}
	}
	return ""
}

func (o *oracle) checkConversion(u *unit, last answer) string {
	k := ConversionKeyOf(conversionName(u.conversion))
	c, _ := o.w.rows.Conversion(k)
	t := o.token(u.conversion)
	if !u.live {
		switch {
		case t.where != nowhere:
			return "is forgotten and has a token"
		case last.revision > 0 && !last.deleted:
			return "is forgotten and was not deleted"
		case c.Erased == 0 || c.ID != "" || len(c.IDs) > 0 || len(o.w.rows.Statements(k)) > 0 || c.Terms != (Terms{}):
			return "is forgotten and its actor knows it"
		}
		return ""
	}
	terms := o.terms(u.conversion)
	terms.Version = c.Terms.Version
	want := parked
	if u.home >= 0 {
		want = o.root[u.home]
	}
	switch {
	case c.Erased != 0 || last.deleted:
		return "is live and was deleted"
	case c.Terms != terms:
		return fmt.Sprintf("terms %+v, want %+v", c.Terms, terms)
	case t.where != want:
		return fmt.Sprintf("token is %s, want %s", whereName(t.where), whereName(want))
	case t.held.Terms != terms:
		return fmt.Sprintf("token carries %+v, want %+v", t.held.Terms, terms)
	case c.Out != (want != parked):
		return fmt.Sprintf("actor says %v of its token being out", c.Out)
	case last.revision != t.held.Revision:
		return fmt.Sprintf("newest record has revision %d, token %d", last.revision, t.held.Revision)
	case want != parked && !slices.Contains(u.ids, indexOf(t.held.Home)):
		return "token has a strange home"
	}
	if last.final != t.held.Final {
		return "token and newest record differ in being final"
	}
	if digest := o.digest(u, terms, want); last.digest != digest && (!last.final || o.w.backfill) {
		return fmt.Sprintf("newest record, revision %d, has another answer", last.revision)
	}
	return ""
}

// terms folds all deliveries: of those with one event id the smallest counts.
func (o *oracle) terms(c int) Terms {
	kept := map[EventKey]Statement{}
	for _, in := range o.s.inputs {
		if (in.kind != conversion && in.kind != refund) || in.conversion != c {
			continue
		}
		st := *in.message().Statement
		if have, ok := kept[st.Key()]; !ok || compareStatements(st, have) < 0 {
			kept[st.Key()] = st
		}
	}
	var all []Statement
	for _, st := range kept {
		all = append(all, st)
	}
	return resolve(all)
}

// digest is the answer for a conversion from the units alone.
func (o *oracle) digest(u *unit, terms Terms, root int) uint64 {
	name := conversionName(u.conversion)
	if root == parked {
		return o.s.rules.digest(name, terms, nil, nil, 0)
	}
	var facts []Fact
	var helds []Held
	people := 0
	for i := range o.nodes {
		if o.root[i] == root {
			people++
		}
	}
	for _, v := range o.units {
		if !v.live || v.home < 0 || o.root[v.home] != root {
			continue
		}
		if v.fact {
			facts = append(facts, Fact{Event: EventKeyOf(v.in.event), At: v.at, Body: []byte(v.in.body)})
		}
		if v.conversion >= 0 {
			helds = append(helds, Held{Conversion: conversionName(v.conversion), Terms: o.terms(v.conversion), Custody: true})
		}
	}
	return o.s.rules.digest(name, terms, helds, facts, people)
}

// checkAliases: the aliases lead from every absorbed customer to the one that it is now part of, and there are no others.
func (o *oracle) checkAliases(aliases map[Customer]Customer) string {
	if aliases == nil {
		return ""
	}
	for i, n := range o.nodes {
		at, want := Customer{testIDs[i], n.Cut}, Customer{testIDs[o.root[i]], o.nodes[o.root[i]].Cut}
		for range o.nodes {
			if next, ok := aliases[at]; ok {
				at = next
			}
		}
		if at != want {
			return fmt.Sprintf("customer %s is known as %s, want %s", name(i), initial(at.Root), initial(want.Root))
		}
	}
	for old := range aliases {
		if n := o.nodes[indexOf(old.Root)]; n.Root() || n.Cut != old.Cut {
			return fmt.Sprintf("customer %s, forgotten up to %d, is still an alias", initial(old.Root), old.Cut)
		}
	}
	return ""
}

// checkLedger: every fresh message is counted once. Without kills the counts of repeated touches have bounds: equal lists of
// identifiers meet for certain, others only if they meet in one journey.
func (o *oracle) checkLedger() string {
	l := o.w.ledger
	if sum := l.Applied + l.Duplicate + l.Forgotten + l.Shared; sum != int64(len(o.s.inputs)) {
		return fmt.Sprintf("ledger %+v counts %d of %d messages", l, sum, len(o.s.inputs))
	}
	if l.Conflict > l.Duplicate {
		return fmt.Sprintf("ledger %+v: more conflicts than duplicates", l)
	}
	if o.forget || o.shared {
		return ""
	}
	var least, most, conflicts int64
	type group struct{ lists, copies, events map[string]int }
	g := group{map[string]int{}, map[string]int{}, map[string]int{}}
	statements := map[string]int{}
	for _, in := range o.s.inputs {
		switch in.kind {
		case touch:
			list := fmt.Sprint(in.event, in.ids)
			g.events[in.event]++
			g.lists[list]++
			if copy := fmt.Sprint(list, in.at, in.body); g.copies[copy] == 0 {
				g.copies[copy]++
				conflicts++
			}
		case conversion, refund:
			statements[fmt.Sprint(in.kind, in.conversion, in.event)]++
		}
	}
	for _, n := range statements {
		least += int64(n - 1)
		most += int64(n - 1)
	}
	for _, n := range g.lists {
		least += int64(n - 1)
		conflicts--
	}
	for _, n := range g.events {
		most += int64(n - 1)
	}
	if l.Duplicate < least || l.Duplicate > most || l.Forgotten+l.Shared > 0 || l.Conflict < conflicts {
		return fmt.Sprintf("ledger %+v: duplicates are %d to %d, conflicts at least %d", l, least, most, conflicts)
	}
	return ""
}

// forest is union-find without tricks.
type forest []int

func newForest(n int) forest {
	f := make(forest, n)
	for i := range f {
		f[i] = i
	}
	return f
}

func (f forest) find(x int) int {
	for f[x] != x {
		x = f[x]
	}
	return x
}

func (f forest) join(ids ...int) {
	for _, x := range ids[min(1, len(ids)):] {
		f[f.find(ids[0])] = f.find(x)
	}
}
