package identity

import (
	"slices"
	"testing"
)

// These tests switch off one rule of the protocol at a time, from outside: rows that forget what the rule wrote, or
// messages that are lost or changed on their way. The suite must notice each.

// dropping is a fault that loses what a step sends, where lost says so.
func dropping(name string, lost func(by, sent *Message) bool) *fault {
	return &fault{name: name, sent: func(by *Message, sends []Message) []Message {
		return slices.DeleteFunc(sends, func(m Message) bool { return lost(by, &m) })
	}}
}

// changing is a fault that changes what a step sends.
func changing(name string, change func(m *Message)) *fault {
	return &fault{name: name, sent: func(_ *Message, sends []Message) []Message {
		for i := range sends {
			change(&sends[i])
		}
		return sends
	}}
}

// changingNodes is a fault that changes the rows of identifiers as they are written.
func changingNodes(name string, change func(n *Node)) *fault {
	return &fault{name: name, rows: func(r Rows) Rows { return faultyNodes{r, change} }}
}

type faultyNodes struct {
	Rows
	change func(*Node)
}

func (f faultyNodes) PutNode(id ID, n Node) {
	f.change(&n)
	f.Rows.PutNode(id, n)
}

func forHelds(m *Message, change func(*Held)) {
	if m.Held != nil {
		h := *m.Held
		change(&h)
		m.Held = &h
	}
	m.Helds = slices.Clone(m.Helds)
	for i := range m.Helds {
		change(&m.Helds[i])
	}
}

func reannounces(m *Message) bool { return m.Kind == KindEdge && len(m.IDs) == 0 }

var faults = []*fault{
	changing("backfill: what follows from a replay does not say so", func(m *Message) { m.Cause = CauseNone }),
	changingNodes("incarnations: a reset begins no new generation", func(n *Node) { n.Gen = 0 }),
	changingNodes("tombstones: a cut is not kept", func(n *Node) { n.Cut = 0 }),
	changingNodes("latest: a root does not know when its latest conversion was", func(n *Node) { n.Latest = 0 }),
	dropping("closure: a forget does not go along edges and lists", func(by, m *Message) bool { return m.Kind == KindForget }),
	dropping("closure: a late edge to a forgotten identifier is just ignored", func(by, m *Message) bool {
		return m.Kind == KindForget && by.Kind == KindEdge
	}),
	dropping("resets: the root of a forgotten tree wipes itself only", func(by, m *Message) bool { return m.Kind == KindReset }),
	dropping("resets: members that come to a dead root keep their incarnation", func(by, m *Message) bool {
		return m.Kind == KindReset && by.Kind == KindPut
	}),
	dropping("re-announcing: a reset identifier does not announce its edges", func(by, m *Message) bool { return reannounces(m) }),
	changing("re-announcing: an edge comes back with its last time only", func(m *Message) {
		if reannounces(m) {
			m.Time = m.Last
		}
	}),
	dropping("going home: what comes to a dead root is lost", func(by, m *Message) bool {
		return by.Kind == KindPut && (m.Kind == KindEvent || m.Kind == KindHome)
	}),
	dropping("going home: what is left of a dissolved tree is lost", func(by, m *Message) bool {
		return (by.Kind == KindForget || by.Kind == KindKill) && (m.Kind == KindEvent || m.Kind == KindHome)
	}),
	changing("revisions: a merged conversion begins again", func(m *Message) {
		if m.Kind == KindPut {
			forHelds(m, func(h *Held) { h.Revision, h.Digest = 0, 0 })
		}
	}),
	changing("revisions: a token that went home begins again", func(m *Message) {
		if m.Kind == KindHome {
			forHelds(m, func(h *Held) { h.Revision, h.Digest = 0, 0 })
		}
	}),
	{name: "tokens: every statement sends one", rows: func(r Rows) Rows { return alwaysNew{r} }},
	dropping("tokens: an erased token leaves its actor alone", func(by, m *Message) bool { return m.Kind == KindErase }),
	dropping("terms: only the first reach the token", func(by, m *Message) bool {
		return m.Kind == KindEvent && by.Kind == KindConversion && m.Held != nil && !m.Held.Custody
	}),
	dropping("terms: an erased conversion does not call its token back", func(by, m *Message) bool {
		return m.Kind == KindEvent && erased(m.Held)
	}),
	{name: "sharing: a declared identifier stops linking, old merges stay", step: stopLinking},
	dropping("sharing: what comes to a shared identifier stays there", func(by, m *Message) bool {
		return by.Kind == KindEvent && m.Kind == KindEvent && m.Index > 0 && m.Fact != nil
	}),
	dropping("candidates: who is forgotten stays among them", func(by, m *Message) bool {
		return m.Kind == KindForget && by.Kind == KindEvent && slices.Index(by.IDs, m.To.ID) < by.Index
	}),
	dropping("touches of shared identifiers: the last one keeps it alone", func(by, m *Message) bool { return m.Kind == KindKeep }),
	changing("degrees: counted on the edges of the star", func(m *Message) {
		if m.Kind == KindEdge {
			m.IDs = nil
		}
	}),
	{name: "degrees: those of one rank counted on the edges of the star", rows: func(r Rows) Rows { return linkedOnly{r} }},
	dropping("lists: an event without a fact links a star only", func(by, m *Message) bool {
		return m.Kind == KindEvent && m.Fact == nil && m.Held == nil && m.Index > 0
	}),
	{name: "lists: a new list of known identifiers is not announced", rows: func(r Rows) Rows { return alwaysSeen{r} }},
	{name: "dirty: late touches change nothing", dirty: func(all []Dirty) []Dirty {
		return slices.DeleteFunc(all, func(d Dirty) bool { return d.Root != None && d.Conversion == "" })
	}},
	{name: "dirty: a conversion changes only itself", dirty: func(all []Dirty) []Dirty {
		for i := range all {
			if all[i].Conversion != "" {
				all[i].Since = 1000
			}
		}
		return all
	}},
	{name: "order: messages of one pair of partitions overtake each other", races: true},
	{name: "equal deliveries: each is counted", rows: func(r Rows) Rows { return nothingMet{r} }},
}

// alwaysNew knows no conversion's row.
type alwaysNew struct{ Rows }

func (alwaysNew) Conversion(ConversionKey) (Conversion, bool) { return Conversion{}, false }

// alwaysSeen claims to have seen every list.
type alwaysSeen struct{ Rows }

func (alwaysSeen) Seen(ID, uint64) bool { return true }

// linkedOnly hides the neighbours that an identifier only noted.
type linkedOnly struct{ Rows }

func (r linkedOnly) Neighbours(of ID) []Neighbour {
	return slices.DeleteFunc(r.Rows.Neighbours(of), func(nb Neighbour) bool { return !nb.Link })
}

// nothingMet claims that every fact is new.
type nothingMet struct{ Rows }

func (r nothingMet) PutFact(root ID, f Fact) Met {
	r.Rows.PutFact(root, f)
	return MetNothing
}

func stopLinking(rows Rows, m *Message) bool {
	if m.Kind != KindShare {
		return false
	}
	n := rows.Node(m.To.ID)
	for _, nb := range rows.Neighbours(m.To.ID) {
		rows.DeleteNeighbour(m.To.ID, nb.ID)
	}
	n.Shared, n.Degree = true, 0
	rows.PutNode(m.To.ID, n)
	return true
}

// TestFaults asserts that random schedules notice every rule that is missing.
func TestFaults(t *testing.T) {
	const most = 100_000
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(most) {
				if _, wrong := runSeed(seed, f, nil); wrong != "" {
					t.Logf("schedule %d: %s", seed, wrong)
					return
				}
			}
			t.Errorf("%d schedules without this rule, and no difference", most)
		})
	}
}

// TestAtLeastOnce asserts that the protocol needs transactions, and that the log model notices when there are none.
func TestAtLeastOnce(t *testing.T) {
	const most = 10_000
	for seed := range uint64(most) {
		if _, wrong := runLogSeed(seed, nil, true, nil); wrong != "" {
			t.Logf("schedule %d: %s", seed, wrong)
			return
		}
	}
	t.Errorf("%d schedules with crashes and without transactions, and no difference", most)
}
