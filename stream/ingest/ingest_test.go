package ingest_test

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/schemas/tributarypb"
	"tributary/stream/channels"
	"tributary/stream/ingest"
)

// now is the broker's clock.
var now = schemas.MillisOf(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC))

func newIngest(t testing.TB) *ingest.Ingest {
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	normalizer, err := identity.NewNormalizer(identity.Rules{DefaultRegion: "US"}, keys)
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := channels.New(channels.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return &ingest.Ingest{Normalizer: normalizer, Channels: mapping, DefaultCurrency: "SEK"}
}

// decision is a paragraph of testdata/decisions.txt.
type decision struct{ sentence, record, answer string }

func decisions(t testing.TB) (all []decision) {
	const path = "testdata/decisions.txt"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i, line := range strings.Split(string(text)+"\n", "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			lines = append(lines, line)
		case len(lines) == 3:
			all = append(all, decision{lines[0], lines[1], lines[2]})
			lines = nil
		case len(lines) > 0:
			t.Fatalf("%s:%d: a paragraph of %d lines, want 3", path, i+1, len(lines))
		}
	}
	return all
}

func TestDecisions(t *testing.T) {
	in := newIngest(t)
	for _, d := range decisions(t) {
		r := in.Record([]byte(d.record), now)
		if got := answer(in, &r); got != d.answer {
			t.Errorf("%s\n got %s\nwant %s", d.sentence, got, d.answer)
		}
		check(t, &r)
	}
}

// answer is a result in words.
func answer(in *ingest.Ingest, r *ingest.Result) string {
	switch {
	case r.Refusal != nil && r.Refusal.Field == "":
		return "refused - " + string(r.Refusal.Reason)
	case r.Refusal != nil:
		return fmt.Sprintf("refused %s %s", r.Refusal.Field, r.Refusal.Reason)
	case r.Filtered != "":
		return "filtered " + string(r.Filtered)
	}
	var words []string
	for i := range r.Messages {
		words = append(words, messageWords(in, &r.Messages[i]))
	}
	return strings.Join(words, ", ")
}

func messageWords(in *ingest.Ingest, m *identity.Message) string {
	typeOf := func(id identity.ID) string { return in.Normalizer.Types().All()[id.Rank()-1].Name }
	ids := make([]string, len(m.IDs))
	for i, id := range m.IDs {
		ids[i] = typeOf(id)
	}
	switch m.Kind {
	case identity.KindEvent:
		return fmt.Sprintf("event to %s %v at %v%s", typeOf(m.To.ID), ids, m.Time, factWords(m.Fact))
	case identity.KindForget:
		return fmt.Sprintf("forget to %s up to %v", typeOf(m.To.ID), m.Time)
	case identity.KindConversion:
		s := m.Statement
		says := fmt.Sprintf("states %s of %s %s", s.Name, s.Amount, s.Amount.Currency)
		if s.Refund {
			says = fmt.Sprintf("takes back %s %s", s.Amount, s.Amount.Currency)
		}
		return fmt.Sprintf("conversion %s %v at %v: %s %s%s", m.Conversion, ids, s.At, s.EventID, says, factWords(m.Fact))
	default:
		return m.Kind.String()
	}
}

func factWords(f *identity.Fact) string {
	if f == nil {
		return ""
	}
	if f.Standing {
		var c tributarypb.ConsentContent
		if err := c.UnmarshalVT(f.Body); err != nil {
			return ": " + err.Error()
		}
		return fmt.Sprintf(": consent %s %s", c.EventId, c.Decision)
	}
	var c tributarypb.TouchContent
	switch err := c.UnmarshalVT(f.Body); {
	case err != nil:
		return ": " + err.Error()
	case c.Activity:
		return ": activity " + c.EventId
	case c.Kind == "":
		c.Kind = "-"
	}
	return fmt.Sprintf(": touch %s %s %s", c.EventId, c.Kind, c.Channel)
}

// check says what has to be true of every result: exactly one outcome; of its messages exactly one is counted, and each
// arrives as it was sent.
func check(t testing.TB, r *ingest.Result) {
	outcomes := 0
	for _, is := range []bool{len(r.Messages) > 0, r.Refusal != nil, r.Filtered != ""} {
		if is {
			outcomes++
		}
	}
	if outcomes != 1 {
		t.Fatalf("%d messages, refusal %v, filtered %q: not exactly one outcome", len(r.Messages), r.Refusal, r.Filtered)
	}
	if r.Refusal != nil && r.Refusal.Reason == "" {
		t.Fatalf("a refusal without a reason: %v", r.Refusal)
	}
	fresh := 0
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Fresh {
			fresh++
		}
		again, err := identity.DecodeMessage(identity.AppendMessage(nil, m))
		if err != nil || !reflect.DeepEqual(again, *m) {
			t.Fatalf("%+v arrives as %+v, %v", *m, again, err)
		}
	}
	if len(r.Messages) > 0 && fresh != 1 {
		t.Fatalf("%d of %d messages are counted, want 1", fresh, len(r.Messages))
	}
}

// Nothing that could be personal goes on: no identifier, no referrer, no click id, no context.
func TestNothingPersonalGoesOn(t *testing.T) {
	r := newIngest(t).Record([]byte(`{"event_id":"e1","type":"conversion","occurred_at":"2026-03-01T10:00:00Z",
		"identifiers":{"anonymous_id":"c-81f","email":"Ann@Example.com","phone":"(415) 555-2671","user_id":"u-4711"},
		"conversion":{"name":"purchase","id":"order-1"},
		"touch":{"kind":"click","referrer":"https://mail.example.com/?to=ann@example.com","click_id":"gclid:EAIaIQob"},
		"context":{"ip":"192.0.2.7"}}`), now)
	if len(r.Messages) != 1 {
		t.Fatalf("%+v", r)
	}
	wire := bytes.ToLower(identity.AppendMessage(nil, &r.Messages[0]))
	for _, personal := range []string{"c-81f", "ann@", "example.com", "555", "4711", "eaiaiqob", "192.0.2.7"} {
		if bytes.Contains(wire, []byte(personal)) {
			t.Errorf("%s is in the message", personal)
		}
	}
	if !bytes.Contains(wire, []byte("order-1")) || !bytes.Contains(wire, []byte("paid_search")) {
		t.Errorf("the order or its channel is not in the message: %q", wire)
	}
}

// Every identifier is counted by what became of it, those of unknown types too.
func TestIdentifiersAreCounted(t *testing.T) {
	for _, more := range []string{`"email":"ann@example.com",`, ""} { // accepted, refused
		r := newIngest(t).Record([]byte(`{"event_id":"e1","type":"identify","occurred_at":1,"extra":1,"more":2,"identifiers":{`+more+
			`"user_id":["null","Guest"],"phone":["ext. 17"],"loyalty_card":[4711,4712],"e-mail":"ann@example.com"}}`), now)
		got := map[string]int{}
		r.Identifiers.Each(func(typ string, v identity.Verdict, n int) { got[typ+" "+v.String()] += n })
		want := map[string]int{"user_id blocked": 2, "phone invalid": 1, " unknown_type": 3}
		if more != "" {
			want["email kept"] = 1
		}
		if !reflect.DeepEqual(got, want) || r.Ignored != 2 {
			t.Errorf("%v and %d ignored members, want %v and 2", got, r.Ignored, want)
		}
		if (r.Refusal == nil) != (more != "") {
			t.Errorf("refusal %v", r.Refusal)
		}
		const detail = "none is left after normalisation: 2 blocked, 1 invalid, 3 unknown_type"
		if r.Refusal != nil && r.Refusal.Detail != detail {
			t.Errorf("refused with %q, want %q", r.Refusal.Detail, detail)
		}
	}
}

// The settings can refuse who says no, and leave amounts without a currency to be refused.
func TestPolicies(t *testing.T) {
	in := newIngest(t)
	in.WithoutConsent, in.DefaultCurrency = ingest.ConsentRefuse, ""
	for record, want := range map[string]string{
		`{"event_id":"e1","type":"touch","occurred_at":1,"identifiers":{"email":"a@example.com"},"touch":{},"consent":{"attribution":false}}`: "refused consent.attribution consent_refused",
		`{"event_id":"e1","type":"consent","occurred_at":1,"identifiers":{"email":"a@example.com"},"consent":{"attribution":false}}`:          "event to email [email] at 1970-01-01T00:00:00.001Z: consent e1 WITHDRAWN",
		`{"event_id":"e1","type":"conversion","occurred_at":1,"conversion":{"name":"purchase","value":"99.90"}}`:                              "refused conversion.currency unknown_currency",
	} {
		r := in.Record([]byte(record), now)
		if got := answer(in, &r); got != want {
			t.Errorf("%s\n got %s\nwant %s", record, got, want)
		}
	}
	for _, none := range [][]byte{nil, {}} {
		if r := in.Record(none, now); r.Refusal == nil || r.Refusal.Reason != schemas.ReasonTombstone {
			t.Errorf("no value: %+v", r)
		}
	}
}

// Any bytes have exactly one outcome, and the same each time.
func FuzzRecord(f *testing.F) {
	for _, d := range decisions(f) {
		f.Add([]byte(d.record), int64(now))
	}
	in := newIngest(f)
	f.Fuzz(func(t *testing.T, value []byte, at int64) {
		record := bytes.Clone(value)
		r := in.Record(record, schemas.Millis(at))
		check(t, &r)
		if !bytes.Equal(record, value) {
			t.Fatal("the record was changed")
		}
		clear(record) // nothing may point into it
		check(t, &r)
		if again := in.Record(value, schemas.Millis(at)); !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v the second time, %+v the first", again, r)
		}
	})
}

// What is declared shared stands last, so that it holds only what nobody else can hold.
func TestSharedStandLast(t *testing.T) {
	in := newIngest(t)
	in.Shared = ingest.SharedOf(in.Normalizer, []schemas.Identifier{{Type: "phone", Value: "+1 415 555 2671"}, {Type: "email", Value: "Sales@Example.com"}})
	for record, want := range map[string]string{
		`{"event_id":"e1","type":"identify","occurred_at":1,"identifiers":{"email":"sales@example.com","phone":"(415) 555-2671","anonymous_id":"c-1"}}`: "event to anonymous_id [anonymous_id email phone] at 1970-01-01T00:00:00.001Z",
		`{"event_id":"e2","type":"identify","occurred_at":1,"identifiers":{"phone":"(415) 555-2671"}}`:                                                  "event to phone [phone] at 1970-01-01T00:00:00.001Z",
		`{"event_id":"e3","type":"conversion","occurred_at":1,"identifiers":{"phone":"(415) 555-2671","anonymous_id":"c-1"},"conversion":{"name":"x"}}`: "conversion e3 [anonymous_id phone] at 1970-01-01T00:00:00.001Z: e3 states x of 0 XXX",
		`{"event_id":"e4","type":"identify","occurred_at":1,"identifiers":{"email":"ann@example.com","phone":"(415) 555-2672"}}`:                        "event to email [email phone] at 1970-01-01T00:00:00.001Z",
	} {
		r := in.Record([]byte(record), now)
		if got := answer(in, &r); got != want {
			t.Errorf("%s\n got %s\nwant %s", record, got, want)
		}
	}
}
