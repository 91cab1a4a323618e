package schemas

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// DecodeEvent reads one source event of the native format, one JSON object. It checks everything that can be said about
// the record alone; CheckFuture needs the broker's clock, and whether identifiers are usable is for normalisation to say.
// Identifiers may be empty.
//
// Every error is a *Refusal that names the first fault's field, and no value. The event keeps nothing of value's memory.
func DecodeEvent(value []byte) (Event, error) { return Decoder{}.Event(value) }

// Decoder reads source events of one sender. The zero value reads by the contract alone, as DecodeEvent does.
type Decoder struct {
	// DefaultCurrency is the ISO 4217 code of amounts that come without one, 0 included. An absent amount stays in none.
	// Empty: an amount that is not 0 needs its own.
	DefaultCurrency string
}

// Event is DecodeEvent with the decoder's defaults.
func (d Decoder) Event(value []byte) (Event, error) {
	if len(value) == 0 {
		return Event{}, &Refusal{Reason: ReasonTombstone}
	}
	if len(value) > MaxEventBytes {
		return Event{}, tooLarge()
	}
	var e Event
	ignored, err := read(value, func(r *reader) { e.read(r, d) })
	if err != nil {
		return Event{}, err
	}
	e.Ignored = ignored
	if refusal := e.complete(); refusal != nil {
		return Event{}, refusal
	}
	return e, nil
}

// CheckFuture refuses an event whose time is more than MaxAhead ahead of recordTime, the time that the broker or the
// producer gave its record. A recordTime of 0 is not known and refuses nothing. The error is a *Refusal.
func CheckFuture(e Event, recordTime Millis) error {
	if recordTime > 0 && e.OccurredAt > recordTime.Add(MaxAhead) {
		return &Refusal{Reason: ReasonFuture, Field: "occurred_at", Detail: "more than " + MaxAhead.String() + " ahead of the record's time"}
	}
	return nil
}

// parts says which parts an event of a type has to have and which it may have besides. Consent is allowed everywhere.
var parts = map[EventType]struct{ needs, allows string }{
	TypeTouch:      {needs: "touch"},
	TypeActivity:   {},
	TypeConversion: {needs: "conversion", allows: "touch"},
	TypeRefund:     {needs: "refund"},
	TypeIdentify:   {},
	TypeConsent:    {needs: "consent"},
	TypeForget:     {},
	TypeCost:       {allows: "touch"},
}

// EventTypes lists the types of the contract.
var EventTypes = []EventType{TypeTouch, TypeActivity, TypeConversion, TypeRefund, TypeIdentify, TypeConsent, TypeForget, TypeCost}

// complete checks what the members say together, and fills the conversion's id. It returns the first fault, or nil.
func (e *Event) complete() *Refusal {
	switch {
	case e.ID == "":
		return &Refusal{Reason: ReasonMissingField, Field: "event_id"}
	case e.Type == "":
		return &Refusal{Reason: ReasonMissingField, Field: "type"}
	case !slices.Contains(EventTypes, e.Type):
		return &Refusal{Reason: ReasonUnknownType, Field: "type"}
	case e.OccurredAt == 0:
		return &Refusal{Reason: ReasonMissingField, Field: "occurred_at"}
	}
	rule := parts[e.Type]
	for _, part := range [...]struct {
		name    string
		present bool
	}{
		{"touch", e.Touch != nil}, {"conversion", e.Conversion != nil}, {"refund", e.Refund != nil}, {"consent", e.Consent != nil},
	} {
		switch {
		case part.present && part.name != rule.needs && part.name != rule.allows && part.name != "consent":
			return &Refusal{Reason: ReasonBadValue, Field: part.name, Detail: "not allowed on an event of type " + string(e.Type)}
		case !part.present && part.name == rule.needs && part.name == "consent":
			return &Refusal{Reason: ReasonMissingField, Field: "consent.attribution"}
		case !part.present && part.name == rule.needs:
			return &Refusal{Reason: ReasonMissingField, Field: part.name}
		}
	}
	if e.Conversion != nil && e.Conversion.ID == "" {
		e.Conversion.ID = e.ID
	}
	return nil
}

func (e *Event) read(r *reader, d Decoder) {
	if !r.open("") {
		r.refuse(ReasonNotJSON, "", "not an object")
		return
	}
	for r.more() {
		switch name := r.name(); string(name) {
		case "event_id":
			e.ID = r.id("event_id")
		case "type":
			e.Type = EventType(r.word("type"))
		case "occurred_at":
			e.OccurredAt = r.time("occurred_at")
		case "identifiers":
			e.Identifiers = readIdentifiers(r)
		case "touch":
			e.readTouch(r, d)
		case "conversion":
			e.readConversion(r, d)
		case "refund":
			e.readRefund(r, d)
		case "consent":
			e.readConsent(r)
		case "context":
			readContext(r)
		default:
			r.ignore()
		}
	}
}

// readIdentifiers reads a map of type to a text, a whole number, or a list of them.
func readIdentifiers(r *reader) (ids []Identifier) {
	if !r.open("identifiers") {
		return nil
	}
	for r.more() {
		kind := r.identifierType()
		if r.dec.PeekKind() != '[' {
			ids = r.identifier(ids, kind)
			continue
		}
		r.openList("identifiers")
		for r.more() {
			ids = r.identifier(ids, kind)
		}
	}
	return ids
}

// identifierType is the next member's name as an identifier type. Whether the type is one that counts, the settings say.
func (r *reader) identifierType() string {
	name := r.name()
	if w, ok := words[string(name)]; ok {
		return w
	}
	if problem := typeProblem(name); problem != "" {
		r.refuse(ReasonUnknownIDType, "identifiers", problem)
	}
	return string(name)
}

// identifier appends the next value to ids; nothing for null. White space at the ends stays: it is for normalisation to
// trim, so control characters there are no fault.
func (r *reader) identifier(ids []Identifier, kind string) []Identifier {
	if r.absent() {
		return ids
	}
	id := Identifier{Type: kind}
	switch r.dec.PeekKind() {
	case '"':
		b := r.unquoted()
		if problem := textProblem(bytes.Trim(b, asciiSpace), MaxTextBytes); problem != "" {
			r.refuse(ReasonBadValue, identifierPath(kind), problem)
		}
		id.Value = string(b)
	case '0':
		id.Value = string(r.value())
		if problem := numberProblem(id.Value); problem != "" {
			r.refuse(ReasonBadValue, identifierPath(kind), problem)
		}
	default:
		r.is('"', identifierPath(kind), "neither a string nor a whole number")
	}
	if len(ids) == MaxIDs {
		r.refuse(ReasonBadValue, "identifiers", "more than "+strconv.Itoa(MaxIDs))
	}
	if r.refused() {
		return nil
	}
	return append(ids, id)
}

// numberProblem says why a JSON number is no identifier; empty for nothing.
func numberProblem(number string) string {
	if len(number) > MaxTextBytes {
		return "longer than " + strconv.Itoa(MaxTextBytes) + " bytes"
	}
	if _, rest := leadingDigits(strings.TrimPrefix(number, "-")); rest != "" {
		return "not a whole number"
	}
	return ""
}

func identifierPath(kind string) string { return "identifiers." + pathName([]byte(kind)) }

func (e *Event) readTouch(r *reader, d Decoder) {
	if !r.open("touch") {
		return
	}
	t := new(Touch)
	var cost amount
	for r.more() {
		switch name := r.name(); string(name) {
		case "kind":
			t.Kind = r.word("touch.kind")
		case "channel":
			t.Channel = r.word("touch.channel")
		case "source":
			t.Source = r.word("touch.source")
		case "medium":
			t.Medium = r.word("touch.medium")
		case "campaign":
			t.Campaign = r.text("touch.campaign", MaxTextBytes)
		case "campaign_id":
			t.CampaignID = r.text("touch.campaign_id", MaxTextBytes)
		case "ad_id":
			t.AdID = r.text("touch.ad_id", MaxTextBytes)
		case "creative":
			t.Creative = r.text("touch.creative", MaxTextBytes)
		case "keyword":
			t.Keyword = r.text("touch.keyword", MaxTextBytes)
		case "placement":
			t.Placement = r.text("touch.placement", MaxTextBytes)
		case "referrer":
			t.Referrer = r.text("touch.referrer", MaxTextBytes)
		case "click_id":
			t.ClickID = r.text("touch.click_id", MaxTextBytes)
		case "cost":
			cost.text, cost.present = r.amount("touch.cost")
		case "currency":
			cost.currency = r.word("touch.currency")
		default:
			r.ignore()
		}
	}
	t.Cost = e.money(&r.fault, d.amount(cost), "touch.cost", "touch.currency")
	e.Touch = t
}

func (e *Event) readConversion(r *reader, d Decoder) {
	if !r.open("conversion") {
		return
	}
	c := new(Conversion)
	var value amount
	for r.more() {
		switch name := r.name(); string(name) {
		case "name":
			c.Name = r.word("conversion.name")
		case "id":
			c.ID = r.id("conversion.id")
		case "value":
			value.text, value.present = r.amount("conversion.value")
		case "currency":
			value.currency = r.word("conversion.currency")
		default:
			r.ignore()
		}
	}
	if c.Name == "" {
		r.refuse(ReasonMissingField, "conversion.name", "")
	}
	c.Value = e.money(&r.fault, d.amount(value), "conversion.value", "conversion.currency")
	e.Conversion = c
}

func (e *Event) readRefund(r *reader, d Decoder) {
	if !r.open("refund") {
		return
	}
	f := new(Refund)
	var back amount
	for r.more() {
		switch name := r.name(); string(name) {
		case "conversion_id":
			f.ConversionID = r.id("refund.conversion_id")
		case "amount":
			back.text, back.present = r.amount("refund.amount")
		case "currency":
			back.currency = r.word("refund.currency")
		default:
			r.ignore()
		}
	}
	if f.ConversionID == "" {
		r.refuse(ReasonMissingField, "refund.conversion_id", "")
	}
	if !back.present {
		r.refuse(ReasonMissingField, "refund.amount", "")
	}
	f.Amount = e.money(&r.fault, d.amount(back), "refund.amount", "refund.currency")
	e.Refund = f
}

// readConsent reads the sender's word on attribution; consent that does not speak of it is no consent part.
func (e *Event) readConsent(r *reader) {
	if !r.open("consent") {
		return
	}
	var attribution, present bool
	for r.more() {
		switch name := r.name(); string(name) {
		case "attribution":
			attribution, present = r.boolean("consent.attribution")
		default:
			r.ignore()
		}
	}
	if present {
		e.Consent = &Consent{Attribution: attribution}
	}
}

// readContext reads over the sender's own notes, of which nothing is kept.
func readContext(r *reader) {
	if !r.open("context") {
		return
	}
	for r.more() {
		r.name()
		r.skip()
	}
}

// amount gives an amount the default currency if it names none.
func (d Decoder) amount(a amount) amount {
	if a.present && a.currency == "" {
		a.currency = d.DefaultCurrency
	}
	return a
}

// money is f.money, and counts what was rounded.
func (e *Event) money(f *fault, a amount, path, currencyPath string) Money {
	m, rounded := f.money(a, path, currencyPath)
	if rounded {
		e.Rounded++
	}
	return m
}

// Encode appends the event as one line of JSON that DecodeEvent reads as the same event; Ignored and Rounded are not part
// of it. Members have a fixed order; identifiers have that of their first value, and those of one type stand together.
func (e *Event) Encode(dst []byte) []byte {
	dst = append(dst, `{"event_id":`...)
	dst = appendString(dst, e.ID)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, string(e.Type))
	dst = append(dst, `,"occurred_at":`...)
	dst = appendTime(dst, e.OccurredAt)
	if len(e.Identifiers) > 0 {
		dst = append(dst, `,"identifiers":`...)
		dst = appendIdentifiers(dst, e.Identifiers)
	}
	if e.Touch != nil {
		dst = e.Touch.append(dst)
	}
	if c := e.Conversion; c != nil {
		dst = append(dst, `,"conversion":{"name":`...)
		dst = appendString(dst, c.Name)
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, c.ID)
		dst = append(c.Value.appendMembers(dst, `,"value":"`), '}')
	}
	if f := e.Refund; f != nil {
		dst = append(dst, `,"refund":{"conversion_id":`...)
		dst = appendString(dst, f.ConversionID)
		dst = append(f.Amount.appendMembers(dst, `,"amount":"`), '}')
	}
	if e.Consent != nil {
		dst = append(dst, `,"consent":{"attribution":`...)
		dst = append(strconv.AppendBool(dst, e.Consent.Attribution), '}')
	}
	return append(dst, '}')
}

func appendIdentifiers(dst []byte, ids []Identifier) []byte {
	ids = groupByType(ids)
	for i, id := range ids {
		switch {
		case i == 0:
			dst = append(appendString(append(dst, '{'), id.Type), ":["...)
		case id.Type != ids[i-1].Type:
			dst = append(appendString(append(dst, "],"...), id.Type), ":["...)
		default:
			dst = append(dst, ',')
		}
		dst = appendString(dst, id.Value)
	}
	return append(dst, "]}"...)
}

// groupByType puts the identifiers of one type together, the type that came first before the others. It does not change
// ids.
func groupByType(ids []Identifier) []Identifier {
	first := func(id Identifier) int {
		return slices.IndexFunc(ids, func(other Identifier) bool { return other.Type == id.Type })
	}
	byFirst := func(a, b Identifier) int { return cmp.Compare(first(a), first(b)) }
	if slices.IsSortedFunc(ids, byFirst) {
		return ids
	}
	return slices.SortedStableFunc(slices.Values(ids), byFirst)
}

func (t *Touch) append(dst []byte) []byte {
	dst = append(dst, `,"touch":{`...)
	start := len(dst)
	dst = appendOptional(dst, `,"kind":`, t.Kind)
	dst = appendOptional(dst, `,"channel":`, t.Channel)
	dst = appendOptional(dst, `,"source":`, t.Source)
	dst = appendOptional(dst, `,"medium":`, t.Medium)
	dst = appendOptional(dst, `,"campaign":`, t.Campaign)
	dst = appendOptional(dst, `,"campaign_id":`, t.CampaignID)
	dst = appendOptional(dst, `,"ad_id":`, t.AdID)
	dst = appendOptional(dst, `,"creative":`, t.Creative)
	dst = appendOptional(dst, `,"keyword":`, t.Keyword)
	dst = appendOptional(dst, `,"placement":`, t.Placement)
	dst = appendOptional(dst, `,"referrer":`, t.Referrer)
	dst = appendOptional(dst, `,"click_id":`, t.ClickID)
	if t.Cost.Currency != "" && t.Cost != (Money{Currency: NoCurrency}) {
		dst = t.Cost.appendMembers(dst, `,"cost":"`)
	}
	if len(dst) > start {
		dst = slices.Delete(dst, start, start+1) // the comma before the first member
	}
	return append(dst, '}')
}

// appendMembers appends an amount's two members; the currency is left out for none.
func (m Money) appendMembers(dst []byte, member string) []byte {
	dst = append(m.AppendText(append(dst, member...)), '"')
	if m.Currency == "" || m == (Money{Currency: NoCurrency}) {
		return dst
	}
	return appendString(append(dst, `,"currency":`...), m.Currency)
}
