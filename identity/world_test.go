package identity

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"tributary/schemas"
)

// world is the state of all actors, and what the caller of Step does beside it: at the end of a batch it scores what Step
// called dirty, and nothing else.
type world struct {
	s       *scenario
	machine *Machine
	rows    *Memory
	fault   *fault
	effects Effects
	touched []*Message // of the open batch
	ended   []int      // conversions that expired in it
	ledger  Ledger
	wrong   string // the first violation
	trace   *[]string
	final   *rand.Rand // draws which answers become final; nil: none
	// backfill says that everything that comes from outside is a replay: final answers are revised as if they were not.
	backfill bool
}

// record is one revision of a conversion's answer, or an alias.
type record struct {
	conversion int
	revision   uint32
	digest     uint64
	deleted    bool
	final      bool
	revises    bool   // it may come after a final one
	expired    bool   // nothing is emitted: if the conversion comes again, it is another
	alias      *Alias // New None: withdrawn
}

// output is the output partition of the record, of n.
func (r record) output(n int) int {
	if r.alias != nil {
		return indexOf(r.alias.Old) % n
	}
	return r.conversion % n
}

func newWorld(s *scenario, f *fault) *world {
	if f == nil {
		f = &fault{}
	}
	return &world{s: s, machine: NewMachine(s.limits()), rows: NewMemory(), fault: f}
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		*w.trace = append(*w.trace, fmt.Sprintf(format, args...))
	}
}

// step lets the addressed actor handle m. What it sends waits in effects for the end of the batch.
func (w *world) step(m *Message) {
	if w.trace != nil {
		w.log("  %s", show(m))
	}
	w.order(m)
	sent := len(w.effects.Send)
	var rows Rows = w.rows
	if w.fault.rows != nil {
		rows = w.fault.rows(rows)
	}
	before := w.effects.Expired.Conversions
	switch {
	case m.Kind == 0:
		w.expire(rows, m)
	case w.fault.step == nil || !w.fault.step(rows, m):
		w.touched = append(w.touched, m)
		w.machine.Step(rows, m, &w.effects)
	}
	if w.effects.Expired.Conversions > before {
		w.ended = append(w.ended, conversionIndex(m.Conversion))
	}
	if w.fault.name == "" && m.Cause.RevisesFinal() {
		why := m.Cause
		if m.Kind == KindForget {
			why = CauseErasure
		}
		w.lasts(why, w.effects.Send[sent:])
	}
	if w.fault.sent != nil {
		w.effects.Send = append(w.effects.Send[:sent:sent], w.fault.sent(m, w.effects.Send[sent:])...)
	}
}

// lasts checks that what follows from a cause that revises final answers has that cause, too.
func (w *world) lasts(why Cause, sent []Message) {
	for i := range sent {
		if sent[i].Cause != why {
			w.fail("%s has the cause %d, what it follows from %d", show(&sent[i]), sent[i].Cause, why)
		}
	}
}

// order checks what holds since messages of a tree never overtake each other: a kill that reaches its root finds the
// member that it comes from, and terms come after their token.
func (w *world) order(m *Message) {
	if w.fault.name != "" {
		return
	}
	switch m.Kind {
	case KindKill:
		n := w.rows.Node(m.To.ID)
		if !n.Root() || dead(m.To, n) || m.Origin == m.To.ID {
			return
		}
		for _, x := range w.rows.Members(m.To.ID) {
			if x.ID == m.Origin {
				return
			}
		}
		w.fail("a kill overtook the membership of its origin: %s", show(m))
	}
}

// endBatch scores and returns what the batch sends and emits.
func (w *world) endBatch() (send []Message, emit []record) {
	for _, d := range w.effects.Deleted {
		emit = append(emit, record{conversion: conversionIndex(d.Conversion), revision: d.Revision, deleted: true})
	}
	for _, a := range w.effects.Aliases {
		emit = append(emit, record{alias: &a})
	}
	for _, c := range w.effects.Withdrawn {
		emit = append(emit, record{alias: &Alias{Old: c.Root, OldCut: c.Cut}})
	}
	for _, c := range w.ended {
		emit = append(emit, record{conversion: c, expired: true})
	}
	w.ended = nil
	dirty := w.effects.Dirty
	if w.fault.dirty != nil {
		dirty = w.fault.dirty(dirty)
	}
	for _, d := range dirty {
		emit = w.score(d, emit)
	}
	if w.fault.name == "" {
		w.complete()
	}
	w.ledger.Sum(w.effects.Ledger)
	send, w.effects.Send = w.effects.Send, nil // under way from now on
	w.effects.Reset()
	w.touched = w.touched[:0]
	return send, emit
}

func (w *world) score(d Dirty, emit []record) []record {
	if d.Root == None {
		k := ConversionKeyOf(d.Conversion)
		if c, _ := w.rows.Conversion(k); c.Parked && !stays(&c.Token, d.Cause) && w.s.rules.update(&c.Token, nil, nil, 0) {
			emit = w.revise(&c.Token, d.Cause, emit)
			w.rows.PutConversion(k, c)
		}
		return emit
	}
	n := w.rows.Node(d.Root)
	helds := w.rows.Helds(d.Root)
	if len(helds) == 0 {
		return emit
	}
	facts := w.rows.Facts(d.Root)
	for _, h := range helds {
		if !h.Custody || h.Terms.At < d.Since || !w.s.rules.across && d.Conversion != "" && d.Conversion != h.Conversion {
			continue
		}
		if !stays(&h, d.Cause) && w.s.rules.update(&h, helds, facts, int(n.Members)+1) {
			emit = w.revise(&h, d.Cause, emit)
			w.rows.PutHeld(d.Root, h)
		}
	}
	return emit
}

// revise emits a new revision, and sometimes a final one after it.
func (w *world) revise(h *Held, why Cause, emit []record) []record {
	emit = append(emit, recordOf(*h, why))
	if w.final != nil && !h.Final && w.final.IntN(3) == 0 {
		h.Revision++
		h.Final = true
		emit = append(emit, recordOf(*h, why))
	}
	return emit
}

// stays reports whether the answer is final and this is no reason to revise it.
func stays(h *Held, why Cause) bool { return h.Final && !why.RevisesFinal() }

// complete checks that what was not called dirty did not change.
func (w *world) complete() {
	replayed := CauseNone
	if w.backfill {
		replayed = CauseBackfill
	}
	for _, m := range w.touched {
		if m.ToConversion() {
			if c, _ := w.rows.Conversion(ConversionKeyOf(m.Conversion)); c.Parked && !stays(&c.Token, replayed) && w.s.rules.update(&c.Token, nil, nil, 0) {
				w.fail("the parked token of %s has another answer and was not called dirty", m.Conversion)
			}
			continue
		}
		id := m.To.ID
		helds := w.rows.Helds(id)
		if len(helds) == 0 {
			continue
		}
		facts, people := w.rows.Facts(id), len(w.rows.Members(id))+1
		for _, h := range helds {
			if h.Custody && !stays(&h, replayed) && w.s.rules.update(&h, helds, facts, people) {
				w.fail("%s at root %s has another answer and was not called dirty", h.Conversion, initial(id))
			}
		}
	}
}

func recordOf(h Held, why Cause) record {
	return record{conversion: conversionIndex(h.Conversion), revision: h.Revision, digest: h.Digest, final: h.Final, revises: why.RevisesFinal()}
}

// rules stand for scoring: pure functions of a journey.
type rules struct {
	since    schemas.Millis // touches and other conversions before it do not count
	oversize int            // more identifiers than this give one fixed answer; 0: no limit
	across   bool           // a conversion's answer depends on the earlier conversions of its journey, too
}

// update gives h a new revision if its answer is another one.
func (r rules) update(h *Held, helds []Held, facts []Fact, people int) bool {
	d := r.digest(h.Conversion, h.Terms, helds, facts, people)
	if h.Revision > 0 && h.Digest == d {
		return false
	}
	h.Revision++
	h.Digest = d
	return true
}

// digest is the answer: it depends on the terms, on each touch up to the conversion (of deliveries with one event id, the
// one with the smallest time and content), and on what the rules say. It does not depend on the order of what it is given.
func (r rules) digest(conversion string, t Terms, helds []Held, facts []Fact, people int) uint64 {
	sum := fnv(fnvOffset, []byte(t.EventID))
	sum = mix(sum, uint64(t.At), uint64(t.Value.Minor), uint64(t.NetMinor))
	if r.oversize > 0 && people > r.oversize {
		return sum
	}
	sum++
	for i, f := range facts {
		if f.At <= t.At && f.At >= r.since && !f.Standing && counts(facts, i) {
			sum += fnv(mix(fnvOffset, uint64(f.At)), append(f.Event[:], f.Body...))
		}
	}
	if !r.across {
		return sum
	}
	for _, h := range helds {
		if h.Conversion != conversion && h.Custody && h.Terms.At <= t.At {
			sum += mix(fnv(fnvOffset, []byte(h.Conversion)), uint64(h.Terms.At))
		}
	}
	return sum
}

// counts reports whether facts[i] is the delivery of its event that counts.
func counts(facts []Fact, i int) bool {
	for j := range facts {
		if j == i || facts[j].Event != facts[i].Event {
			continue
		}
		c := compareMillis(facts[j].At, facts[i].At)
		if c == 0 {
			c = bytes.Compare(facts[j].Body, facts[i].Body)
		}
		if c < 0 || c == 0 && j < i {
			return false
		}
	}
	return true
}

func mix(h uint64, words ...uint64) uint64 {
	for _, x := range words {
		h = (h ^ x) * fnvPrime
		h ^= h >> 29
	}
	return h
}

// reader is whoever reads the records and keeps the newest of each key.
type reader struct {
	answers []answer
	aliases map[Customer]Customer // nil: does not care
}

// answer is the newest record of a conversion.
type answer struct {
	revision uint32
	digest   uint64
	deleted  bool
	final    bool
}

func newReader(s *scenario) reader {
	return reader{answers: make([]answer, s.conversions), aliases: map[Customer]Customer{}}
}

// read lets the reader see r.
func (w *world) read(by *reader, r record) {
	if r.alias != nil {
		w.readAlias(by, *r.alias)
		return
	}
	c := conversionName(r.conversion)
	switch {
	case r.expired:
		by.answers[r.conversion] = answer{}
		return
	case r.deleted:
		w.log("    record of %s: revision %d, deleted", c, r.revision)
	case r.final:
		w.log("    record of %s: revision %d, %04x, final", c, r.revision, r.digest&0xffff)
	default:
		w.log("    record of %s: revision %d, %04x", c, r.revision, r.digest&0xffff)
	}
	a := &by.answers[r.conversion]
	switch {
	case r.revision <= a.revision:
		w.fail("%s: revision %d came after revision %d", c, r.revision, a.revision)
	case a.deleted:
		w.fail("%s: revision %d came after its deletion", c, r.revision)
	case a.final && !r.deleted && !r.revises:
		w.fail("%s: revision %d came after a final one", c, r.revision)
	case a.revision > 0 && !r.deleted && a.final == r.final && a.digest == r.digest:
		w.fail("%s: revision %d says nothing new", c, r.revision)
	}
	*a = answer{r.revision, r.digest, r.deleted, r.final}
}

func (w *world) readAlias(by *reader, a Alias) {
	if by.aliases == nil {
		return
	}
	old := Customer{a.Old, a.OldCut}
	if a.New == None {
		w.log("    customer %s is itself again", initial(a.Old))
		delete(by.aliases, old)
		return
	}
	w.log("    customer %s goes on as %s", initial(a.Old), initial(a.New))
	by.aliases[old] = Customer{a.New, a.NewCut}
}

// invariant checks what holds in every state: a pointer points to a smaller identifier and holds no journey; counters
// equal what they count; a membership and a token are in one place, in rows or under way.
func (w *world) invariant(underWay func(yield func(*Message) bool)) string {
	members := map[Ref]int{}
	tokens := make([]int, w.s.conversions)
	resets := map[Ref]int{}
	hold := func(hs []Held) {
		for _, h := range hs {
			if h.Custody {
				tokens[conversionIndex(h.Conversion)]++
			}
		}
	}
	for i := range w.s.identifiers {
		id := testIDs[i]
		n := w.rows.Node(id)
		below, helds := w.rows.Members(id), w.rows.Helds(id)
		if n.Root() {
			members[Ref{id, n.Gen}]++
		} else {
			if !n.Parent.Less(Ref{ID: id}) {
				return fmt.Sprintf("pointer of %s goes to %s", name(i), initial(n.Parent.ID))
			}
			if len(below)+len(helds)+len(w.rows.Facts(id)) > 0 {
				return fmt.Sprintf("pointer %s holds a journey", name(i))
			}
		}
		if int(n.Members) != len(below) {
			return fmt.Sprintf("%s counts %d members and has %d", name(i), n.Members, len(below))
		}
		neighbours := w.rows.Neighbours(id)
		neighbours = slices.DeleteFunc(neighbours, func(nb Neighbour) bool { return nb.ID.Key() != id.Key() })
		if !n.Shared && int(n.Degree) != len(neighbours) {
			return fmt.Sprintf("%s counts %d neighbours and has %d", name(i), n.Degree, len(neighbours))
		}
		for _, m := range below {
			members[m]++
		}
		hold(helds)
		for _, h := range helds {
			if h.Terms.At > n.Latest {
				return fmt.Sprintf("%s holds a conversion at %d and says the latest is at %d", name(i), h.Terms.At, n.Latest)
			}
		}
	}
	for i := range w.s.conversions {
		c, _ := w.rows.Conversion(ConversionKeyOf(conversionName(i)))
		if c.Parked {
			tokens[i]++
		}
	}
	for m := range underWay {
		if m.Kind == KindPut {
			for _, x := range m.Members {
				members[x]++
			}
		}
		hold(m.Helds)
		if m.Held != nil {
			hold([]Held{*m.Held})
		}
		if m.Kind == KindReset {
			resets[m.To]++
		}
	}
	for i, n := range tokens {
		if n > 1 {
			return fmt.Sprintf("token of %s in %d places", conversionName(i), n)
		}
	}
	for x, n := range members {
		if n > 1 {
			return fmt.Sprintf("membership %s in %d places", refString(x), n)
		}
	}
	for i := range w.s.identifiers { // a membership is never lost: it is somewhere, or its reset is on the way
		x := Ref{testIDs[i], w.rows.Node(testIDs[i]).Gen}
		if members[x]+resets[x] == 0 {
			return fmt.Sprintf("membership %s is nowhere", refString(x))
		}
	}
	return ""
}

// show is a message in a trace, with identifiers as numbers.
func show(m *Message) string {
	var b strings.Builder
	if m.Kind == 0 {
		b.WriteString("expire")
	} else {
		fmt.Fprintf(&b, "%s", m.Kind)
	}
	if m.ToConversion() || m.To.ID == None {
		fmt.Fprintf(&b, " to %s", m.Conversion)
	} else {
		fmt.Fprintf(&b, " to %s", refString(m.To))
	}
	if m.From != (Ref{}) {
		fmt.Fprintf(&b, " from %s", refString(m.From))
	}
	if m.Time != 0 {
		fmt.Fprintf(&b, " @%d", int64(m.Time))
	}
	if m.Last != 0 {
		fmt.Fprintf(&b, "-%d", int64(m.Last))
	}
	if m.IDs != nil {
		fmt.Fprintf(&b, " ids")
		for i, id := range m.IDs {
			mark := ""
			if i == m.Index && m.Kind == KindEvent {
				mark = "*"
			}
			fmt.Fprintf(&b, " %s%s", initial(id), mark)
		}
	}
	if m.Origin != None {
		fmt.Fprintf(&b, " origin %s", initial(m.Origin))
	}
	if m.Tried != 0 {
		fmt.Fprintf(&b, " tried %d", m.Tried)
	}
	if m.Gone {
		fmt.Fprintf(&b, " gone")
	}
	if m.Statement != nil {
		fmt.Fprintf(&b, " statement %s@%d", m.Statement.EventID, int64(m.Statement.At))
	}
	facts, helds := m.Facts, m.Helds
	if m.Fact != nil {
		facts = []Fact{*m.Fact}
	}
	if m.Held != nil {
		helds = []Held{*m.Held}
	}
	for _, f := range facts {
		fmt.Fprintf(&b, " fact %x@%d", f.Event[:2], int64(f.At))
	}
	for _, h := range helds {
		kind := "terms"
		if h.Custody {
			kind = "token"
		}
		fmt.Fprintf(&b, " %s of %s v%d r%d since %d", kind, h.Conversion, h.Terms.Version, h.Revision, int64(h.Terms.Since))
		if h.Terms.Erased {
			b.WriteString(" erased")
		}
	}
	for _, x := range m.Members {
		fmt.Fprintf(&b, " member %s", refString(x))
	}
	return b.String()
}

func refString(r Ref) string { return fmt.Sprintf("%s.%d", initial(r.ID), r.Gen) }

// fault switches one rule of the protocol off.
type fault struct {
	name  string
	rows  func(Rows) Rows                              // rows as the faulty machine sees them
	step  func(Rows, *Message) bool                    // handles a message in the machine's place
	sent  func(by *Message, sends []Message) []Message // what a step sends
	dirty func([]Dirty) []Dirty
	races bool // the last two messages of a queue change places
}
