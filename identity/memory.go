package identity

import (
	"bytes"
	"cmp"
	"slices"

	"tributary/schemas"
)

// Memory is Rows in memory. What it returns is the caller's to keep: it does not change when rows do. Results ascend:
// facts by (time, event, copy), statements by event, all others as Rows says. It is not safe for concurrent use.
//
// A row that is added, changed or deleted anywhere but at the end of its actor's rows costs time in proportion to the rows
// behind it: cheap up to some ten thousand rows of one actor.
type Memory struct {
	identifiers map[ID]*identifierRows
	conversions map[ConversionKey]*conversionRows
	horizon     schemas.Millis
	youngest    uint32 // generation of identifiers without a node
}

// identifierRows is what Memory keeps of one identifier. All slices ascend.
type identifierRows struct {
	node       Node
	known      bool // there is a node
	neighbours []Neighbour
	seen       []uint64
	members    []Ref
	facts      []Fact
	events     []EventKey // one for each of facts
	kept       []Fact
	helds      []heldRow
}

type heldRow struct {
	key  ConversionKey
	held Held
}

type conversionRows struct {
	row        Conversion
	known      bool
	statements []statementRow
}

type statementRow struct {
	key       EventKey
	statement Statement
}

var _ Rows = (*Memory)(nil)

// NewMemory returns a Memory without rows.
func NewMemory() *Memory {
	return &Memory{identifiers: map[ID]*identifierRows{}, conversions: map[ConversionKey]*conversionRows{}}
}

// SetHorizon sets the time before which events are not taken any more.
func (m *Memory) SetHorizon(t schemas.Millis) { m.horizon = t }

// Horizon implements Rows.
func (m *Memory) Horizon() schemas.Millis { return m.horizon }

// Node implements Rows.
func (m *Memory) Node(id ID) Node {
	if r := m.read(id); r.known {
		return r.node
	}
	return Node{Gen: m.youngest}
}

// PutNode implements Rows.
func (m *Memory) PutNode(id ID, n Node) {
	r := m.write(id)
	r.node, r.known = n, true
}

// DeleteNode implements Rows.
func (m *Memory) DeleteNode(id ID) bool {
	r := m.read(id)
	if !r.known {
		return false
	}
	m.youngest = max(m.youngest, r.node.Gen+1)
	r.node, r.known = Node{}, false
	return true
}

// Neighbour implements Rows.
func (m *Memory) Neighbour(of, id ID) (Neighbour, bool) {
	r := m.read(of)
	i, found := slices.BinarySearchFunc(r.neighbours, id, neighbourID)
	if !found {
		return Neighbour{}, false
	}
	return r.neighbours[i], true
}

// Neighbours implements Rows.
func (m *Memory) Neighbours(of ID) []Neighbour { return slices.Clone(m.read(of).neighbours) }

// PutNeighbour implements Rows.
func (m *Memory) PutNeighbour(of ID, n Neighbour) {
	r := m.write(of)
	r.neighbours = put(r.neighbours, n, n.ID, neighbourID)
}

// DeleteNeighbour implements Rows.
func (m *Memory) DeleteNeighbour(of, id ID) {
	r := m.write(of)
	r.neighbours = remove(r.neighbours, id, neighbourID)
}

// Seen implements Rows.
func (m *Memory) Seen(of ID, list uint64) bool {
	_, found := slices.BinarySearch(m.read(of).seen, list)
	return found
}

// PutSeen implements Rows.
func (m *Memory) PutSeen(of ID, list uint64) {
	r := m.write(of)
	r.seen = put(r.seen, list, list, cmp.Compare)
}

// DeleteSeen implements Rows.
func (m *Memory) DeleteSeen(of ID) { m.write(of).seen = nil }

// Members implements Rows.
func (m *Memory) Members(root ID) []Ref { return slices.Clone(m.read(root).members) }

// Member implements Rows.
func (m *Memory) Member(root, id ID) (Ref, bool) {
	r := m.read(root)
	i, found := slices.BinarySearchFunc(r.members, id, memberID)
	if !found {
		return Ref{}, false
	}
	return r.members[i], true
}

// PutMember implements Rows.
func (m *Memory) PutMember(root ID, member Ref) {
	r := m.write(root)
	r.members = put(r.members, member, member.ID, memberID)
}

// DeleteMember implements Rows.
func (m *Memory) DeleteMember(root, id ID) {
	r := m.write(root)
	r.members = remove(r.members, id, memberID)
}

// PutFact implements Rows.
func (m *Memory) PutFact(root ID, f Fact) Met {
	r := m.write(root)
	met := MetNothing
	at, known := slices.BinarySearchFunc(r.events, f.Event, compareEvents)
	if known {
		met = MetConflict
	}
	i, equal := slices.BinarySearchFunc(r.facts, f, CompareFacts)
	if equal {
		return MetEqual
	}
	r.events = slices.Insert(r.events, at, f.Event)
	r.facts = slices.Insert(r.facts, i, f)
	return met
}

// Facts implements Rows.
func (m *Memory) Facts(root ID) []Fact { return slices.Clone(m.read(root).facts) }

// DeleteFact implements Rows.
func (m *Memory) DeleteFact(root ID, f Fact) {
	r := m.write(root)
	before := len(r.facts)
	if r.facts = remove(r.facts, f, CompareFacts); len(r.facts) < before {
		r.events = remove(r.events, f.Event, compareEvents)
	}
}

// Kept implements Rows.
func (m *Memory) Kept(of ID) []Fact { return slices.Clone(m.read(of).kept) }

// PutKept implements Rows.
func (m *Memory) PutKept(of ID, f Fact) {
	r := m.write(of)
	r.kept = put(r.kept, f, f, CompareFacts)
}

// DeleteKept implements Rows.
func (m *Memory) DeleteKept(of ID, f Fact) {
	r := m.write(of)
	r.kept = remove(r.kept, f, CompareFacts)
}

// Held implements Rows.
func (m *Memory) Held(root ID, k ConversionKey) (Held, bool) {
	r := m.read(root)
	i, found := slices.BinarySearchFunc(r.helds, k, heldKey)
	if !found {
		return Held{}, false
	}
	return r.helds[i].held, true
}

// Helds implements Rows.
func (m *Memory) Helds(root ID) []Held {
	rows := m.read(root).helds
	all := make([]Held, len(rows))
	for i := range rows {
		all[i] = rows[i].held
	}
	return all
}

// PutHeld implements Rows.
func (m *Memory) PutHeld(root ID, h Held) {
	r := m.write(root)
	row := heldRow{ConversionKeyOf(h.Conversion), h}
	r.helds = put(r.helds, row, row.key, heldKey)
}

// DeleteHeld implements Rows.
func (m *Memory) DeleteHeld(root ID, k ConversionKey) {
	r := m.write(root)
	r.helds = remove(r.helds, k, heldKey)
}

// Conversion implements Rows.
func (m *Memory) Conversion(k ConversionKey) (Conversion, bool) {
	r := m.conversions[k]
	if r == nil || !r.known {
		return Conversion{}, false
	}
	return r.row, true
}

// PutConversion implements Rows.
func (m *Memory) PutConversion(k ConversionKey, c Conversion) {
	r := m.writeConversion(k)
	r.row, r.known = c, true
}

// DeleteConversion implements Rows.
func (m *Memory) DeleteConversion(k ConversionKey) {
	if r := m.conversions[k]; r != nil {
		r.row, r.known = Conversion{}, false
	}
}

// Statement implements Rows.
func (m *Memory) Statement(k ConversionKey, e EventKey) (Statement, bool) {
	r := m.conversions[k]
	if r == nil {
		return Statement{}, false
	}
	i, found := slices.BinarySearchFunc(r.statements, e, statementKey)
	if !found {
		return Statement{}, false
	}
	return r.statements[i].statement, true
}

// Statements implements Rows.
func (m *Memory) Statements(k ConversionKey) []Statement {
	r := m.conversions[k]
	if r == nil {
		return nil
	}
	all := make([]Statement, len(r.statements))
	for i := range r.statements {
		all[i] = r.statements[i].statement
	}
	return all
}

// PutStatement implements Rows.
func (m *Memory) PutStatement(k ConversionKey, e EventKey, s Statement) {
	r := m.writeConversion(k)
	r.statements = put(r.statements, statementRow{e, s}, e, statementKey)
}

// DeleteStatement implements Rows.
func (m *Memory) DeleteStatement(k ConversionKey, e EventKey) {
	if r := m.conversions[k]; r != nil {
		r.statements = remove(r.statements, e, statementKey)
	}
}

// noRows stands for the rows of every identifier that was never written.
var noRows identifierRows

func (m *Memory) read(id ID) *identifierRows {
	if r := m.identifiers[id]; r != nil {
		return r
	}
	return &noRows
}

func (m *Memory) write(id ID) *identifierRows {
	r := m.identifiers[id]
	if r == nil {
		r = &identifierRows{}
		m.identifiers[id] = r
	}
	return r
}

func (m *Memory) writeConversion(k ConversionKey) *conversionRows {
	r := m.conversions[k]
	if r == nil {
		r = &conversionRows{}
		m.conversions[k] = r
	}
	return r
}

func neighbourID(n Neighbour, id ID) int          { return bytes.Compare(n.ID[:], id[:]) }
func memberID(r Ref, id ID) int                   { return bytes.Compare(r.ID[:], id[:]) }
func heldKey(r heldRow, k ConversionKey) int      { return bytes.Compare(r.key[:], k[:]) }
func statementKey(r statementRow, e EventKey) int { return bytes.Compare(r.key[:], e[:]) }
func compareEvents(a, b EventKey) int             { return bytes.Compare(a[:], b[:]) }

// CompareFacts orders facts as a journey's rows do: by time, event and copy. A copy costs a hash, so it comes last.
func CompareFacts(a, b Fact) int {
	if c := compareMillis(a.At, b.At); c != 0 {
		return c
	}
	if c := compareEvents(a.Event, b.Event); c != 0 {
		return c
	}
	return cmp.Compare(a.Copy(), b.Copy())
}

// put sets the row with this key in ascending rows.
func put[Row, Key any](rows []Row, row Row, key Key, compare func(Row, Key) int) []Row {
	i, found := slices.BinarySearchFunc(rows, key, compare)
	if found {
		rows[i] = row
		return rows
	}
	return slices.Insert(rows, i, row)
}

// remove deletes the row with this key, if there is one. The first is cut off without moving the others: a journey that
// leaves its root is deleted from the front.
func remove[Row, Key any](rows []Row, key Key, compare func(Row, Key) int) []Row {
	i, found := slices.BinarySearchFunc(rows, key, compare)
	switch {
	case !found:
		return rows
	case i == 0:
		clear(rows[:1])
		return rows[1:]
	default:
		return slices.Delete(rows, i, i+1)
	}
}
