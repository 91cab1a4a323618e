package identity

import "tributary/schemas"

// Rows is the state of a partition as a step sees it: what it writes it reads again. A missing row is the zero value.
// Methods do not return errors: an implementation that can fail remembers its first error, returns zero values from then
// on, and its owner looks at that error before anything becomes visible.
type Rows interface {
	// Horizon is the time before which events are not taken any more; 0: all are.
	Horizon() schemas.Millis

	// Node returns a root alone, of a generation that was never used, for an identifier without a row.
	Node(id ID) Node
	PutNode(id ID, n Node)
	// DeleteNode deletes the row, and has those without one begin with a later generation than it reached. It reports whether
	// there was one.
	DeleteNode(id ID) bool

	Neighbour(of, id ID) (Neighbour, bool)
	Neighbours(of ID) []Neighbour // ascending by ID
	PutNeighbour(of ID, n Neighbour)
	DeleteNeighbour(of, id ID)

	// Seen lists of identifiers only save messages.
	Seen(of ID, list uint64) bool
	PutSeen(of ID, list uint64)
	DeleteSeen(of ID) // all of them

	Members(root ID) []Ref // without the root itself, ascending
	Member(root, id ID) (Ref, bool)
	PutMember(root ID, m Ref)
	DeleteMember(root, id ID)

	// PutFact adds a fact to a root's journey and says what it met there.
	PutFact(root ID, f Fact) Met
	Facts(root ID) []Fact // all of the journey
	DeleteFact(root ID, f Fact)

	// Kept touches are those of a shared identifier: see shared.go.
	Kept(of ID) []Fact // ascending by (time, event, copy)
	PutKept(of ID, f Fact)
	DeleteKept(of ID, f Fact)

	Held(root ID, k ConversionKey) (Held, bool)
	Helds(root ID) []Held // ascending by key
	PutHeld(root ID, h Held)
	DeleteHeld(root ID, k ConversionKey)

	Conversion(k ConversionKey) (Conversion, bool)
	PutConversion(k ConversionKey, c Conversion)
	DeleteConversion(k ConversionKey)
	Statement(k ConversionKey, e EventKey) (Statement, bool)
	Statements(k ConversionKey) []Statement
	PutStatement(k ConversionKey, e EventKey, s Statement)
	DeleteStatement(k ConversionKey, e EventKey)
}

// Met is what a new fact met in the journey that it came to.
type Met uint8

const (
	MetNothing  Met = iota // no delivery of this event: it is new
	MetEqual               // an equal delivery: nothing was written
	MetConflict            // a delivery with another time, content or identifiers: it was written beside it
)
