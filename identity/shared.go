package identity

import "tributary/schemas"

// A shared identifier links nothing and holds no journey. It keeps two things for whoever wants to know what was lost by
// it, never to guess from: its candidates, which are the identifiers that it was seen with, and the touches that name
// shared identifiers only. Both are bounded, and the same whatever came first: a set of which the first candidates in the
// fixed order remain, the strongest, and a set of which the newest touches remain.
//
// Candidates are neighbour rows without a link. Their times are as far as the identifier heard of them.

// DefaultKept is how many touches, and how many candidates, a shared identifier keeps.
const DefaultKept = 32

// share makes x shared for ever: its neighbours become candidates, and its tree rebuilds itself without it.
func (s *step) share(x ID, why Reason, request string) {
	n := s.rows.Node(x)
	if n.Shared {
		return
	}
	s.out.Shared = append(s.out.Shared, why)
	neighbours := s.rows.Neighbours(x)
	s.receipt(Receipt{Request: request, Reason: why, Identifiers: 1, Links: len(neighbours)})
	for _, nb := range neighbours {
		if nb.Link {
			nb.Link = false
			s.rows.PutNeighbour(x, nb)
		}
	}
	s.boundCandidates(x)
	s.rows.DeleteSeen(x)
	n.Shared, n.Reason, n.Degree = true, why, 0
	s.rows.PutNode(x, n)
	s.kill(Ref{x, n.Gen}, order{}, x)
}

// sighted notes candidates of a shared identifier that it was seen with from first to last.
func (s *step) sighted(x ID, n Node, ids []ID, first, last schemas.Millis) {
	if n.Forgotten(last) {
		return
	}
	if n.Forgotten(first) {
		first = n.Cut + 1
	}
	more := false
	for _, q := range ids {
		if q == x {
			continue
		}
		nb, known := s.rows.Neighbour(x, q)
		was := nb
		if known {
			nb.First, nb.Last = min(nb.First, first), max(nb.Last, last)
		} else {
			nb, more = Neighbour{ID: q, First: first, Last: last}, true
		}
		if nb != was {
			s.rows.PutNeighbour(x, nb)
		}
	}
	if more {
		s.boundCandidates(x)
	}
}

func (s *step) boundCandidates(x ID) {
	all := s.rows.Neighbours(x)
	for _, nb := range all[min(len(all), s.limits.Kept):] {
		s.rows.DeleteNeighbour(x, nb.ID)
	}
}

// eventAtShared passes an event on to its next identifier. At the last one it ends: all are shared.
func (s *step) eventAtShared(n Node, m *Message) {
	if !erased(m.Held) { // that has no time
		s.sighted(m.To.ID, n, m.IDs, m.Time, m.Time)
	}
	if m.Index+1 < len(m.IDs) {
		s.pass(*m)
		return
	}
	switch {
	case m.Held != nil && m.Held.Custody:
		s.send(Message{Kind: KindHome, Conversion: m.Held.Conversion, Held: m.Held, Tried: len(m.IDs), Cause: m.Cause})
	case m.Held != nil: // terms: the actor still has them
	default:
		s.count(m.Fresh, &s.out.Ledger.Shared)
		s.ambiguous(m)
	}
}

// ambiguous lets each of the identifiers of a touch keep it. It names none of them there, so that whoever has one of them
// forgotten need not find the others.
func (s *step) ambiguous(m *Message) {
	if m.Fact == nil || m.Fact.Standing {
		return
	}
	f := *m.Fact
	f.IDs, f.Home = nil, None
	for _, q := range m.IDs {
		if q == m.To.ID {
			s.keep(q, f)
		} else {
			s.send(Message{Kind: KindKeep, To: Ref{ID: q}, Fact: &f})
		}
	}
}

// keep adds a touch to those that a shared identifier keeps.
func (s *step) keep(x ID, f Fact) {
	if s.rows.Node(x).Forgotten(f.At) || s.expired(f.At, &f) {
		return
	}
	s.rows.PutKept(x, f)
	all := s.rows.Kept(x)
	for _, old := range all[:max(0, len(all)-s.limits.Kept)] {
		s.rows.DeleteKept(x, old)
	}
}

// forgetKept deletes what a shared identifier keeps from up to cut. Each of the touches may have been anybody's. A candidate
// that was seen before and after the cut goes as well: it may not know that it was seen after it, so that its own next
// forget would not come here. It returns the number of touches.
func (s *step) forgetKept(x ID, cut schemas.Millis) (touches int) {
	for _, f := range s.rows.Kept(x) {
		if f.At <= cut {
			s.rows.DeleteKept(x, f)
			touches++
		}
	}
	for _, nb := range s.rows.Neighbours(x) {
		if nb.First <= cut {
			s.rows.DeleteNeighbour(x, nb.ID)
		}
	}
	return touches
}
