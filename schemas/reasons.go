package schemas

// Reason says why a record was not applied. One list serves as the dead letter's header, the metric's label and the
// table in the documentation.
type Reason string

// Reasons a source record goes to the dead-letter topic.
const (
	ReasonNotJSON         Reason = "not_json"                // the value is not one JSON object (syntax, wrong UTF-8, trailing data)
	ReasonNotProtobuf     Reason = "not_protobuf"            // the value is not a message of the contract
	ReasonDuplicateKey    Reason = "duplicate_key"           // a JSON object names a member twice
	ReasonTooDeep         Reason = "too_deep"                // nested deeper than MaxDepth
	ReasonTooLarge        Reason = "too_large"               // more than MaxEventBytes
	ReasonMissingField    Reason = "missing_field"           // a required field is absent or null
	ReasonWrongType       Reason = "wrong_type"              // a field has another JSON type than the contract's
	ReasonBadValue        Reason = "bad_value"               // a field's text is outside of what the contract allows
	ReasonUnknownType     Reason = "unknown_type"            // `type` is not one of the contract's
	ReasonBadTime         Reason = "bad_time"                // occurred_at is not a time, has no zone, or is before 1970
	ReasonFuture          Reason = "future"                  // occurred_at is more than 24 h ahead of the broker's clock
	ReasonNegativeValue   Reason = "negative_value"          // an amount below zero
	ReasonBadAmount       Reason = "bad_amount"              // an amount is not a decimal number, or too large to keep exactly
	ReasonUnknownCurrency Reason = "unknown_currency"        // not an ISO 4217 code, or none although there is an amount
	ReasonNoIdentifier    Reason = "no_identifier"           // no identifier is left after normalisation
	ReasonUnknownIDType   Reason = "unknown_identifier_type" // an identifier type that is no name: empty, too long, or with a control character
	ReasonTombstone       Reason = "tombstone"               // the record has no value
	ReasonConsentRefused  Reason = "consent_refused"         // settings refuse events without consent
)

// Reasons lists them all.
var Reasons = []Reason{
	ReasonNotJSON, ReasonNotProtobuf, ReasonDuplicateKey, ReasonTooDeep, ReasonTooLarge, ReasonMissingField, ReasonWrongType,
	ReasonBadValue, ReasonUnknownType, ReasonBadTime, ReasonFuture, ReasonNegativeValue, ReasonBadAmount, ReasonUnknownCurrency,
	ReasonNoIdentifier, ReasonUnknownIDType, ReasonTombstone, ReasonConsentRefused,
}

// ReasonLate is why an event goes to the late topic: it is further behind its source partition's watermark than is allowed.
const ReasonLate Reason = "late"

// Reasons an event was accepted but takes no part (the ledger's "filtered").
const (
	FilteredNoConsent Reason = "no_consent"        // consent.attribution is false
	FilteredForgotten Reason = "forgotten"         // at or before a forget of one of its identifiers
	FilteredShared    Reason = "shared_identifier" // names only identifiers that are shared by many people
	FilteredUnused    Reason = "unused_type"       // a type that no configured part uses
)

// FilteredReasons lists them all.
var FilteredReasons = []Reason{FilteredNoConsent, FilteredForgotten, FilteredShared, FilteredUnused}

// Limits of one source record.
const (
	MaxEventBytes = 1 << 20 // bytes of the record's value
	MaxDepth      = 32      // nested JSON objects and arrays
	MaxIDBytes    = 256     // event_id and conversion ids
	MaxTextBytes  = 2048    // any other text field
	MaxIDs        = 32      // identifiers of one event
)

// Refusal says that one record is refused and why. It is an error whose text names the field and never holds a value
// that could be personal.
type Refusal struct {
	Reason Reason
	Field  string // JSON path, such as "conversion.value"; empty when the whole record is meant
	Detail string // what was wrong, without the offending value
}

func (r *Refusal) Error() string {
	s := string(r.Reason)
	if r.Field != "" {
		s = r.Field + ": " + s
	}
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	return s
}
