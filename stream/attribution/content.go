package attribution

import (
	"fmt"

	"tributary/identity"
	"tributary/schemas"
	"tributary/schemas/tributarypb"
	"tributary/state/journey"
)

// TouchContent is the canonical content of a touch, or of an activity when touch is nil: what a fact's body holds. The
// referrer and the click id stay behind, since they can hold personal data. consented is the sender's own word with it.
func TouchContent(eventID string, touch *schemas.Touch, consented bool) []byte {
	c := tributarypb.TouchContent{EventId: eventID, Activity: touch == nil, Consented: consented}
	if touch != nil {
		c.Kind, c.Channel, c.Source, c.Medium = touch.Kind, touch.Channel, touch.Source, touch.Medium
		c.Campaign, c.CampaignId, c.AdId, c.Creative = touch.Campaign, touch.CampaignID, touch.AdID, touch.Creative
		c.Keyword, c.Placement = touch.Keyword, touch.Placement
		if none := (schemas.Money{Currency: schemas.NoCurrency}); touch.Cost != none && touch.Cost != (schemas.Money{}) {
			c.Cost = &tributarypb.Amount{Minor: touch.Cost.Minor, Currency: touch.Cost.Currency}
		}
	}
	return marshal(&c)
}

// ConsentContent is the canonical content of a consent event: the body of a standing fact.
func ConsentContent(eventID string, granted bool) []byte {
	c := tributarypb.ConsentContent{EventId: eventID, Decision: tributarypb.ConsentContent_WITHDRAWN}
	if granted {
		c.Decision = tributarypb.ConsentContent_GRANTED
	}
	return marshal(&c)
}

func marshal(c interface{ MarshalVT() ([]byte, error) }) []byte {
	b, err := c.MarshalVT()
	if err != nil {
		panic("encode content: " + err.Error()) // cannot happen: every string was checked to be UTF-8
	}
	return b
}

// touches decodes the bodies of facts. A body was written by TouchContent: one that does not decode is damage.
func touches(facts []identity.Fact) []journey.Touch {
	out := make([]journey.Touch, len(facts))
	var c tributarypb.TouchContent
	for i, f := range facts {
		c.Reset()
		if err := c.UnmarshalVT(f.Body); err != nil {
			panic(Damage{fmt.Errorf("content of a touch at %v: %w", f.At, err)})
		}
		out[i] = journey.Touch{EventID: c.EventId, At: f.At, Activity: c.Activity, Kind: c.Kind, Channel: c.Channel,
			Source: c.Source, Medium: c.Medium, Campaign: c.Campaign, CampaignID: c.CampaignId, AdID: c.AdId,
			Creative: c.Creative, Keyword: c.Keyword, Placement: c.Placement, Consented: c.Consented, Content: f.Body}
	}
	return out
}

// consents decodes the bodies of standing facts.
func consents(facts []identity.Fact) []journey.Consent {
	out := make([]journey.Consent, len(facts))
	var c tributarypb.ConsentContent
	for i, f := range facts {
		c.Reset()
		if err := c.UnmarshalVT(f.Body); err != nil {
			panic(Damage{fmt.Errorf("content of a consent at %v: %w", f.At, err)})
		}
		out[i] = journey.Consent{EventID: c.EventId, At: f.At, Granted: c.Decision == tributarypb.ConsentContent_GRANTED, Content: f.Body}
	}
	return out
}

// Damage is a panic of this package: state that Tributary itself wrote cannot be read. The lane that meets it stops.
type Damage struct{ error }

// Unwrap returns the cause.
func (d Damage) Unwrap() error { return d.error }
