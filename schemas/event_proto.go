package schemas

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"tributary/schemas/tributarypb"
)

// DecodeEventProto reads one source event as a tributary.v1.Event message, by the rules of DecodeEvent. An empty text and a
// time of 0 are absent members. Fields that the contract does not name are ignored and not counted.
//
// Every error is a *Refusal that names the first fault's field as in the JSON form, and no value.
func DecodeEventProto(value []byte) (Event, error) { return Decoder{}.EventProto(value) }

// EventProto is DecodeEventProto with the decoder's defaults.
func (d Decoder) EventProto(value []byte) (Event, error) {
	if len(value) == 0 {
		return Event{}, &Refusal{Reason: ReasonTombstone}
	}
	if len(value) > MaxEventBytes {
		return Event{}, tooLarge()
	}
	var p tributarypb.Event
	if p.UnmarshalVT(value) != nil {
		return Event{}, &Refusal{Reason: ReasonNotProtobuf}
	}
	return d.fromProto(&p)
}

// EncodeProto appends the event as a tributary.v1.Event message. Equal events are equal bytes.
func (e *Event) EncodeProto(dst []byte) []byte { return appendProto(dst, e.ToProto()) }

// ToProto is the event as a message.
func (e *Event) ToProto() *tributarypb.Event {
	p := &tributarypb.Event{EventId: e.ID, Type: string(e.Type), OccurredAtMs: int64(e.OccurredAt)}
	for _, id := range e.Identifiers {
		p.Identifiers = append(p.Identifiers, &tributarypb.Identifier{Type: id.Type, Value: id.Value})
	}
	if t := e.Touch; t != nil {
		p.Touch = &tributarypb.Touch{
			Kind: t.Kind, Channel: t.Channel, Source: t.Source, Medium: t.Medium, Campaign: t.Campaign, CampaignId: t.CampaignID,
			AdId: t.AdID, Creative: t.Creative, Keyword: t.Keyword, Placement: t.Placement, Referrer: t.Referrer, ClickId: t.ClickID,
		}
		p.Touch.Cost, p.Touch.Currency = t.Cost.texts()
	}
	if c := e.Conversion; c != nil {
		p.Conversion = &tributarypb.Conversion{Name: c.Name, Id: c.ID}
		p.Conversion.Value, p.Conversion.Currency = c.Value.texts()
	}
	if f := e.Refund; f != nil {
		p.Refund = &tributarypb.Refund{ConversionId: f.ConversionID}
		p.Refund.Amount, p.Refund.Currency = f.Amount.texts()
		if p.Refund.Amount == "" {
			p.Refund.Amount = "0"
		}
	}
	if e.Consent != nil {
		p.Consent = &tributarypb.Consent{Attribution: &e.Consent.Attribution}
	}
	return p
}

// texts is an amount as its two members; both are empty for no money in no currency.
func (m Money) texts() (text, currency string) {
	if m == (Money{}) || m == (Money{Currency: NoCurrency}) {
		return "", ""
	}
	return m.String(), m.Currency
}

// EventFromProto checks a message by the rules of DecodeEvent. Every error is a *Refusal.
func EventFromProto(p *tributarypb.Event) (Event, error) { return Decoder{}.fromProto(p) }

func (d Decoder) fromProto(p *tributarypb.Event) (Event, error) {
	var f fault
	e := Event{
		ID:          f.optionalID(p.EventId, "event_id"),
		Type:        EventType(f.text(p.Type, "type")),
		OccurredAt:  f.millis(p.OccurredAtMs, "occurred_at"),
		Identifiers: identifiersFromProto(&f, p.Identifiers),
	}
	if t := p.Touch; t != nil {
		e.Touch = touchFromProto(&f, t)
		e.Touch.Cost = e.money(&f, d.amount(amountOf(t.Cost, t.Currency)), "touch.cost", "touch.currency")
	}
	if c := p.Conversion; c != nil {
		e.Conversion = &Conversion{
			Name:  f.required(f.text(c.Name, "conversion.name"), "conversion.name"),
			ID:    f.optionalID(c.Id, "conversion.id"),
			Value: e.money(&f, d.amount(amountOf(c.Value, c.Currency)), "conversion.value", "conversion.currency"),
		}
	}
	if r := p.Refund; r != nil {
		f.required(r.ConversionId, "refund.conversion_id")
		f.required(r.Amount, "refund.amount")
		e.Refund = &Refund{
			ConversionID: f.optionalID(r.ConversionId, "refund.conversion_id"),
			Amount:       e.money(&f, d.amount(amountOf(r.Amount, r.Currency)), "refund.amount", "refund.currency"),
		}
	}
	if c := p.Consent; c != nil && c.Attribution != nil {
		e.Consent = &Consent{Attribution: *c.Attribution}
	}
	if f.refused() {
		return Event{}, f.refusal
	}
	if refusal := e.complete(); refusal != nil {
		return Event{}, refusal
	}
	return e, nil
}

func amountOf(text, currency string) amount {
	return amount{text: text, currency: currency, present: text != ""}
}

func touchFromProto(f *fault, t *tributarypb.Touch) *Touch {
	return &Touch{
		Kind:       f.text(t.Kind, "touch.kind"),
		Channel:    f.text(t.Channel, "touch.channel"),
		Source:     f.text(t.Source, "touch.source"),
		Medium:     f.text(t.Medium, "touch.medium"),
		Campaign:   f.text(t.Campaign, "touch.campaign"),
		CampaignID: f.text(t.CampaignId, "touch.campaign_id"),
		AdID:       f.text(t.AdId, "touch.ad_id"),
		Creative:   f.text(t.Creative, "touch.creative"),
		Keyword:    f.text(t.Keyword, "touch.keyword"),
		Placement:  f.text(t.Placement, "touch.placement"),
		Referrer:   f.text(t.Referrer, "touch.referrer"),
		ClickID:    f.text(t.ClickId, "touch.click_id"),
	}
}

// identifiersFromProto reads the identifiers in the order that the JSON form gives them: those of one type together.
func identifiersFromProto(f *fault, list []*tributarypb.Identifier) (ids []Identifier) {
	if len(list) > MaxIDs {
		f.refuse(ReasonBadValue, "identifiers", "more than "+strconv.Itoa(MaxIDs))
		return nil
	}
	for _, p := range list {
		problem := "wrong UTF-8"
		if utf8.ValidString(p.Type) {
			problem = typeProblem(p.Type)
		}
		if problem != "" {
			f.refuse(ReasonUnknownIDType, "identifiers", problem)
			return nil
		}
		f.checkText(strings.Trim(p.Value, asciiSpace), identifierPath(p.Type), MaxTextBytes)
		ids = append(ids, Identifier{Type: p.Type, Value: p.Value})
	}
	return groupByType(ids)
}

// text is a text of at most MaxTextBytes.
func (f *fault) text(s, path string) string {
	f.checkText(s, path, MaxTextBytes)
	return s
}

// optionalID is an id, or empty if it is absent.
func (f *fault) optionalID(s, path string) string {
	f.checkText(s, path, MaxIDBytes)
	return s
}

// required refuses an absent text.
func (f *fault) required(s, path string) string {
	if s == "" {
		f.refuse(ReasonMissingField, path, "")
	}
	return s
}

func (f *fault) checkText(s, path string, max int) {
	if !utf8.ValidString(s) {
		f.refuse(ReasonBadValue, path, "wrong UTF-8")
		return
	}
	if problem := textProblem(s, max); problem != "" {
		f.refuse(ReasonBadValue, path, problem)
	}
}

// millis is a time, or 0 if it is absent.
func (f *fault) millis(ms int64, path string) Millis {
	if ms < 0 || Millis(ms) > MaxMillis {
		f.refuse(ReasonBadTime, path, outOfRange)
		return 0
	}
	return Millis(ms)
}

// vtMessage is what the generated messages can do.
type vtMessage interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// appendProto appends a message. The generated code fails for no message without a required field, and proto3 has none.
func appendProto(dst []byte, m vtMessage) []byte {
	start, size := len(dst), m.SizeVT()
	dst = append(dst, make([]byte, size)...)
	if _, err := m.MarshalToSizedBufferVT(dst[start:]); err != nil {
		panic("schemas: encode message: " + err.Error())
	}
	return dst
}
