package schemas

import (
	"math"
	"strconv"
)

// AuditKind is what an audit record is about.
type AuditKind string

// The kinds. More may be added.
const (
	AuditErasure       AuditKind = "erasure"       // something of a person was erased: a receipt
	AuditUnlink        AuditKind = "unlink"        // an identifier became shared and links nobody any more
	AuditConfiguration AuditKind = "configuration" // an instance started, with these settings
)

// AuditKinds lists what this version writes.
var AuditKinds = []AuditKind{AuditErasure, AuditUnlink, AuditConfiguration}

// Audit is the value of the audit topic: what was erased, unlinked or configured. It names no person, and its counts are
// never negative.
type Audit struct {
	Kind AuditKind
	At   Millis // record time of what did it; of a configuration the instance's clock

	// Of an erasure or unlink. Request is the event id of the forget event, or the name that the operator's command gave:
	// empty if nobody asked, as when a limit was met or something of a forgotten person came late. One request can have
	// several records, each for a part of what it reached; together they say what became of it.
	Request     string
	UpTo        Millis // erasure: what happened up to then is forgotten
	Identifiers int64  // that were erased, or became shared
	Events      int64  // erasure: touches, activities and consents
	Conversions int64  // erasure
	Reason      string // unlink: declared, or the limit that was met
	Links       int64  // unlink: identifiers that the shared one had been seen with

	// Of a configuration. Settings are those in effect, without secrets and personal data, each path once.
	Instance string
	Version  string
	Settings []AuditSetting
}

// AuditSetting is one setting in effect.
type AuditSetting struct {
	Path  string // as kafka.brokers
	Value string // as in a settings file
}

// Encode appends the record as JSON, without the members that the kind has no use for.
func (a *Audit) Encode(dst []byte) []byte {
	dst = append(dst, `{"kind":`...)
	dst = appendString(dst, string(a.Kind))
	dst = append(dst, `,"at":"`...)
	dst = a.At.appendText(dst)
	dst = append(dst, '"')
	text := func(name, value string) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = appendString(dst, value)
	}
	count := func(name string, n int64) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = strconv.AppendInt(dst, n, 10)
	}
	switch a.Kind {
	case AuditErasure:
		text("request", a.Request)
		text("up_to", a.UpTo.String())
		count("identifiers", a.Identifiers)
		count("events", a.Events)
		count("conversions", a.Conversions)
	case AuditUnlink:
		text("request", a.Request)
		text("reason", a.Reason)
		count("identifiers", a.Identifiers)
		count("links", a.Links)
	case AuditConfiguration:
		text("instance", a.Instance)
		text("version", a.Version)
		dst = append(dst, `,"settings":{`...)
		for i, s := range a.Settings {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, s.Path)
			dst = append(dst, ':')
			dst = appendString(dst, s.Value)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// DecodeAudit reads what Encode writes. Every error is a *Refusal.
func DecodeAudit(value []byte) (Audit, error) {
	var a Audit
	if _, err := read(value, a.read); err != nil {
		return Audit{}, err
	}
	return a, nil
}

func (a *Audit) read(r *reader) {
	if !r.open("") {
		r.refuse(ReasonNotJSON, "", "not an object")
		return
	}
	for r.more() {
		switch name := r.name(); string(name) {
		case "kind":
			a.Kind = AuditKind(r.word("kind"))
		case "at":
			a.At = r.time("at")
		case "request":
			a.Request = r.text("request", MaxIDBytes)
		case "reason":
			a.Reason = r.text("reason", MaxTextBytes)
		case "up_to":
			a.UpTo = r.time("up_to")
		case "identifiers":
			a.Identifiers = r.integer("identifiers", math.MaxInt64)
		case "events":
			a.Events = r.integer("events", math.MaxInt64)
		case "conversions":
			a.Conversions = r.integer("conversions", math.MaxInt64)
		case "links":
			a.Links = r.integer("links", math.MaxInt64)
		case "instance":
			a.Instance = r.text("instance", MaxTextBytes)
		case "version":
			a.Version = r.text("version", MaxTextBytes)
		case "settings":
			a.readSettings(r)
		default:
			r.ignore()
		}
	}
	if a.Kind == "" {
		r.refuse(ReasonMissingField, "kind", "")
	}
	if a.At == 0 {
		r.refuse(ReasonMissingField, "at", "")
	}
	if a.Kind == AuditErasure && a.UpTo == 0 {
		r.refuse(ReasonMissingField, "up_to", "")
	}
}

func (a *Audit) readSettings(r *reader) {
	if r.absent() || !r.open("settings") {
		return
	}
	for r.more() {
		path := string(r.name())
		a.Settings = append(a.Settings, AuditSetting{path, r.text("settings", MaxTextBytes)})
	}
}
