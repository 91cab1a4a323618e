package identity

import (
	"slices"

	"tributary/schemas"
)

// What nobody has heard of for the retention goes. Events go one by one, by their own time, and are the caller's to delete
// where they are touches. This file is about what the events leave behind: identifiers, links, conversions, consents.
//
// An identifier goes by itself, from the leaves of its tree to the root, so that no pointer ever leads to nobody:
//
//	the root a has no event of c, nor a token              idle to c
//	c was not seen with anybody, and nobody points to it   c deletes its rows, leave to a
//	c is no member any more                                a deletes the membership
//
// A root that is alone and has nothing goes without asking. README.md has the argument.

// Ages says what is old.
type Ages struct {
	Events schemas.Millis // events before it are not kept
	// Links not seen since then are not kept, nor are identifiers. It is earlier than Events by at least Limits.Refresh: then
	// whatever still sees a link of which one end has nothing any more announces it anew.
	Links schemas.Millis
	// Conversions returns the time before which conversions of a name are not kept: Events or earlier. It must be set.
	Conversions func(name string) schemas.Millis
}

// Expired counts what was deleted because it is old.
type Expired struct {
	Identifiers int64
	Links       int64 // as one end has them
	Consents    int64
	Conversions int64
	Refunds     int64 // whose conversion never came, or had expired
}

// Sum adds o to e.
func (e *Expired) Sum(o Expired) {
	e.Identifiers += o.Identifiers
	e.Links += o.Links
	e.Consents += o.Consents
	e.Conversions += o.Conversions
	e.Refunds += o.Refunds
}

// expired reports whether an event of a time comes too late to be taken. What holds from its time on never does.
func (s *step) expired(at schemas.Millis, f *Fact) bool {
	return at < s.rows.Horizon() && (f == nil || !f.Standing)
}

// ExpireIdentifier deletes what an identifier has that is old, and begins what others must agree to.
func (m *Machine) ExpireIdentifier(rows Rows, x ID, a Ages, out *Effects) {
	s := step{Machine: m, rows: rows, out: out}
	n := rows.Node(x)
	links := s.expireLinks(x, &n, a.Links)
	if n.Root() && !n.Shared {
		s.expireJourney(x, n, links, a)
	}
}

// ExpireConversion deletes a conversion that is old and whose token rests here, and refunds without a conversion.
func (m *Machine) ExpireConversion(rows Rows, k ConversionKey, a Ages, out *Effects) {
	s := step{Machine: m, rows: rows, out: out}
	c, known := rows.Conversion(k)
	since := a.Conversions(c.Terms.Name)
	if c.Terms.Version == 0 { // only refunds, that wait
		since = a.Events
	} else if !c.Token.Final {
		return
	}
	if known && c.Erased == 0 && !c.Out && s.silent(k, since) {
		s.deleteConversion(k)
	}
}

// expireLinks deletes the neighbours that x was not seen with since a time, and returns how many are left.
func (s *step) expireLinks(x ID, n *Node, since schemas.Millis) (left int) {
	was := *n
	all := s.rows.Neighbours(x)
	left = len(all)
	for _, nb := range all {
		if nb.Last >= since {
			continue
		}
		s.rows.DeleteNeighbour(x, nb.ID)
		left--
		s.out.Expired.Links++
		if !n.Shared && counted(x, nb.ID) {
			n.Degree--
		}
	}
	if left < len(all) {
		s.rows.DeleteSeen(x) // it may have lists of whom is gone
	}
	if *n != was {
		s.rows.PutNode(x, *n)
	}
	return left
}

// expireJourney deletes what is old of a root's journey, asks members that nothing of it belongs to, and ends the root if
// nothing is left.
func (s *step) expireJourney(x ID, n Node, links int, a Ages) {
	facts, members := s.rows.Facts(x), s.rows.Members(x)
	var words []Fact // consents
	busy := map[ID]bool{}
	silent := true
	for _, f := range facts {
		if f.Standing {
			words = append(words, f)
		}
		if f.Standing && f.At < a.Events {
			continue
		}
		silent = false
		busy[f.Home] = true
		for _, id := range f.IDs {
			busy[id] = true
		}
	}
	for _, h := range s.expireTokens(x, a) {
		silent = false
		busy[h.Home] = true
	}
	s.expireWords(x, words, a.Events)
	if len(members) == 0 {
		if silent && links == 0 && n.Below == 0 {
			for _, f := range s.rows.Facts(x) {
				s.deleteWord(x, f)
			}
			s.deleteIdentifier(x, n)
		}
		return
	}
	for _, m := range members {
		if !busy[m.ID] {
			s.send(Message{Kind: KindIdle, To: m, Time: a.Links})
		}
	}
}

// expireTokens sends tokens that are old home for ever, and returns the others.
func (s *step) expireTokens(x ID, a Ages) (left []Held) {
	for _, h := range s.rows.Helds(x) {
		since := a.Conversions(h.Terms.Name)
		if !h.Final || h.Terms.At >= since {
			left = append(left, h)
			continue
		}
		s.rows.DeleteHeld(x, ConversionKeyOf(h.Conversion))
		s.send(Message{Kind: KindHome, Conversion: h.Conversion, Held: &h, Tried: -1, Time: since})
	}
	return left
}

// expireWords deletes old consents after which another, old as well, came in by the same identifier: of each identifier the
// last one stays, for whoever it belongs to after a split. They name nobody else any more.
func (s *step) expireWords(x ID, words []Fact, events schemas.Millis) {
	copies := deliveries(words)
	newest := map[ID]schemas.Millis{} // of the old ones, by home
	for _, f := range words {
		if f.At < events && copies[f.Event] == 1 {
			newest[f.Home] = max(newest[f.Home], f.At)
		}
	}
	for _, f := range words {
		if f.At < newest[f.Home] && copies[f.Event] == 1 {
			s.deleteWord(x, f)
		} else if f.At < events {
			s.rehome(x, f, f.Home)
		}
	}
}

// rehome makes a consent one that came in by an identifier, and names nobody else.
func (s *step) rehome(root ID, f Fact, home ID) {
	if f.Home == home && len(f.IDs) == 1 && f.IDs[0] == home {
		return
	}
	s.rows.DeleteFact(root, f)
	f.Home, f.IDs = home, []ID{home}
	s.rows.PutFact(root, f)
}

// deliveries counts the facts of each event. Of several the first counts, so they stay together.
func deliveries(facts []Fact) map[EventKey]int {
	n := map[EventKey]int{}
	for i := range facts {
		n[facts[i].Event]++
	}
	return n
}

// inherit gives the root the old consents of a member that leaves, if they are the last: they hold for the customer, not only
// for the identifier by which they came in. Others are deleted.
func (s *step) inherit(root, member ID) {
	var words []Fact
	last := schemas.Millis(0)
	for _, f := range s.rows.Facts(root) {
		if f.Standing && f.At < s.rows.Horizon() {
			words = append(words, f)
			last = f.At
		}
	}
	copies := deliveries(words)
	for _, f := range words {
		switch {
		case f.Home != member:
		case f.At < last && copies[f.Event] == 1:
			s.deleteWord(root, f)
		default:
			s.rehome(root, f, root)
		}
	}
}

func (s *step) deleteWord(x ID, f Fact) {
	s.rows.DeleteFact(x, f)
	s.out.Expired.Consents++
}

// idle lets a member leave its tree if it was not seen since a time either, and no identifier points to it.
func (s *step) idle(x Ref, since schemas.Millis) {
	n := s.rows.Node(x.ID)
	if n.Gen != x.Gen || n.Root() || n.Shared || n.Below > 0 || s.expireLinks(x.ID, &n, since) > 0 {
		return
	}
	s.out.Withdrawn = append(s.out.Withdrawn, Customer{x.ID, n.Cut})
	s.deleteIdentifier(x.ID, n)
	s.send(Message{Kind: KindLeave, To: n.Parent, From: x, Members: []Ref{x}})
}

// leave lets a root know that a member is gone. What arrived from it after it was asked goes home and begins anew with it.
func (s *step) leave(m *Message) {
	t, left := m.To, m.Members[0]
	n := s.rows.Node(t.ID)
	if dead(t, n) {
		return
	}
	if m.From != (Ref{}) {
		n.Below--
		s.rows.PutNode(t.ID, n)
	}
	if !n.Root() {
		s.send(Message{Kind: KindLeave, To: n.Parent, Members: m.Members})
		return
	}
	if have, _ := s.rows.Member(t.ID, left.ID); have != left { // it is back already
		return
	}
	s.rows.DeleteMember(t.ID, left.ID)
	n.Members--
	s.rows.PutNode(t.ID, n)
	s.inherit(t.ID, left.ID)
	for _, f := range s.rows.Facts(t.ID) {
		if f.Home == left.ID {
			s.rows.DeleteFact(t.ID, f)
			s.factHome(f, false)
		}
	}
	for _, h := range s.rows.Helds(t.ID) {
		if h.Home == left.ID {
			s.rows.DeleteHeld(t.ID, ConversionKeyOf(h.Conversion))
			s.heldHome(h)
		} else if !h.Final { // it may have lost a touch, and the number of members may decide the verdict
			s.dirty(Dirty{Root: t.ID, Conversion: h.Conversion, Since: h.Terms.At, Cause: CauseSplit})
		}
	}
}

// deleteIdentifier deletes the node of an identifier that has nothing else. Up to when it is forgotten stays: its name as a
// customer must not come back.
func (s *step) deleteIdentifier(x ID, n Node) {
	rest := Node{Gen: n.Gen, Cut: n.Cut}
	switch {
	case n.Cut == 0:
		if !s.rows.DeleteNode(x) {
			return
		}
	case n == rest:
		return
	default:
		rest.Gen++
		s.rows.PutNode(x, rest)
	}
	s.out.Expired.Identifiers++
}

// silent reports whether nothing that was said of a conversion is of a time or later.
func (s *step) silent(k ConversionKey, since schemas.Millis) bool {
	return !slices.ContainsFunc(s.rows.Statements(k), func(st Statement) bool { return st.At >= since })
}

// deleteConversion deletes what is known of a conversion.
func (s *step) deleteConversion(k ConversionKey) {
	c, _ := s.rows.Conversion(k)
	all := s.rows.Statements(k)
	for _, st := range all {
		s.rows.DeleteStatement(k, st.Key())
	}
	s.rows.DeleteConversion(k)
	if c.Terms.Version == 0 {
		s.out.Expired.Refunds += int64(len(all))
	} else {
		s.out.Expired.Conversions++
	}
}
