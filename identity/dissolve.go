package identity

import "tributary/schemas"

// forget erases what names x up to cut, in the whole tree of x.
func (s *step) forget(x ID, cut schemas.Millis, fresh bool) {
	s.count(fresh, &s.out.Ledger.Applied)
	n := s.rows.Node(x)
	switch {
	case cut <= n.Cut:
	case n.Shared && n.Root(): // alone; before, this waits behind the kill that sets it free
		n.Cut = cut
		s.rows.PutNode(x, n)
		s.forgetKept(x, cut)
	default:
		s.kill(Ref{x, n.Gen}, cut, x)
	}
}

// kill climbs to the root and dissolves the tree. cut 0 forgets nothing: the tree only rebuilds itself from the facts and
// edges that remain.
func (s *step) kill(t Ref, cut schemas.Millis, origin ID) {
	n := s.rows.Node(t.ID)
	switch {
	case dead(t, n):
		if cut > 0 {
			s.send(Message{Kind: KindForget, To: Ref{ID: origin}, Time: cut})
		}
	case !n.Root():
		s.send(Message{Kind: KindKill, To: n.Parent, Time: cut, Origin: origin})
	default:
		s.dissolve(t.ID, cut, origin)
	}
}

// dissolve ends the tree of a root: every member begins a new incarnation, what is forgotten is dropped, and every other
// fact goes home.
func (s *step) dissolve(root ID, cut schemas.Millis, origin ID) {
	members := s.rows.Members(root)
	facts := s.rows.Facts(root)
	helds := s.rows.Helds(root)
	s.clearJourney(root, members, facts, helds)

	in := make(map[ID]bool, len(members)+1)
	in[root] = true
	for _, m := range members {
		in[m.ID] = true
		s.send(Message{Kind: KindReset, To: m, Time: cut})
	}
	if !in[origin] && cut > 0 { // the kill overtook its origin's membership
		s.send(Message{Kind: KindForget, To: Ref{ID: origin}, Time: cut})
	}
	s.reset(root, cut)

	// Delete here only what its home will refuse as well; a fact that overtook the membership of its home goes home,
	// where the home's own cut decides.
	for _, f := range facts {
		if f.At > cut || !in[f.Home] {
			s.factHome(f, false)
		}
	}
	for _, h := range helds {
		if h.Terms.Since <= cut && in[h.Home] {
			s.drop(h, cut)
		} else {
			s.heldHome(h)
		}
	}
}

// reset begins a new incarnation of x, alone, and announces the edges that remain.
func (s *step) reset(x ID, cut schemas.Millis) {
	n := s.rows.Node(x)
	if !n.Root() {
		s.out.Withdrawn = append(s.out.Withdrawn, Customer{x, n.Cut})
	}
	n = Node{Gen: n.Gen + 1, Cut: max(n.Cut, cut), Shared: n.Shared, Reason: n.Reason}
	if n.Shared {
		s.rows.PutNode(x, n)
		s.forgetKept(x, cut)
		return
	}
	s.rows.DeleteSeen(x)
	for _, nb := range s.rows.Neighbours(x) {
		if nb.First <= cut { // a shared one has it among its candidates, without a link
			s.send(Message{Kind: KindForget, To: Ref{ID: nb.ID}, Time: cut})
		}
		if nb.Last <= cut {
			s.rows.DeleteNeighbour(x, nb.ID)
			continue
		}
		if counted(x, nb.ID) {
			n.Degree++
		}
		if nb.First <= cut {
			nb.First = cut + 1
			s.rows.PutNeighbour(x, nb)
		}
		if !nb.Link {
			continue
		}
		s.send(Message{Kind: KindEdge, To: Ref{ID: nb.ID}, From: Ref{x, n.Gen}, Time: nb.First, Last: nb.Last})
	}
	s.rows.PutNode(x, n)
}
