package journey

import (
	"bytes"
	"cmp"

	"tributary/schemas"
)

// Direct is the channel of a touch that nobody brought: typed in, from a bookmark, or unknown.
const Direct = "direct"

// Touch is one touch or activity event of a customer. The zero value is no event. The strings are the sender's words;
// an empty one means that the sender did not say.
type Touch struct {
	EventID string // 1 to 256 bytes; one event id is one event
	At      schemas.Millis

	// Activity marks an event that keeps a session alive and earns no credit. The words below are then empty.
	Activity bool

	Kind       string // click, impression, visit, call, …
	Channel    string // never empty on a touch: Direct if nothing else is known
	Source     string
	Medium     string
	Campaign   string
	CampaignID string
	AdID       string
	Creative   string
	Keyword    string
	Placement  string

	// Consented says that the sender told with the event itself that the person agreed to attribution.
	Consented bool

	// Content is the event's canonical content. It decides between two events with one event id and nothing else reads
	// it. Two touches with equal EventID, At and Content are the same in every field.
	Content []byte
}

// Wins reports whether t, and not other, is the one to keep when both carry one event id: the smaller (At, Content). Of
// two equal ones neither wins; they are the same event.
func (t *Touch) Wins(other *Touch) bool {
	if t.At != other.At {
		return t.At < other.At
	}
	return bytes.Compare(t.Content, other.Content) < 0
}

// Conversion is one conversion of a customer, already resolved from its statements and refunds. When the event also
// carried a touch, that touch is among the touches, under the same event id and time.
type Conversion struct {
	ID      string // names the conversion; no two of a customer share it
	EventID string // the event that stated it; with At its place in the customer's order
	Name    string // "purchase", …: picks its ConversionRule
	At      schemas.Millis

	Value    int64 // minor units of Currency, at least 0
	Net      int64 // Value less refunds, between 0 and Value
	Currency string
	Refunded bool // a Value above 0 was wholly refunded
}

// Verdict says whether a conversion counts, or why it does not.
type Verdict uint8

// The verdicts. Where two reasons hold, the first of this list is given.
const (
	Counted            Verdict = iota // it counts, with or without touches
	NotFirstOccurrence                // its name counts once a customer and an earlier one has the place
	Refunded                          // its value was above 0 and was wholly refunded
)

func (v Verdict) String() string {
	switch v {
	case Counted:
		return "counted"
	case NotFirstOccurrence:
		return "not_first_occurrence"
	case Refunded:
		return "refunded"
	}
	return "unknown verdict"
}

// Path is a conversion with the touches that share its credit.
type Path struct {
	Conversion Conversion
	Verdict    Verdict
	Touches    []Step // in the order of (At, EventID); empty when no touch is eligible or the verdict is not Counted
	Summary    Summary
}

// Step is one touch of a path. Touch points into the slice that was given to Paths.
type Step struct {
	Touch *Touch

	// Session counts the path's sessions from 1: the session of its first eligible touch. Only sessions that hold an
	// eligible touch have a number, so that nothing outside of the conversion's window moves it.
	Session int
}

// Summary describes the journey that led to a conversion, before touch_unit keeps one touch a session. It is zero when
// there is no eligible touch or the verdict is not Counted.
type Summary struct {
	Touches      int            // eligible touches
	Sessions     int            // sessions that hold one
	FirstTouchAt schemas.Millis // time of the earliest
}

// place is where an event stands in its customer's order. Events with one event id and time share a place: a conversion
// and its own touch. The zero place is before every event.
type place struct {
	at schemas.Millis
	id string
}

func (t *Touch) place() place      { return place{t.At, t.EventID} }
func (c *Conversion) place() place { return place{c.At, c.EventID} }

func (p place) compare(q place) int {
	if p.at != q.at {
		return cmp.Compare(p.at, q.at)
	}
	return cmp.Compare(p.id, q.id)
}
