// Package ingest decides what becomes of one source record: it decodes and checks the event, normalises and pseudonymises
// its identifiers, finds the channel, and returns the journal messages that carry it on, or the reason why it goes no
// further. It keeps no state, opens nothing and reads no clock.
//
// A click of a cookie and an e-mail address becomes one message to the e-mail's actor, which is the stronger identifier:
//
//	{"event_id":"e1","type":"touch","occurred_at":"2026-03-01T10:00:00Z",
//	 "identifiers":{"anonymous_id":"c-81f","email":"Ann@Example.com"},"touch":{"kind":"click","source":"google","medium":"cpc"}}
//	→ Event to 0301…(e-mail), identifiers [0301…, 0601…], content: e1, click, paid_search, google, cpc
//
// After ingest there is no raw identifier anywhere: not in a message, not in an error.
package ingest

import (
	"errors"
	"slices"
	"strconv"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/attribution"
)

// Channels finds the channel of a touch whose sender left it empty.
type Channels interface {
	Channel(t *schemas.Touch) string
}

// Consent says what happens to an event whose sender says consent.attribution: false.
type Consent string

// The policies.
const (
	ConsentAnonymous Consent = "anonymous" // a conversion or refund goes on without identifiers and touch, else as ConsentFilter
	ConsentFilter    Consent = "filter"    // it is counted and goes no further
	ConsentRefuse    Consent = "refuse"    // it is a dead letter
)

// Ingest turns source records into journal messages. It is safe for concurrent use if its parts are.
type Ingest struct {
	Normalizer     *identity.Normalizer
	Channels       Channels
	WithoutConsent Consent // the zero value filters
	// Shared are pseudonyms that are declared shared. They stand last in the lists of messages, so that every event goes to
	// an identifier that can hold it, and not by way of one that passes everything on.
	Shared map[identity.ID]bool
	// DefaultCurrency is that of amounts whose sender names none; empty: such an amount, unless it is 0, is refused.
	DefaultCurrency string
}

// SharedOf are the pseudonyms of identifiers that are declared shared.
func SharedOf(n *identity.Normalizer, identifiers []schemas.Identifier) map[identity.ID]bool {
	ids, _ := n.IDs(identifiers, nil)
	shared := make(map[identity.ID]bool, len(ids))
	for _, id := range ids {
		shared[id] = true
	}
	return shared
}

// Result is what became of one record. Exactly one of Messages, Refusal and Filtered is set.
type Result struct {
	At          schemas.Millis     // event time; 0 if the record could not be read that far
	Messages    []identity.Message // one of them is Fresh: whoever ends its way counts the event
	Refusal     *schemas.Refusal
	Filtered    schemas.Reason
	Identifiers identity.Outcome // what became of the identifiers, in counts
	Ignored     int              // members that the contract does not know
}

// AnyAge reports whether an accepted event is what a person wants: to be forgotten, or asked for consent. That is never
// late.
func (r *Result) AnyAge() bool {
	m := &r.Messages[0]
	return m.Kind == identity.KindForget || m.Fact != nil && m.Fact.Standing
}

// Replay marks what follows from the record as that of one that is replayed: it revises final answers, too.
func (r *Result) Replay() {
	for i := range r.Messages {
		r.Messages[i].Cause = identity.CauseBackfill
	}
}

// Replayed reports whether an accepted event is replayed: such a one is never late and says nothing of how far time has come.
func (r *Result) Replayed() bool { return r.Messages[0].Cause == identity.CauseBackfill }

// Record decides on the value of a source record that the broker stamped with the time at.
func (in *Ingest) Record(value []byte, at schemas.Millis) Result {
	e, err := schemas.Decoder{DefaultCurrency: in.DefaultCurrency}.Event(value)
	if err == nil {
		err = schemas.CheckFuture(e, at)
	}
	if err != nil {
		return Result{Refusal: refusalOf(err)}
	}
	return in.event(&e)
}

func refusalOf(err error) *schemas.Refusal {
	var r *schemas.Refusal
	if errors.As(err, &r) {
		return r
	}
	panic("a decoding error without a reason: " + err.Error())
}

func (in *Ingest) event(e *schemas.Event) Result {
	r := Result{At: e.OccurredAt, Ignored: e.Ignored}
	if e.Type == schemas.TypeCost {
		r.Filtered = schemas.FilteredUnused
		return r
	}
	if e.Type != schemas.TypeForget && e.Type != schemas.TypeConsent && e.Consent != nil && !e.Consent.Attribution {
		switch sale := e.Type == schemas.TypeConversion || e.Type == schemas.TypeRefund; {
		case in.WithoutConsent == ConsentRefuse:
			r.Refusal = &schemas.Refusal{Reason: schemas.ReasonConsentRefused, Field: "consent.attribution"}
			return r
		case in.WithoutConsent == ConsentAnonymous && sale:
			e.Identifiers, e.Touch = nil, nil
		default:
			r.Filtered = schemas.FilteredNoConsent
			return r
		}
	}
	ids, outcome := in.Normalizer.IDs(e.Identifiers, nil)
	r.Identifiers = outcome
	if len(ids) == 0 && e.Type != schemas.TypeConversion && e.Type != schemas.TypeRefund {
		r.Refusal = &schemas.Refusal{Reason: schemas.ReasonNoIdentifier, Field: "identifiers", Detail: noneLeft(&outcome)}
		return r
	}
	in.sharedLast(ids)
	r.Messages = in.messages(e, ids)
	return r
}

// sharedLast moves identifiers that are declared shared behind the others.
func (in *Ingest) sharedLast(ids []identity.ID) {
	if len(in.Shared) == 0 {
		return
	}
	slices.SortStableFunc(ids, func(a, b identity.ID) int {
		switch {
		case in.Shared[a] == in.Shared[b]:
			return 0
		case in.Shared[b]:
			return -1
		default:
			return 1
		}
	})
}

// noneLeft says in counts what became of the identifiers of an event that has none left.
func noneLeft(o *identity.Outcome) string {
	detail, sep := "none is left after normalisation", ": "
	for v := identity.Blocked; v <= identity.UnknownType; v++ {
		if n := o.Count(v); n > 0 {
			detail += sep + strconv.Itoa(n) + " " + v.String()
			sep = ", "
		}
	}
	return detail
}

// messages carries an accepted event on, to its strongest identifier or to its conversion's actor.
func (in *Ingest) messages(e *schemas.Event, ids []identity.ID) []identity.Message {
	switch e.Type {
	case schemas.TypeConversion:
		m := identity.Message{Kind: identity.KindConversion, Conversion: e.Conversion.ID, IDs: ids, Fresh: true, Statement: statement(e)}
		if e.Touch != nil && len(ids) > 0 {
			m.Fact = in.fact(e)
		}
		return []identity.Message{m}
	case schemas.TypeRefund:
		return []identity.Message{{Kind: identity.KindConversion, Conversion: e.Refund.ConversionID, IDs: ids, Fresh: true, Statement: statement(e)}}
	case schemas.TypeForget:
		messages := make([]identity.Message, len(ids))
		for i, id := range ids {
			messages[i] = identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: id}, Time: e.OccurredAt, Fresh: i == 0, Request: e.ID}
		}
		return messages
	case schemas.TypeConsent:
		return consent(e, ids)
	default: // touch, activity, identify
		m := identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: ids[0]}, Time: e.OccurredAt, IDs: ids, Fresh: true}
		if e.Type != schemas.TypeIdentify {
			m.Fact = in.fact(e)
		}
		return []identity.Message{m}
	}
}

// consent gives the customer's word to its identifiers. One that withdraws links nobody: each identifier hears of it alone.
func consent(e *schemas.Event, ids []identity.ID) (messages []identity.Message) {
	fact := identity.Fact{Event: identity.EventKeyOf(e.ID), At: e.OccurredAt, Standing: true,
		Body: attribution.ConsentContent(e.ID, e.Consent.Attribution)}
	alone := len(ids)
	if !e.Consent.Attribution {
		alone = 1
	}
	for of := range slices.Chunk(ids, alone) {
		messages = append(messages, identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: of[0]}, Time: e.OccurredAt, IDs: of,
			Fact: &fact, Cause: identity.CauseConsent, Fresh: len(messages) == 0})
	}
	return messages
}

// fact is the event's touch, or its activity.
func (in *Ingest) fact(e *schemas.Event) *identity.Fact {
	if e.Touch != nil && e.Touch.Channel == "" {
		e.Touch.Channel = in.Channels.Channel(e.Touch)
	}
	return &identity.Fact{Event: identity.EventKeyOf(e.ID), At: e.OccurredAt, Body: attribution.TouchContent(e.ID, e.Touch, e.Consent != nil && e.Consent.Attribution)}
}

// statement is what the event says of its conversion.
func statement(e *schemas.Event) *identity.Statement {
	s := identity.Statement{EventID: e.ID, At: e.OccurredAt}
	if e.Type == schemas.TypeRefund {
		s.Refund, s.Amount = true, e.Refund.Amount
	} else {
		s.Name, s.Amount = e.Conversion.Name, e.Conversion.Value
	}
	return &s
}
