package schemas

import (
	"fmt"
	"io"
)

// EventType is the kind of a source event.
type EventType string

// The event types of the contract.
const (
	TypeTouch      EventType = "touch"      // can earn credit
	TypeActivity   EventType = "activity"   // keeps a session alive, earns no credit
	TypeConversion EventType = "conversion" // a statement of a conversion
	TypeRefund     EventType = "refund"     // takes back part of a conversion's value
	TypeIdentify   EventType = "identify"   // links identifiers, nothing else
	TypeConsent    EventType = "consent"    // grants or withdraws consent from its time on
	TypeForget     EventType = "forget"     // erases the person up to its time
	TypeCost       EventType = "cost"       // advertising cost, not tied to a person
)

// Identifier is one raw identifier of an event, as it was sent. It is personal data: it does not print its value, and it
// never leaves ingest.
type Identifier struct {
	Type  string // "email", "phone", …
	Value string
}

// String says the type and that the rest is hidden, as every other way to print an Identifier does. A type that is no plain
// word is a question mark: a sender can put personal data there, too.
func (i Identifier) String() string { return pathName([]byte(i.Type)) + ":hidden" }

// Format keeps every verb of fmt to String.
func (i Identifier) Format(f fmt.State, _ rune) { io.WriteString(f, i.String()) }

// MarshalText keeps encoders and loggers to String.
func (i Identifier) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// Event is one decoded source event (README.md, "The event"). The parts that its type does not use are nil.
type Event struct {
	ID          string // 1 to 256 bytes: the idempotency key
	Type        EventType
	OccurredAt  Millis
	Identifiers []Identifier // in document order; one entry a value
	Touch       *Touch
	Conversion  *Conversion
	Refund      *Refund
	Consent     *Consent
	Ignored     int // members of the record that the contract does not name; 0 in an event that was not decoded
	Rounded     int // amounts of the record that had more decimals than their currency
}

// Touch is a contact of marketing with a person. All fields are optional words of the sender, at most MaxTextBytes each;
// Channel is filled by the channel mapping when the sender left it empty.
type Touch struct {
	Kind       string // click, impression, visit, call, email_open, …
	Channel    string
	Source     string
	Medium     string
	Campaign   string
	CampaignID string
	AdID       string
	Creative   string
	Keyword    string
	Placement  string
	Referrer   string // used by the channel mapping, then dropped: it can hold personal data
	ClickID    string // likewise
	Cost       Money
}

// Conversion is one statement of a conversion.
type Conversion struct {
	Name  string // "purchase", …
	ID    string // defaults to the event id
	Value Money  // at least 0
}

// Refund takes Amount back from a conversion.
type Refund struct {
	ConversionID string
	Amount       Money // at least 0
}

// Consent is the sender's word on what may be done with the person's data.
type Consent struct {
	Attribution bool
}
