package identity

import "tributary/schemas"

// order is an erasure or a rebuild under way.
type order struct {
	cut     schemas.Millis // what is up to it is forgotten; 0: nothing is, the tree only rebuilds itself
	request string         // who asked for it; "" if nobody did
}

func orderOf(m *Message) order { return order{m.Time, m.Request} }

// spread tells another identifier to forget as well.
func (s *step) spread(to ID, o order) {
	s.send(Message{Kind: KindForget, To: Ref{ID: to}, Time: o.cut, Request: o.request})
}

// forget erases what names x up to the cut, in the whole tree of x.
func (s *step) forget(x ID, o order, fresh bool) {
	s.count(fresh, &s.out.Ledger.Applied)
	n := s.rows.Node(x)
	switch {
	case o.cut <= n.Cut:
	case n.Shared && n.Root(): // alone; before, this waits behind the kill that sets it free
		n.Cut = o.cut
		s.rows.PutNode(x, n)
		s.receipt(Receipt{Request: o.request, Cut: o.cut, Facts: s.forgetKept(x, o.cut)}) // it held nothing of anybody
	default:
		s.kill(Ref{x, n.Gen}, o, x)
	}
}

// kill climbs to the root and dissolves the tree.
func (s *step) kill(t Ref, o order, origin ID) {
	n := s.rows.Node(t.ID)
	switch {
	case dead(t, n):
		if o.cut > 0 {
			s.spread(origin, o)
		}
	case !n.Root():
		s.send(Message{Kind: KindKill, To: n.Parent, Time: o.cut, Origin: origin, Request: o.request})
	default:
		s.dissolve(t.ID, o, origin)
	}
}

// dissolve ends the tree of a root: every member begins a new incarnation, what is forgotten is dropped, and every other
// fact goes home.
func (s *step) dissolve(root ID, o order, origin ID) {
	members := s.rows.Members(root)
	facts := s.rows.Facts(root)
	helds := s.rows.Helds(root)
	s.clearJourney(root, members, facts, helds)

	in := make(map[ID]bool, len(members)+1)
	in[root] = true
	for _, m := range members {
		in[m.ID] = true
		s.send(Message{Kind: KindReset, To: m, Time: o.cut, Request: o.request})
	}
	if !in[origin] && o.cut > 0 { // the kill overtook its origin's membership
		s.spread(origin, o)
	}
	s.reset(root, o)

	// Delete here only what its home will refuse as well; a fact that overtook the membership of its home goes home,
	// where the home's own cut decides.
	done := Receipt{Request: o.request, Cut: o.cut, Identifiers: len(in)}
	for _, f := range facts {
		if f.At > o.cut || !in[f.Home] {
			s.factHome(f, false)
		} else {
			done.Facts++
		}
	}
	for _, h := range helds {
		if h.Terms.Since <= o.cut && in[h.Home] {
			s.drop(h, o)
			done.Conversions++
		} else {
			s.heldHome(h)
		}
	}
	if o.cut > 0 {
		s.receipt(done)
	}
}

// end ends an incarnation whose tree died. If the identifier left that tree meanwhile, it still has to forget.
func (s *step) end(x Ref, o order) {
	switch {
	case s.rows.Node(x.ID).Gen == x.Gen:
		s.reset(x.ID, o)
	case o.cut > 0:
		s.forget(x.ID, o, false)
	}
}

// reset begins a new incarnation of x, alone, and announces the edges that remain.
func (s *step) reset(x ID, o order) {
	n := s.rows.Node(x)
	if !n.Root() {
		s.out.Withdrawn = append(s.out.Withdrawn, Customer{x, n.Cut})
	}
	n = Node{Gen: n.Gen + 1, Cut: max(n.Cut, o.cut), Shared: n.Shared, Reason: n.Reason}
	if n.Shared {
		s.rows.PutNode(x, n)
		s.forgetKept(x, o.cut)
		return
	}
	s.rows.DeleteSeen(x)
	for _, nb := range s.rows.Neighbours(x) {
		if nb.First <= o.cut { // a shared one has it among its candidates, without a link
			s.spread(nb.ID, o)
		}
		if nb.Last <= o.cut {
			s.rows.DeleteNeighbour(x, nb.ID)
			continue
		}
		if counted(x, nb.ID) {
			n.Degree++
		}
		if nb.First <= o.cut {
			nb.First = o.cut + 1
			s.rows.PutNeighbour(x, nb)
		}
		if !nb.Link {
			continue
		}
		s.send(Message{Kind: KindEdge, To: Ref{ID: nb.ID}, From: Ref{x, n.Gen}, Time: nb.First, Last: nb.Last})
	}
	s.rows.PutNode(x, n)
}

func (s *step) receipt(r Receipt) { s.out.Receipts = append(s.out.Receipts, r) }
