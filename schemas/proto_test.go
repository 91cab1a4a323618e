package schemas

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"tributary/schemas/tributarypb"
)

func TestAttributionProtoRoundTrips(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 6))
	for range 3000 {
		a := randomAttribution(random)
		message := a.EncodeProto([]byte(">"))[1:]
		if got, err := DecodeAttributionProto(message); err != nil || !reflect.DeepEqual(got, a) {
			t.Fatalf("%s\ndecodes to %+v, %v", a.Encode(nil), got, err)
		}
		if !bytes.Equal(message, a.EncodeProto(nil)) {
			t.Fatalf("two encodings of %s", a.Encode(nil))
		}
	}
}

// The fast code and the reference implementation of Protobuf read each other's bytes.
func TestProtoAgainstReference(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 7))
	for range 500 {
		e, a := randomEvent(random), randomAttribution(random)
		var p tributarypb.Event
		if err := proto.Unmarshal(e.EncodeProto(nil), &p); err != nil || !proto.Equal(&p, e.ToProto()) {
			t.Fatalf("%s: %v", e.Encode(nil), err)
		}
		message, err := proto.Marshal(a.ToProto())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeAttributionProto(message); err != nil || !reflect.DeepEqual(got, a) {
			t.Fatalf("%s: %v", a.Encode(nil), err)
		}
	}
}

func TestEventFromProtoRefuses(t *testing.T) {
	type event = tributarypb.Event
	for _, c := range []struct {
		field  string
		reason Reason
		change func(*event)
	}{
		{"event_id", ReasonMissingField, func(e *event) { e.EventId = "" }},
		{"event_id", ReasonBadValue, func(e *event) { e.EventId = strings.Repeat("a", MaxIDBytes+1) }},
		{"event_id", ReasonBadValue, func(e *event) { e.EventId = "\xff" }},
		{"type", ReasonUnknownType, func(e *event) { e.Type = "pageview" }},
		{"type", ReasonMissingField, func(e *event) { e.Type = "" }},
		{"occurred_at", ReasonMissingField, func(e *event) { e.OccurredAtMs = 0 }},
		{"occurred_at", ReasonBadTime, func(e *event) { e.OccurredAtMs = -1 }},
		{"occurred_at", ReasonBadTime, func(e *event) { e.OccurredAtMs = 1 << 60 }},
		{"identifiers", ReasonBadValue, func(e *event) { e.Identifiers = make([]*tributarypb.Identifier, MaxIDs+1) }},
		{"identifiers", ReasonUnknownIDType, func(e *event) { e.Identifiers[0].Type = "" }},
		{"identifiers", ReasonUnknownIDType, func(e *event) { e.Identifiers[0].Type = "email\xc2" }},
		{"identifiers.email", ReasonBadValue, func(e *event) { e.Identifiers[0].Value = "ann\xff@example.com" }},
		{"identifiers.email", ReasonBadValue, func(e *event) { e.Identifiers[0].Value = "a\x00b" }},
		{"touch", ReasonMissingField, func(e *event) { e.Touch = nil }},
		{"touch.keyword", ReasonBadValue, func(e *event) { e.Touch.Keyword = "a\nb" }},
		{"touch.cost", ReasonBadAmount, func(e *event) { e.Touch.Cost = "much" }},
		{"touch.currency", ReasonUnknownCurrency, func(e *event) { e.Touch.Currency = "" }},
		{"conversion", ReasonBadValue, func(e *event) { e.Conversion = &tributarypb.Conversion{Name: "purchase"} }},
		{"conversion.name", ReasonMissingField, func(e *event) { e.Conversion = &tributarypb.Conversion{} }},
		{"refund.conversion_id", ReasonMissingField, func(e *event) { e.Refund = &tributarypb.Refund{} }},
		{"refund.amount", ReasonMissingField, func(e *event) { e.Refund = &tributarypb.Refund{ConversionId: "order-1001"} }},
	} {
		e := &event{
			EventId: "e1", Type: "touch", OccurredAtMs: 1772359200000, Touch: &tributarypb.Touch{Cost: "0.42", Currency: "USD"},
			Identifiers: []*tributarypb.Identifier{{Type: "email", Value: "ann@example.com"}},
		}
		if _, err := EventFromProto(e); err != nil {
			t.Fatal(err)
		}
		c.change(e)
		_, err := EventFromProto(e)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Field != c.field || refusal.Reason != c.reason {
			t.Errorf("%v, want %s: %s", err, c.field, c.reason)
		}
	}
	_, err := DecodeEventProto([]byte{0x0a, 0xff})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Reason != ReasonNotProtobuf {
		t.Errorf("half a message: %v", err)
	}
	_, err = DecodeEventProto(make([]byte, MaxEventBytes+1))
	if !errors.As(err, &refusal) || refusal.Reason != ReasonTooLarge {
		t.Errorf("a large message: %v", err)
	}
}

func TestAttributionFromProtoRefuses(t *testing.T) {
	type record = tributarypb.Attribution
	for _, c := range []struct {
		field  string
		reason Reason
		change func(*record)
	}{
		{"conversion_id", ReasonMissingField, func(a *record) { a.ConversionId = "" }},
		{"revision", ReasonMissingField, func(a *record) { a.Revision = 0 }},
		{"change", ReasonBadValue, func(a *record) { a.Change = "NEW" }},
		{"status", ReasonMissingField, func(a *record) { a.Status = "" }},
		{"conversion.currency", ReasonMissingField, func(a *record) { a.Conversion.Currency = "" }},
		{"conversion.net_value", ReasonBadAmount, func(a *record) { a.Conversion.NetValue = "79.905" }},
		{"journey.touches", ReasonBadValue, func(a *record) { a.Journey.Touches = -1 }},
		{"models", ReasonDuplicateKey, func(a *record) { a.Models[1].Name = a.Models[0].Name }},
		{"touches.credit", ReasonBadValue, func(a *record) { a.Touches[0].Credit[1].Model = "linear" }},
		{"touches.credit", ReasonBadValue, func(a *record) { a.Touches[1].Credit = nil }},
		{"touches.credit.share", ReasonBadValue, func(a *record) { a.Touches[1].Credit[0].ShareMillionths = 1_000_001 }},
		{"touches.credit.value", ReasonNegativeValue, func(a *record) { a.Touches[1].Credit[0].Value = "-1" }},
		{"touches.campaign", ReasonBadValue, func(a *record) { a.Touches[1].Campaign = "\xff" }},
		{"watermark", ReasonBadTime, func(a *record) { a.WatermarkMs = -5 }},
	} {
		a := orderOf1001()
		p := a.ToProto()
		c.change(p)
		_, err := AttributionFromProto(p)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Field != c.field || refusal.Reason != c.reason {
			t.Errorf("%v, want %s: %s", err, c.field, c.reason)
		}
	}
}
