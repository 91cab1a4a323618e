package identity

import (
	"crypto/sha256"
	"encoding/binary"

	"tributary/schemas"
)

// Ref is one incarnation of an identifier. An incarnation is root, then pointer, then dead, and never goes back; a reset
// ends it and begins the next generation. Generations are never used again.
type Ref struct {
	ID  ID
	Gen uint32
}

// Less reports whether a's identifier comes before b's in the fixed order.
func (r Ref) Less(b Ref) bool { return Less(r.ID, b.ID) }

// Node is the row of an identifier. One without a row is a root, alone, of a generation that was never used.
type Node struct {
	Gen    uint32
	Cut    schemas.Millis // everything at or before it that names this identifier is forgotten; 0: nothing is
	Shared bool           // belongs to many people: links nothing, holds nothing, for ever
	Reason Reason         // why it is shared
	Parent Ref            // the smaller incarnation that this one points to; the zero Ref at a root
	Degree uint32         // number of neighbours under the identifier's own key
	Below  uint32         // number of identifiers whose parent this incarnation is
	// At a root only:
	Members uint32         // other members of its tree
	Latest  schemas.Millis // no conversion held here happened later; never lowered while the root lives
}

// Reason says why an identifier is shared: what showed it first. The numbers are those of rows and never change.
type Reason uint8

// Reasons; ReasonLimitOf+1 to ReasonLimitOf+Classes-1 are too many neighbours of one class.
const (
	ReasonDeclared Reason = 0 // by an operator or the settings
	ReasonLimit    Reason = 1 // too many neighbours altogether
	ReasonLimitOf  Reason = 1 // plus the class: too many neighbours of it
)

// String is declared, any, or the type of the neighbours of which there are too many.
func (r Reason) String() string {
	switch r {
	case ReasonDeclared:
		return "declared"
	case ReasonLimit:
		return "any"
	default:
		return className(int(r - ReasonLimitOf))
	}
}

// Root reports whether the identifier's incarnation is the root of its tree.
func (n Node) Root() bool { return n.Parent == Ref{} }

// Forgotten reports whether something that happened at t is forgotten by this identifier.
func (n Node) Forgotten(t schemas.Millis) bool { return n.Cut != 0 && t <= n.Cut }

// Neighbour is an identifier that was seen in one event with another.
// Invariant: First <= Last.
type Neighbour struct {
	ID          ID
	First, Last schemas.Millis // event times of the first and last such event that is not forgotten
	Link        bool           // the edge was announced by one end to the other: it holds the tree together
}

// EventKey is a short hash of an event id; the id itself stands in the fact's body.
type EventKey [12]byte

// EventKeyOf hashes an event id.
func EventKeyOf(eventID string) EventKey {
	h := sha256.Sum256([]byte(eventID))
	return EventKey(h[:12])
}

// Fact is one delivery of a touch, activity or consent. Facts are values: nobody changes the slices of one after it was made.
type Fact struct {
	Event EventKey
	At    schemas.Millis
	IDs   []ID   // the identifiers of this delivery, as ingest ordered them; the first that is not shared is its home
	Home  ID     // the identifier through which it entered its tree; None before
	Body  []byte // canonical content; opaque here
	// Standing facts hold from their time on, such as a consent: every later conversion depends on them, however long ago
	// they are.
	Standing bool
}

// Copy tells deliveries of one event apart that differ in identifiers or content. Equal deliveries have equal copies.
func (f Fact) Copy() uint64 {
	h := fnvOffset
	for _, id := range f.IDs {
		h = fnv(h, id[:])
	}
	return fnv(h, f.Body)
}

// Terms is what the statements and refunds of a conversion add up to. The conversion's actor alone writes them, with a
// growing version; everyone else keeps the highest.
type Terms struct {
	Version  uint32
	Erased   bool           // the conversion is forgotten: whoever holds its token deletes it
	Since    schemas.Millis // earliest time of any statement: what a forget is compared with
	EventID  string         // of the statement that counts
	Name     string
	At       schemas.Millis // when the conversion happened, by the statement that counts
	Value    schemas.Money  // stated value
	NetMinor int64          // value less refunds, at least 0, in the value's currency
}

// Refunded reports whether a positive value was wholly taken back.
func (t Terms) Refunded() bool { return t.Value.Minor > 0 && t.NetMinor == 0 }

// Held is a conversion at a root or under way: its terms and, with custody, the one token of that conversion in the system.
// Who has custody emits the conversion's revisions, so they can never collide. Without custody it is newer terms under way
// to their token; no row holds that.
type Held struct {
	Conversion string // conversion id
	Terms      Terms
	Custody    bool
	// With custody only:
	Home     ID     // the identifier through which the token entered this tree
	Revision uint32 // of the last record emitted; 0: none yet
	Digest   uint64 // of the last record's content
	Final    bool
}

// ConversionKey addresses a conversion's actor.
type ConversionKey [16]byte

// ConversionKeyOf hashes a conversion id.
func ConversionKeyOf(conversion string) ConversionKey {
	h := sha256.Sum256([]byte(conversion))
	return ConversionKey(h[:16])
}

// Statement is one event about a conversion: what it was worth, or a refund.
type Statement struct {
	EventID string
	Refund  bool
	At      schemas.Millis
	Name    string        // of a conversion
	Amount  schemas.Money // value of a conversion, or what a refund takes back
}

// Key tells the statements of one conversion apart. A refund and a statement never replace each other, even if a sender
// gives both one event id.
func (s Statement) Key() EventKey {
	if s.Refund {
		return EventKeyOf("refund\x00" + s.EventID)
	}
	return EventKeyOf(s.EventID)
}

// Conversion is the row of a conversion's actor.
type Conversion struct {
	ID     string // conversion id; empty once it is forgotten
	IDs    []ID   // identifiers in the order in which statements brought them
	Terms  Terms  // version 0: no statement yet, only refunds wait here
	Out    bool   // the token is in a tree or on its way
	Parked bool   // the token rests here: no identifier can hold it
	Token  Held   // the parked token
	Erased schemas.Millis
}

// Partition is the partition that owns the identifier, of n.
func (id ID) Partition(n int) int { return int(binary.BigEndian.Uint64(id[8:]) % uint64(n)) }

// Partition is the partition that owns the conversion's actor, of n.
func (k ConversionKey) Partition(n int) int { return int(binary.BigEndian.Uint64(k[8:]) % uint64(n)) }

const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

// fnv is FNV-1a, 64 bits (Fowler, Noll, Vo).
func fnv(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

// listHash is the same for every order of the list.
func listHash(ids []ID) uint64 {
	var sum uint64
	for _, id := range ids {
		sum += fnv(fnvOffset, id[:])
	}
	return sum
}
