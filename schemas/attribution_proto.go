package schemas

import (
	"math"
	"strconv"

	"tributary/schemas/tributarypb"
)

// DecodeAttributionProto reads a record as a tributary.v1.Attribution message, by the rules of DecodeAttribution. Every
// error is a *Refusal that names the field as in the JSON form, and no value.
func DecodeAttributionProto(value []byte) (Attribution, error) {
	var p tributarypb.Attribution
	if p.UnmarshalVT(value) != nil {
		return Attribution{}, &Refusal{Reason: ReasonNotProtobuf}
	}
	return AttributionFromProto(&p)
}

// EncodeProto appends the record as a tributary.v1.Attribution message. Equal records are equal bytes.
func (a *Attribution) EncodeProto(dst []byte) []byte { return appendProto(dst, a.ToProto()) }

// ToProto is the record as a message.
func (a *Attribution) ToProto() *tributarypb.Attribution {
	p := &tributarypb.Attribution{
		ConversionId: a.ConversionID, Revision: a.Revision, Change: string(a.Change), Cause: string(a.Cause), Status: string(a.Status),
		CustomerId: a.CustomerID, UnattributedReason: string(a.Unattributed),
		Journey: &tributarypb.Journey{
			Touches: int32(a.Journey.Touches), Sessions: int32(a.Journey.Sessions), FirstTouchAtMs: int64(a.Journey.FirstTouchAt),
		},
		WatermarkMs: int64(a.Watermark), ScoredAtMs: int64(a.ScoredAt),
	}
	if c := &a.Conversion; *c != (ConversionResult{}) {
		p.Conversion = &tributarypb.ConversionResult{
			Name: c.Name, EventId: c.EventID, OccurredAtMs: int64(c.OccurredAt),
			Value: c.Value.String(), NetValue: c.NetValue.String(), Currency: c.Value.Currency,
		}
	}
	for i := range a.Touches {
		p.Touches = append(p.Touches, a.Touches[i].toProto(a.Models, a.Conversion.Value.Currency))
	}
	for _, m := range a.Models {
		p.Models = append(p.Models, &tributarypb.Model{Name: m.Name, Version: m.Version})
	}
	return p
}

func (t *CreditedTouch) toProto(models []Model, currency string) *tributarypb.CreditedTouch {
	p := &tributarypb.CreditedTouch{
		EventId: t.EventID, OccurredAtMs: int64(t.OccurredAt), Kind: t.Kind, Channel: t.Channel, Source: t.Source, Medium: t.Medium,
		Campaign: t.Campaign, CampaignId: t.CampaignID, AdId: t.AdID, Creative: t.Creative, Keyword: t.Keyword, Placement: t.Placement,
		Session: int32(t.Session),
	}
	for i, m := range models {
		p.Credit = append(p.Credit, &tributarypb.Credit{
			Model: m.Name, ShareMillionths: int32(t.Credit[i].Share), Value: Money{t.Credit[i].Minor, currency}.String(),
		})
	}
	return p
}

// AttributionFromProto checks a message by the rules of DecodeAttribution. Every error is a *Refusal.
func AttributionFromProto(p *tributarypb.Attribution) (Attribution, error) {
	var f fault
	a := Attribution{
		ConversionID: f.optionalID(p.ConversionId, "conversion_id"),
		Revision:     p.Revision,
		Change:       knownWord(&f, "change", Change(p.Change), Changes),
		Cause:        Cause(f.text(p.Cause, "cause")),
		Status:       knownWord(&f, "status", Status(p.Status), Statuses),
		CustomerID:   f.text(p.CustomerId, "customer_id"),
		Unattributed: Unattributed(f.text(p.UnattributedReason, "unattributed.reason")),
		Watermark:    f.millis(p.WatermarkMs, "watermark"),
		ScoredAt:     f.millis(p.ScoredAtMs, "scored_at"),
	}
	if c := p.Conversion; c != nil {
		f.required(c.Currency, "conversion.currency")
		a.Conversion = ConversionResult{
			Name:       f.text(c.Name, "conversion.name"),
			EventID:    f.optionalID(c.EventId, "conversion.event_id"),
			OccurredAt: f.millis(c.OccurredAtMs, "conversion.occurred_at"),
			Value:      f.exact(c.Value, c.Currency, "conversion.value"),
			NetValue:   f.exact(c.NetValue, c.Currency, "conversion.net_value"),
		}
	}
	if j := p.Journey; j != nil {
		a.Journey = JourneySummary{
			Touches:      f.count(j.Touches, "journey.touches"),
			Sessions:     f.count(j.Sessions, "journey.sessions"),
			FirstTouchAt: f.millis(j.FirstTouchAtMs, "journey.first_touch_at"),
		}
	}
	for _, m := range p.Models {
		a.Models = append(a.Models, Model{Name: f.text(m.Name, "models"), Version: f.text(m.Version, "models.version")})
	}
	a.sortModels(&f)
	touches := make([]readTouch, len(p.Touches))
	for i, t := range p.Touches {
		touches[i].fromProto(&f, t)
	}
	a.require(&f)
	a.place(&f, touches)
	if f.refused() {
		return Attribution{}, f.refusal
	}
	return a, nil
}

func (t *readTouch) fromProto(f *fault, p *tributarypb.CreditedTouch) {
	t.touch = CreditedTouch{
		EventID:    f.optionalID(p.EventId, "touches.event_id"),
		OccurredAt: f.millis(p.OccurredAtMs, "touches.occurred_at"),
		Kind:       f.text(p.Kind, "touches.kind"),
		Channel:    f.text(p.Channel, "touches.channel"),
		Source:     f.text(p.Source, "touches.source"),
		Medium:     f.text(p.Medium, "touches.medium"),
		Campaign:   f.text(p.Campaign, "touches.campaign"),
		CampaignID: f.text(p.CampaignId, "touches.campaign_id"),
		AdID:       f.text(p.AdId, "touches.ad_id"),
		Creative:   f.text(p.Creative, "touches.creative"),
		Keyword:    f.text(p.Keyword, "touches.keyword"),
		Placement:  f.text(p.Placement, "touches.placement"),
		Session:    f.count(p.Session, "touches.session"),
	}
	for _, c := range p.Credit {
		if c.ShareMillionths < 0 || Share(c.ShareMillionths) > WholeShare {
			f.refuse(ReasonBadValue, "touches.credit.share", notAShare)
		}
		t.credit = append(t.credit, readCredit{model: c.Model, share: Share(c.ShareMillionths), amount: c.Value})
	}
}

// count is a number of things.
func (f *fault) count(n int32, path string) int {
	if n < 0 {
		f.refuse(ReasonBadValue, path, "not a whole number from 0 to "+strconv.Itoa(math.MaxInt32))
		return 0
	}
	return int(n)
}
