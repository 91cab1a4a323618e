// Package schemas is the contract between Tributary and everybody else: the event that comes in, the attribution record
// that goes out, the reasons a record is refused, and how money and time are written. README.md is its documentation for
// people who do not write Go.
//
// Bytes come in, values go out, and back: DecodeEvent and DecodeAttribution read strictly and refuse with a *Refusal that
// names the field; Event.Encode and Attribution.Encode write equal values as equal bytes. Nothing here decides anything
// about a customer, normalises an identifier or asks a clock.
//
// A worked example. A shop sends
//
//	{"event_id": "o-1001-created", "type": "conversion", "occurred_at": "2026-03-03T11:00:00+01:00",
//	 "identifiers": {"user_id": 4711, "email": "Ann@Example.com"},
//	 "conversion": {"name": "purchase", "id": "order-1001", "value": "99.90", "currency": "USD"}}
//
// which DecodeEvent makes an Event at 2026-03-03T10:00:00.000Z with two identifiers and a value of Money{9990, "USD"}. Had
// the value been "99,90", the answer would be the refusal
//
//	conversion.value: bad_amount: not a decimal number
//
// and the record would go to the dead letters with that reason. Two touches share the sale by the linear model, and the
// output is an Attribution in which each has Credit{Share: 500_000, Minor: 4995}, written as
//
//	"credit": {"linear": {"share": 0.5, "value": "49.95"}}
//
// Attribution.Check verifies that shares and values add up to exactly 1.000000 and 99.90.
package schemas
