package identity

import "tributary/schemas"

// Kind is the kind of a message between actors.
type Kind uint8

// Kinds of messages. The fields that each uses are named; the numbers are those of the wire format and never change.
const (
	// A statement or refund enters: Conversion, Statement, IDs, Fact, Fresh.
	KindConversion Kind = 1
	// A token comes home: Conversion, Held, Tried; Time: for ever, if nothing is known of its conversion since then.
	KindHome Kind = 2
	// A fact, token, terms or nothing (edges only) arrives at IDs[Index]: To, Time, IDs, Index, Fact | Held, Fresh.
	KindEvent Kind = 3
	// "You were seen with From": To, From, Time (first), Last, IDs.
	KindEdge Kind = 4
	// "Unite your tree with From's": To (incarnation), From.
	KindLink Kind = 5
	// Facts, tokens and members for the tree of an incarnation: To, Facts, Helds, Members, Fresh; of the first part of a journey
	// Absorbed and Time (its cut), and From at the incarnation that it points to.
	KindPut Kind = 6
	// "Forget everything up to Time": To, Request.
	KindForget Kind = 7
	// A forget or rebuild that climbs to the root: To (incarnation), Time, Origin.
	KindKill Kind = 8
	// "This incarnation of yours is dead": To (incarnation), Time.
	KindReset Kind = 9
	// "Your conversion was forgotten": Conversion, Time, Gone.
	KindErase Kind = 10
	// The operator declares an identifier shared: To.
	KindShare Kind = 11
	// A touch that names shared identifiers only, for one of them to keep: To, Fact.
	KindKeep Kind = 12
	// "I have nothing of you; leave if you were not seen since Time": To (incarnation), Time.
	KindIdle Kind = 13
	// A member has left: To (incarnation), Members; From at the incarnation that it pointed to.
	KindLeave Kind = 14
)

var kindNames = [...]string{"none", "conversion", "home", "event", "edge", "link", "put", "forget", "kill", "reset", "erase", "share", "keep", "idle", "leave"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Cause says what set a change in motion; it becomes the cause of the revisions that follow from it.
type Cause uint8

// Causes, by their wire numbers.
const (
	CauseNone       Cause = 0
	CauseConversion Cause = 1 // a conversion was stated
	CauseLateEvent  Cause = 2 // an event older than a scored conversion
	CauseMerge      Cause = 3 // two customers turned out to be one
	CauseSplit      Cause = 4 // what held a customer together is gone
	CauseRefund     Cause = 5
	CauseErasure    Cause = 6
	CauseBackfill   Cause = 7 // a record was replayed
	CauseConsent    Cause = 8 // consent was given or withdrawn
	CauseDuplicate  Cause = 9 // another delivery of an event counts now
)

// RevisesFinal reports whether final answers change, too. Such a cause goes with everything that follows from it, however
// many messages later: otherwise what came first would decide what a final answer says.
func (c Cause) RevisesFinal() bool { return c == CauseErasure || c == CauseBackfill }

// Message is one message between actors: a journal record. Which fields a kind uses stands at the kind; the others are
// zero. Messages are values: nobody changes the slices of one after it was sent.
type Message struct {
	Kind       Kind
	Conversion string // the conversion's actor that is addressed
	To         Ref    // the identifier or incarnation that is addressed (Gen only where an incarnation is)
	From       Ref
	Time       schemas.Millis // of the event; first time of an edge; what a forget forgets up to (0: a rebuild)
	Last       schemas.Millis
	IDs        []ID
	Index      int
	Request    string // Forget, Kill, Reset, Erase, Share: the name of the request that this follows from; "": none
	Tried      int    // Home: how many identifiers were tried and are shared; -1: the tree died
	Gone       bool
	Origin     ID
	Cause      Cause
	Fresh      bool // comes from ingest: whoever ends its way counts it in the ledger

	Statement *Statement
	Fact      *Fact // Event: the touch; Conversion: the conversion's own touch; its IDs are those of the message
	Held      *Held
	Facts     []Fact
	Helds     []Held
	Members   []Ref
	Absorbed  Ref // Put: the root whose journey this is the first part of, else zero
}

// Partition is the partition of n that owns the message's actor.
func (m *Message) Partition(n int) int {
	if m.ToConversion() {
		return ConversionKeyOf(m.Conversion).Partition(n)
	}
	return m.To.ID.Partition(n)
}

// ToConversion reports whether a conversion's actor is addressed, and not an identifier.
func (m *Message) ToConversion() bool {
	return m.Kind == KindConversion || m.Kind == KindHome || m.Kind == KindErase
}

// Erases reports whether what its receiver knows of a person may be deleted.
func (m *Message) Erases() bool {
	switch m.Kind {
	case KindForget, KindErase:
		return true
	case KindKill, KindReset:
		return m.Time > 0
	}
	return false
}

// Effects is what steps decided beside row changes. The caller empties it.
type Effects struct {
	Send      []Message
	Dirty     []Dirty
	Deleted   []Deletion
	Aliases   []Alias
	Receipts  []Receipt
	Withdrawn []Customer // their aliases, if there are any, do not hold any more
	Shared    []Reason   // of each identifier that became shared
	Ledger    Ledger
	Expired   Expired
}

// Dirty says that conversions may have another answer now.
type Dirty struct {
	Root       ID             // the root that holds them; None: the conversion is parked at its actor
	Conversion string         // this one came or changed; empty: a touch did
	Since      schemas.Millis // time of the touch, or earliest that the conversion had or has; 0: all of the root are meant
	Cause      Cause
}

// Deletion is the last word on a forgotten conversion.
type Deletion struct {
	Conversion string
	Revision   uint32
}

// Alias says that a customer goes on under another root. It is withdrawn when the tree that holds them together is
// dissolved: always later than it was emitted, and before the next one for the same customer.
type Alias struct {
	Old, New       ID
	OldCut, NewCut schemas.Millis
}

// Receipt says in counts what became of a request to forget or unlink. One request can lead to several, since what it
// reaches is spread over many actors; what was under way at the time is dropped later, and in none.
type Receipt struct {
	Request     string         // "": it follows from an earlier request, or a limit was met
	Cut         schemas.Millis // what is up to it was forgotten; 0: an identifier was declared shared, or met a limit
	Identifiers int            // that forgot, or became shared
	Facts       int            // touches, activities and consents that were dropped
	Conversions int            // that were dropped
	Reason      Reason         // why an identifier became shared
	Links       int            // of an identifier that became shared: identifiers that it was seen with
}

// Customer is what a public customer id is made of: a root and up to when it was forgotten.
type Customer struct {
	Root ID
	Cut  schemas.Millis
}

// Ledger counts how the fresh messages ended: each ends in exactly one of them.
type Ledger struct {
	Applied   int64
	Duplicate int64
	Conflict  int64 // of the duplicates, those whose content differed
	Forgotten int64 // filtered: at or before a forget
	Shared    int64 // filtered: only shared identifiers
	Expired   int64 // older than what is kept
}

// Sum adds o to l.
func (l *Ledger) Sum(o Ledger) {
	l.Applied += o.Applied
	l.Duplicate += o.Duplicate
	l.Conflict += o.Conflict
	l.Forgotten += o.Forgotten
	l.Shared += o.Shared
	l.Expired += o.Expired
}

// Reset empties e, keeping its memory.
func (e *Effects) Reset() {
	clear(e.Send)
	*e = Effects{Send: e.Send[:0], Dirty: e.Dirty[:0], Deleted: e.Deleted[:0], Aliases: e.Aliases[:0], Withdrawn: e.Withdrawn[:0],
		Shared: e.Shared[:0], Receipts: e.Receipts[:0]}
}
