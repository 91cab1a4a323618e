package identity

import (
	"slices"
	"time"

	"tributary/schemas"
)

// Limits bound what one identifier and one customer can hold together.
type Limits struct {
	// Neighbours is the largest number of different identifiers that one identifier of a class may be seen with; with one
	// more it is shared. NeighboursOf is the same for those of one class alone: its second index. 0 means no limit.
	//
	// Counted are neighbours under the identifier's own key: while keys rotate, one value stands there under two.
	Neighbours   [Classes]uint32
	NeighboursOf [Classes][Classes]uint32
	// ChunkBytes bounds the facts of one Put message, roughly; at least one fact goes in each. 0: DefaultChunkBytes.
	ChunkBytes int
	// Kept bounds the touches, and the candidates, that a shared identifier keeps. 0: DefaultKept.
	Kept int
	// Refresh is how often a link that goes on being seen is announced again, in time of events. So both ends know, but for so
	// long, when it was last seen. 0: only once.
	Refresh time.Duration
}

// Classes is the number of classes for which limits can be set: the ranks of the standard types, and one for all that are
// weaker. Index 0 is of no use.
const Classes = RankOther + 1

// class is the place of an identifier's limits.
func class(id ID) int { return int(min(id.Rank(), RankOther)) }

// className is the standard type whose rank a class is, or other.
func className(class int) string {
	if class <= len(standardTypes) {
		return standardTypes[class-1].Name
	}
	return "other"
}

// DefaultChunkBytes keeps a Put well below Kafka's default record limit of 1 MiB.
const DefaultChunkBytes = 128 << 10

// Machine is the actor protocol. It holds no state: rows and messages are all there is.
type Machine struct {
	limits Limits
}

// NewMachine returns the protocol under these limits.
func NewMachine(l Limits) *Machine {
	if l.ChunkBytes <= 0 {
		l.ChunkBytes = DefaultChunkBytes
	}
	if l.Kept <= 0 {
		l.Kept = DefaultKept
	}
	return &Machine{limits: l}
}

// Step handles one message to its end: it changes rows of the addressed actor, which belong to the partition of the
// message, and adds to out what follows. The same rows and message always give the same changes and effects. Messages of
// one sending partition to one receiving partition must be handled in the order in which they were sent; nothing else is
// assumed of the order.
func (m *Machine) Step(rows Rows, msg *Message, out *Effects) {
	s := step{Machine: m, rows: rows, out: out, cause: lasting(msg)}
	switch msg.Kind {
	case KindConversion:
		s.conversion(msg)
	case KindHome:
		s.home(msg)
	case KindErase:
		s.erase(msg)
	case KindEvent:
		s.event(msg)
	case KindEdge:
		s.edge(msg)
	case KindLink:
		s.link(msg.To, msg.From)
	case KindPut:
		s.put(msg)
	case KindForget:
		s.forget(msg.To.ID, orderOf(msg), msg.Fresh)
	case KindKill:
		s.kill(msg.To, orderOf(msg), msg.Origin)
	case KindReset:
		s.end(msg.To, orderOf(msg))
	case KindShare:
		s.share(msg.To.ID, ReasonDeclared, msg.Request)
		if msg.Fresh {
			s.out.Ledger.Applied++
		}
	case KindKeep:
		s.keep(msg.To.ID, *msg.Fact)
	case KindIdle:
		s.idle(msg.To, msg.Time)
	case KindLeave:
		s.leave(msg)
	}
}

// step is one call of Step.
type step struct {
	*Machine
	rows Rows
	out  *Effects
	over Reason // the addressed identifier met more neighbours than it may; ReasonDeclared: it did not
	// cause is that of everything that follows; CauseNone: each says its own.
	cause Cause
}

// lasting is the cause of everything that follows from m, if it has one. A forget that is replayed is an erasure like any
// other.
func lasting(m *Message) Cause {
	switch {
	case m.Kind == KindForget:
		return CauseErasure
	case m.Cause.RevisesFinal():
		return m.Cause
	default:
		return CauseNone
	}
}

func (s *step) send(m Message) {
	m.Cause = cause(s.cause, m.Cause)
	s.out.Send = append(s.out.Send, m)
}

// event lets a delivery enter at the identifier it is addressed to, or passes it to the next if that one is shared.
func (s *step) event(m *Message) {
	if m.Held == nil && s.expired(m.Time, m.Fact) {
		s.count(m.Fresh, &s.out.Ledger.Expired)
		return
	}
	p := m.To.ID
	n := s.rows.Node(p)
	if n.Shared {
		s.eventAtShared(n, m)
		return
	}
	if erased(m.Held) { // only looks for its token: it has no time, and no part in edges
		s.put(&Message{Kind: KindPut, To: Ref{p, n.Gen}, Helds: []Held{*m.Held}, Cause: m.Cause})
		return
	}
	if n.Forgotten(m.Time) {
		for _, q := range m.IDs { // those before it are shared, and have it among their candidates
			if q != p {
				s.spread(q, order{cut: n.Cut})
			}
		}
		s.count(m.Fresh, &s.out.Ledger.Forgotten)
		if m.Held != nil {
			s.drop(*m.Held, order{cut: n.Cut})
		}
		return
	}
	old := m.Time < s.rows.Horizon() // it links nobody
	if len(m.IDs) > 1 && !old && s.meet(p, n, m) {
		s.event(m) // it became shared
		return
	}
	put := Message{Kind: KindPut, To: Ref{p, n.Gen}, Cause: m.Cause, Fresh: m.Fresh}
	switch {
	case m.Fact != nil:
		f := *m.Fact
		f.IDs, f.Home = m.IDs, p
		if old {
			f.IDs = []ID{p}
		}
		put.Facts = []Fact{f}
	case m.Held != nil:
		h := *m.Held
		h.Home = p
		put.Helds = []Held{h}
	default:
		s.count(m.Fresh, &s.out.Ledger.Applied)
		s.linkRest(m)
		return
	}
	s.put(&put)
}

// linkRest lets an event that is edges only go on to its next identifier, so that all of its identifiers are linked with
// each other. What carries a fact or token need not: should the identifier in the middle of the star become shared, they
// come home and link the others. Here nothing would.
func (s *step) linkRest(m *Message) {
	if m.Index+2 < len(m.IDs) {
		next := *m
		next.Fresh = false
		s.pass(next)
	}
}

// pass sends an event on to its next identifier.
func (s *step) pass(m Message) {
	m.Index++
	m.To = Ref{ID: m.IDs[m.Index]}
	s.send(m)
}

// meet notes the identifiers that p was seen with and announces new edges. It reports whether p became shared by it.
func (s *step) meet(p ID, n Node, m *Message) (shared bool) {
	fresh := false
	if len(m.IDs) > 2 { // of two, the neighbour row itself says whether the list was seen
		list := listHash(m.IDs)
		if fresh = !s.rows.Seen(p, list); fresh {
			s.rows.PutSeen(p, list)
		}
	}
	var again []ID
	for j, q := range m.IDs {
		if q != p && s.note(p, &n, q, m.Time, j > m.Index) && j > m.Index {
			again = append(again, q)
		}
	}
	if s.over != 0 {
		s.share(p, s.over, "")
		return true
	}
	for _, q := range m.IDs[m.Index+1:] {
		if fresh || slices.Contains(again, q) {
			s.send(Message{Kind: KindEdge, To: Ref{ID: q}, From: Ref{p, n.Gen}, Time: m.Time, Last: m.Time, IDs: m.IDs})
		}
	}
	return false
}

// note records in p's rows that it was seen with u at t. It reports whether the other end should hear of it: the
// neighbour is new, its announced edge got an earlier first time, or it was not seen for long.
func (s *step) note(p ID, n *Node, u ID, t schemas.Millis, link bool) (news bool) {
	nb, known := s.rows.Neighbour(p, u)
	was := nb
	switch {
	case !known:
		nb = Neighbour{ID: u, First: t, Last: t, Link: link}
		news = true
	case nb.Link && !link: // no news, but whoever forgets has to know that the other one may remember
		nb.First, nb.Last = min(nb.First, t), max(nb.Last, t)
	case link && !nb.Link:
		nb = Neighbour{ID: u, First: t, Last: t, Link: true}
		news = true
	default:
		news = t < nb.First || s.refreshes(nb.Last, t)
		nb.First, nb.Last = min(nb.First, t), max(nb.Last, t)
	}
	if nb != was {
		s.rows.PutNeighbour(p, nb)
	}
	if known {
		return news
	}
	if counted(p, u) {
		n.Degree++
		if s.over == 0 {
			s.over = s.tooMany(p, *n, u)
		}
	}
	s.rows.PutNode(p, *n) // from now on others may know its incarnation
	return news
}

// refreshes reports whether a link last seen at one time and now at another is to be announced again: once in each period.
func (s *step) refreshes(last, now schemas.Millis) bool {
	period := schemas.Millis(s.limits.Refresh.Milliseconds())
	return period > 0 && now/period > last/period
}

// counted reports whether u is a neighbour that limits count: under a key that p has, too.
func counted(p, u ID) bool { return p.Key() == u.Key() }

// tooMany is which limit of p is exceeded now that it met u; 0: none.
func (s *step) tooMany(p ID, n Node, u ID) Reason {
	if limit := s.limits.Neighbours[class(p)]; limit > 0 && n.Degree > limit {
		return ReasonLimit
	}
	limit := s.limits.NeighboursOf[class(p)][class(u)]
	if limit == 0 || n.Degree <= limit {
		return 0
	}
	// The neighbours are their own count, which a change of the settings cannot make wrong. They are looked through once
	// for each neighbour of a limited class, and after the limit never again.
	alike := uint32(0)
	for _, nb := range s.rows.Neighbours(p) {
		if class(nb.ID) == class(u) && counted(p, nb.ID) {
			alike++
		}
	}
	if alike > limit {
		return ReasonLimitOf + Reason(class(u))
	}
	return 0
}

// edge hears from the other end that both were seen together.
func (s *step) edge(m *Message) {
	v := m.To.ID
	n := s.rows.Node(v)
	if n.Shared {
		s.sighted(v, n, append(slices.Clip(m.IDs), m.From.ID), m.Time, m.Last)
		return
	}
	if n.Forgotten(m.Time) {
		s.spread(m.From.ID, order{cut: n.Cut})
		for _, u := range m.IDs { // the others would hear of it by way of that one, if it were not shared
			if u != v && u != m.From.ID {
				s.spread(u, order{cut: n.Cut})
			}
		}
		return
	}
	for _, u := range m.IDs {
		if u != v {
			s.note(v, &n, u, m.Time, u == m.From.ID)
		}
	}
	s.note(v, &n, m.From.ID, m.Time, true)
	s.note(v, &n, m.From.ID, m.Last, true)
	if s.over != 0 {
		s.share(v, s.over, "")
		return
	}
	s.link(Ref{v, n.Gen}, m.From)
}

func dead(t Ref, n Node) bool { return t.Gen < n.Gen }

// link unites the trees of two incarnations: the larger root becomes a pointer to the smaller end.
func (s *step) link(t, other Ref) {
	n := s.rows.Node(t.ID)
	switch {
	case dead(t, n): // the end on the dead side will announce its edges again
	case t.ID == other.ID:
	case !n.Root():
		if n.Parent != other {
			s.send(Message{Kind: KindLink, To: n.Parent, From: other})
		}
	case t.Less(other):
		s.send(Message{Kind: KindLink, To: other, From: t})
	default:
		s.absorb(t, n, other)
	}
}

// put brings facts, tokens and members to the tree of an incarnation.
func (s *step) put(m *Message) {
	t := m.To
	n := s.rows.Node(t.ID)
	if dead(t, n) { // members get new incarnations, facts go home
		for _, x := range m.Members {
			s.send(Message{Kind: KindReset, To: x})
		}
		for _, f := range m.Facts {
			s.factHome(f, m.Fresh)
		}
		for _, h := range m.Helds {
			s.heldHome(h)
		}
		return
	}
	if m.From != (Ref{}) { // it points here from now on
		n.Below++
		s.rows.PutNode(t.ID, n)
	}
	if !n.Root() {
		next := *m
		next.To, next.From = n.Parent, Ref{}
		s.send(next)
		return
	}
	s.settle(t.ID, n, m)
}

// settle writes what a put brought into the journey of a root.
func (s *step) settle(root ID, n Node, m *Message) {
	was := n
	if m.Absorbed != (Ref{}) {
		s.out.Aliases = append(s.out.Aliases, Alias{Old: m.Absorbed.ID, OldCut: m.Time, New: root, NewCut: n.Cut})
	}
	for _, x := range m.Members {
		have, again := s.rows.Member(root, x.ID)
		if !again {
			n.Members++
		}
		if !again || have.Gen < x.Gen { // else it left where this comes from, and is back here before that was heard
			s.rows.PutMember(root, x)
		}
	}
	for _, f := range m.Facts {
		if s.expired(f.At, &f) {
			s.count(m.Fresh, &s.out.Ledger.Expired)
			continue
		}
		met := s.rows.PutFact(root, f)
		if m.Fresh {
			switch met {
			case MetNothing:
				s.out.Ledger.Applied++
			case MetConflict:
				s.out.Ledger.Conflict++
				s.out.Ledger.Duplicate++
			case MetEqual:
				s.out.Ledger.Duplicate++
			}
		}
		if met != MetEqual && f.At <= n.Latest {
			d := Dirty{Root: root, Since: f.At, Cause: cause(m.Cause, CauseLateEvent)}
			if met == MetConflict {
				d.Cause = cause(m.Cause, CauseDuplicate)
			}
			if met == MetConflict || f.Standing { // the delivery that counted until now may have another time
				d.Since = 0
			}
			s.dirty(d)
		}
	}
	for _, h := range m.Helds {
		if latest := s.hold(root, h, m.Cause); latest > n.Latest {
			n.Latest = latest
		}
	}
	if len(m.Members) > 0 && n.Latest > 0 { // the number of members may decide the verdict
		s.dirty(Dirty{Root: root, Cause: cause(m.Cause, CauseMerge)})
	}
	if n != was {
		s.rows.PutNode(root, n)
	}
}

// hold takes a token into a root's journey, or newer terms to a token that is there. Terms never overtake their token, for
// both go the same way: terms that find no token are late for one that went home, where its actor has them. It returns
// when the conversion happened, 0 if nothing changed or it is gone.
func (s *step) hold(root ID, in Held, why Cause) schemas.Millis {
	k := ConversionKeyOf(in.Conversion)
	h, since := in, in.Terms.At
	if !in.Custody {
		have, known := s.rows.Held(root, k)
		if !known || in.Terms.Version <= have.Terms.Version {
			return 0
		}
		if in.Terms.Erased {
			s.rows.DeleteHeld(root, k)
			s.deleted(have)
			s.dirty(Dirty{Root: root, Cause: CauseErasure}) // it kept sessions alive, or had the place of a first
			return 0
		}
		since = min(since, have.Terms.At)
		h = have
		h.Terms = in.Terms
	}
	s.rows.PutHeld(root, h)
	s.dirty(Dirty{Root: root, Conversion: in.Conversion, Since: since, Cause: cause(why, CauseConversion)})
	return h.Terms.At
}

// absorb makes the root t a pointer to the smaller incarnation and sends its journey there: members first, so that a
// forget between two parts finds whom it concerns, tokens last, so that none is scored on half a journey.
func (s *step) absorb(t Ref, n Node, to Ref) {
	members := append([]Ref{t}, s.rows.Members(t.ID)...)
	facts := s.rows.Facts(t.ID)
	helds := s.rows.Helds(t.ID)
	s.clearJourney(t.ID, members, facts, helds)
	n.Parent, n.Members, n.Latest = to, 0, 0
	s.rows.PutNode(t.ID, n)

	next := Message{Kind: KindPut, To: to, From: t, Time: n.Cut, Absorbed: t, Cause: CauseMerge}
	size := 0
	part := func(bytes int) {
		if size > 0 && size+bytes > s.limits.ChunkBytes {
			s.send(next)
			next = Message{Kind: KindPut, To: to, Cause: CauseMerge}
			size = 0
		}
		size += bytes
	}
	for _, m := range members {
		part(24)
		next.Members = append(next.Members, m)
	}
	for _, f := range facts {
		part(64 + 16*len(f.IDs) + len(f.Body))
		next.Facts = append(next.Facts, f)
	}
	for _, h := range helds {
		part(160 + len(h.Conversion) + len(h.Terms.EventID))
		next.Helds = append(next.Helds, h)
	}
	s.send(next)
}

// clearJourney deletes the rows of a journey. members may name the root itself, which has no row.
func (s *step) clearJourney(root ID, members []Ref, facts []Fact, helds []Held) {
	for _, m := range members {
		if m.ID != root {
			s.rows.DeleteMember(root, m.ID)
		}
	}
	for _, f := range facts {
		s.rows.DeleteFact(root, f)
	}
	for _, h := range helds {
		s.rows.DeleteHeld(root, ConversionKeyOf(h.Conversion))
	}
}

// factHome sends a fact back to where it entered, as if it had just arrived. A fresh one stays fresh: nobody has counted
// it yet.
func (s *step) factHome(f Fact, fresh bool) {
	ids := f.IDs
	f.IDs, f.Home = nil, None
	s.send(Message{Kind: KindEvent, To: Ref{ID: ids[0]}, Time: f.At, IDs: ids, Fact: &f, Fresh: fresh, Cause: CauseSplit})
}

// heldHome sends a token to its actor. Terms without a token are dropped: the actor has them.
func (s *step) heldHome(h Held) {
	if h.Custody {
		s.send(Message{Kind: KindHome, Conversion: h.Conversion, Held: &h, Tried: -1, Cause: CauseSplit})
	}
}

// drop ends a token or terms that are forgotten.
func (s *step) drop(h Held, o order) {
	if h.Custody {
		s.deleted(h)
	}
	s.send(Message{Kind: KindErase, Conversion: h.Conversion, Time: o.cut, Gone: h.Custody, Request: o.request})
}

// deleted emits the last revision of a token's conversion, if there was one before.
func (s *step) deleted(h Held) {
	if h.Revision > 0 {
		s.out.Deleted = append(s.out.Deleted, Deletion{Conversion: h.Conversion, Revision: h.Revision + 1})
	}
}

func (s *step) dirty(d Dirty) {
	d.Cause = cause(s.cause, d.Cause)
	s.out.Dirty = append(s.out.Dirty, d)
}

func (s *step) count(fresh bool, n *int64) {
	if fresh {
		*n++
	}
}

func erased(h *Held) bool { return h != nil && !h.Custody && h.Terms.Erased }

func cause(c, otherwise Cause) Cause {
	if c == CauseNone {
		return otherwise
	}
	return c
}
