package identity

import (
	"bytes"
	"slices"

	"tributary/schemas"
)

// conversion takes a statement or refund into the actor of its conversion. The actor keeps them all, works out the terms,
// and sends one token into the tree of the conversion's identifiers.
func (s *step) conversion(m *Message) {
	k := ConversionKeyOf(m.Conversion)
	c, known := s.rows.Conversion(k)
	if c.Erased != 0 {
		s.refuse(c, m)
		return
	}
	if m.Statement.At < s.rows.Horizon() { // its conversion may have expired: it must not begin anew
		s.count(m.Fresh, &s.out.Ledger.Expired)
		return
	}
	if !known {
		c.ID = m.Conversion
	}
	fresh := s.state(k, m)
	before, since := c.IDs, c.Terms.Since
	why := CauseConversion
	if m.Statement.Refund {
		why = CauseRefund
	}
	joined := false
	if !m.Statement.Refund {
		for _, q := range m.IDs {
			if !slices.Contains(c.IDs, q) {
				c.IDs = append(slices.Clip(c.IDs), q)
				joined = true
			}
		}
	}
	changed := false
	if fresh {
		terms := resolve(s.rows.Statements(k))
		terms.Version = c.Terms.Version
		if changed = terms != c.Terms && terms.EventID != ""; changed {
			terms.Version++
			c.Terms = terms
		}
	}
	s.sight(m, c.Terms.Since)
	if c.Terms.Since < since {
		s.together(before, since)
	}
	s.dispatch(k, &c, joined, changed, why)
	if joined || changed || !known {
		s.rows.PutConversion(k, c)
	}
}

// refuse ends a statement or refund of a forgotten conversion: the identifiers of a statement are forgotten with it. What
// its event says beside the conversion stays true.
func (s *step) refuse(c Conversion, m *Message) {
	if !m.Statement.Refund {
		for _, q := range m.IDs {
			s.spread(q, order{cut: c.Erased})
		}
	}
	s.sight(m, 0)
	s.count(m.Fresh, &s.out.Ledger.Forgotten)
}

// sight sends on what an event says beside the conversion: its own touch, and that its identifiers were seen together at
// its time. Where that is since, the time of the conversion, the token or its terms say so. A token links a star; should it
// be forgotten by an earlier statement, it links nobody again when the middle becomes shared. So what it linked at its time
// is linked directly as soon as there is an earlier statement.
func (s *step) sight(m *Message, since schemas.Millis) {
	st := m.Statement
	switch {
	case m.Fact != nil && len(m.IDs) > 0:
		s.send(Message{Kind: KindEvent, To: Ref{ID: m.IDs[0]}, Time: st.At, IDs: m.IDs, Fact: m.Fact})
	case st.Refund || st.At != since:
		s.together(m.IDs, st.At)
	}
}

// together says that the identifiers were seen together.
func (s *step) together(ids []ID, at schemas.Millis) {
	if len(ids) > 1 {
		s.send(Message{Kind: KindEvent, To: Ref{ID: ids[0]}, Time: at, IDs: ids})
	}
}

// state keeps the message's statement, counts it, and reports whether that changed the set of statements. Of two with one
// event id the smaller (time, content) counts, whichever came first.
func (s *step) state(k ConversionKey, m *Message) (fresh bool) {
	e := m.Statement.Key()
	have, known := s.rows.Statement(k, e)
	if !known {
		s.count(m.Fresh, &s.out.Ledger.Applied)
		s.rows.PutStatement(k, e, *m.Statement)
		return true
	}
	s.count(m.Fresh, &s.out.Ledger.Duplicate)
	order := compareStatements(*m.Statement, have)
	if order != 0 {
		s.count(m.Fresh, &s.out.Ledger.Conflict)
	}
	if order < 0 {
		s.rows.PutStatement(k, e, *m.Statement)
	}
	return order < 0
}

// dispatch brings the token, or news for whoever has it, on its way.
func (s *step) dispatch(k ConversionKey, c *Conversion, joined, changed bool, why Cause) {
	switch {
	case c.Terms.Version == 0: // only refunds so far: they wait
	case !c.Out && !c.Parked:
		s.release(c, Held{Conversion: c.ID, Custody: true}, why)
	case c.Parked && joined:
		token := c.Token
		c.Parked, c.Token = false, Held{}
		s.release(c, token, why)
	case c.Parked && changed:
		c.Token.Terms = c.Terms
		s.dirty(Dirty{Conversion: c.ID, Cause: why})
	case joined || changed:
		s.send(Message{Kind: KindEvent, To: Ref{ID: c.IDs[0]}, Time: c.Terms.Since, IDs: c.IDs, Cause: why,
			Held: &Held{Conversion: c.ID, Terms: c.Terms}})
	}
}

// release sends the token to its first identifier, or parks it if there is none.
func (s *step) release(c *Conversion, token Held, why Cause) {
	token.Terms = c.Terms
	if len(c.IDs) == 0 {
		s.park(c, token, why)
		return
	}
	c.Out = true
	s.send(Message{Kind: KindEvent, To: Ref{ID: c.IDs[0]}, Time: c.Terms.Since, IDs: c.IDs, Held: &token, Cause: why})
}

func (s *step) park(c *Conversion, token Held, why Cause) {
	token.Home = None
	c.Out, c.Parked, c.Token = false, true, token
	s.dirty(Dirty{Conversion: c.ID, Cause: why})
}

// home takes back a token whose tree died or whose identifiers are all shared.
func (s *step) home(m *Message) {
	k := ConversionKeyOf(m.Conversion)
	c, _ := s.rows.Conversion(k)
	c.Out = false
	token := *m.Held
	switch {
	case c.Erased != 0:
		s.deleted(token)
	case m.Time > 0 && token.Final && s.silent(k, m.Time):
		s.deleteConversion(k)
		return
	case len(c.IDs) > max(m.Tried, 0):
		s.release(&c, token, m.Cause)
	default:
		token.Terms = c.Terms
		s.park(&c, token, m.Cause)
	}
	s.rows.PutConversion(k, c)
}

// erase forgets the conversion: what is known of it goes, and its other identifiers forget as well.
func (s *step) erase(m *Message) {
	k := ConversionKeyOf(m.Conversion)
	c, _ := s.rows.Conversion(k)
	for _, st := range s.rows.Statements(k) {
		s.rows.DeleteStatement(k, st.Key())
	}
	for _, q := range c.IDs {
		s.spread(q, orderOf(m))
	}
	if c.Out && !m.Gone { // the token is in a tree that forgot this earlier: it must hear of it
		s.send(Message{Kind: KindEvent, To: Ref{ID: c.IDs[0]}, IDs: c.IDs, Cause: CauseErasure,
			Held: &Held{Conversion: c.ID, Terms: Terms{Version: c.Terms.Version + 1, Erased: true}}})
	}
	if c.Parked {
		s.deleted(c.Token)
	}
	s.rows.PutConversion(k, Conversion{Erased: max(c.Erased, m.Time)})
}

// resolve works out the terms from all statements and refunds of one conversion: the statement with the greatest (time,
// content) counts, and all refunds in its currency are taken off, down to 0.
func resolve(all []Statement) Terms {
	var last *Statement
	var t Terms
	for i := range all {
		st := &all[i]
		if st.Refund {
			continue
		}
		if last == nil || compareStatements(*st, *last) > 0 {
			last = st
		}
		if t.Since == 0 || st.At < t.Since {
			t.Since = st.At
		}
	}
	if last == nil {
		return Terms{}
	}
	t.EventID, t.Name, t.At, t.Value = last.EventID, last.Name, last.At, last.Amount
	t.NetMinor = last.Amount.Minor
	for _, st := range all {
		if st.Refund && st.Amount.Currency == t.Value.Currency {
			t.NetMinor -= min(t.NetMinor, st.Amount.Minor)
		}
	}
	return t
}

// compareStatements orders by time, then by content: the bytes of the canonical form.
func compareStatements(a, b Statement) int {
	if c := compareMillis(a.At, b.At); c != 0 {
		return c
	}
	return bytes.Compare(AppendStatement(nil, &a), AppendStatement(nil, &b))
}

func compareMillis(a, b schemas.Millis) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}
