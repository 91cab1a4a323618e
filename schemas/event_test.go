package schemas

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const clickOf81f = `{"event_id": "01JN3Z8Q4Y6W5V3T2S1R0P9N8M", "type": "touch", "occurred_at": "2026-03-01T10:00:00.250Z",
 "identifiers": {"anonymous_id": "c-81f", "email": "Ann@Example.com", "phone": ["(415) 555-2671"]},
 "touch": {"kind": "click", "channel": "paid_search", "source": "google", "medium": "cpc", "campaign": "spring",
           "campaign_id": "77", "ad_id": "9", "creative": "b", "keyword": "shoes", "placement": "", "referrer": "",
           "click_id": "gclid:EAIaIQob", "cost": "0.42", "currency": "USD"},
 "consent": {"attribution": true}, "context": {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.7"}}`

// The contract's own example.
func TestDecodeEvent(t *testing.T) {
	want := Event{
		ID: "01JN3Z8Q4Y6W5V3T2S1R0P9N8M", Type: TypeTouch, OccurredAt: 1772359200250,
		Identifiers: []Identifier{{"anonymous_id", "c-81f"}, {"email", "Ann@Example.com"}, {"phone", "(415) 555-2671"}},
		Touch: &Touch{Kind: "click", Channel: "paid_search", Source: "google", Medium: "cpc", Campaign: "spring", CampaignID: "77",
			AdID: "9", Creative: "b", Keyword: "shoes", ClickID: "gclid:EAIaIQob", Cost: Money{42, "USD"}},
		Consent: &Consent{Attribution: true},
	}
	got, err := DecodeEvent([]byte(clickOf81f))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestDecodeEventCounts(t *testing.T) {
	e, err := DecodeEvent([]byte(`{"event_id": "e1", "type": "conversion", "occurred_at": 1, "x": {"y": 1, "z": 2}, "context": {"a": 1},
		"conversion": {"name": "purchase", "value": "1.005", "currency": "USD", "tax": 1}, "touch": {"cost": 0.0001, "currency": "USD"}}`))
	if err != nil || e.Ignored != 2 || e.Rounded != 2 {
		t.Errorf("%d members ignored, %d amounts rounded, %v; want 2 and 2", e.Ignored, e.Rounded, err)
	}
}

// readCases reads a file of paragraphs of three lines, with # for comments and ${TEXT*N} for N times TEXT.
func readCases(t testing.TB, path string) (cases [][3]string) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	repeat := regexp.MustCompile(`\$\{(.+?)\*([0-9]+)\}`)
	var lines []string
	for _, line := range strings.Split(string(content)+"\n", "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			lines = append(lines, repeat.ReplaceAllStringFunc(line, func(s string) string {
				parts := repeat.FindStringSubmatch(s)
				text := parts[1]
				if strings.HasPrefix(text, `\x`) {
					if text, err = strconv.Unquote(`"` + text + `"`); err != nil {
						t.Fatal(err)
					}
				}
				n, _ := strconv.Atoi(parts[2])
				return strings.Repeat(text, n)
			}))
		case len(lines) == 3:
			cases = append(cases, [3]string(lines))
			lines = nil
		case len(lines) > 0:
			t.Fatalf("%s: a paragraph of %d lines: %s", path, len(lines), lines[0])
		}
	}
	return cases
}

func TestRefusals(t *testing.T) {
	for _, c := range readCases(t, "testdata/refusals.txt") {
		field, rest, _ := strings.Cut(c[2], " ")
		reason, schema, _ := strings.Cut(rest, " ")
		if field == "-" {
			field = ""
		}
		_, err := DecodeEvent([]byte(c[1]))
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Field != field || string(refusal.Reason) != reason {
			t.Errorf("%s\ngot %v, want %s", c[0], err, c[2])
			continue
		}
		if schemaErr := validate(t, EventSchema, c[1]); (schemaErr == nil) != (schema == "schema allows") {
			t.Errorf("%s\nthe schema says: %v", c[0], schemaErr)
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, c := range readCases(t, "testdata/accepted.txt") {
		e, err := DecodeEvent([]byte(c[1]))
		if err != nil || string(e.Encode(nil)) != c[2] {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c[0], e.Encode(nil), err, c[2])
			continue
		}
		for _, text := range []string{c[1], c[2]} {
			if err := validate(t, EventSchema, text); err != nil {
				t.Errorf("%s\nthe schema says: %v", c[0], err)
			}
		}
	}
}

// Refusals never repeat what could be personal, wherever it stands and whatever is wrong.
func TestRefusalsHoldNoValues(t *testing.T) {
	const secret = "ann@example.com"
	value := strings.ReplaceAll(clickOf81f, "Ann@Example.com", secret)
	for i := range len(value) {
		for _, replacement := range []string{"", "\x00", "\"", "}", "\xff", "[", "9", secret, `"` + secret + `"`} {
			_, err := DecodeEvent([]byte(value[:i] + replacement + value[min(i+1, len(value)):]))
			if err != nil && (strings.Contains(err.Error(), "ann@") || strings.Contains(err.Error(), "2671")) {
				t.Fatalf("%q in place %d: %v", replacement, i, err)
			}
		}
		if _, err := DecodeEvent([]byte(value[:i])); err == nil {
			t.Fatalf("the first %d bytes are accepted", i)
		}
	}
}

func TestTombstone(t *testing.T) {
	for _, decode := range []func([]byte) (Event, error){DecodeEvent, DecodeEventProto} {
		_, err := decode(nil)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Reason != ReasonTombstone {
			t.Errorf("no value: %v", err)
		}
	}
}

func TestCheckFuture(t *testing.T) {
	now := MillisOf(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		at, clock Millis
		refused   bool
	}{
		{now, now, false},
		{now.Add(MaxAhead), now, false},
		{now.Add(MaxAhead) + 1, now, true},
		{now.Add(MaxAhead) + 1, 0, false},
		{1, now, false},
	} {
		err := CheckFuture(Event{OccurredAt: c.at}, c.clock)
		var refusal *Refusal
		if (err != nil) != c.refused || err != nil && (!errors.As(err, &refusal) || refusal.Reason != ReasonFuture) {
			t.Errorf("%s at %s: %v", c.at, c.clock, err)
		}
	}
}

// An event does not change with what happens to the record's memory.
func TestDecodeEventKeepsNoMemory(t *testing.T) {
	value := []byte(clickOf81f)
	e, err := DecodeEvent(value)
	if err != nil {
		t.Fatal(err)
	}
	before := string(e.Encode(nil))
	copy(value, bytes.Repeat([]byte("x"), len(value)))
	if after := string(e.Encode(nil)); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

// randomEvent is an event that DecodeEvent accepts.
func randomEvent(random *rand.Rand) Event {
	word := func() string {
		return []string{"", "a", "google", "Grüße", `qu"ote\`, "naïve 日本", "<b>&\u2028", "🙂"}[random.IntN(8)]
	}
	money := func() Money {
		if random.IntN(3) == 0 {
			return Money{0, NoCurrency}
		}
		return Money{random.Int64N(MaxMinor + 1), Currencies()[random.IntN(len(Currencies()))]}
	}
	e := Event{ID: "e" + word(), Type: EventTypes[random.IntN(len(EventTypes))], OccurredAt: Millis(random.Int64N(int64(MaxMillis)) + 1)}
	for i := range random.IntN(MaxIDs + 1) {
		e.Identifiers = append(e.Identifiers, Identifier{"type" + strconv.Itoa(i/3), word() + " \n"})
	}
	rule := parts[e.Type]
	if rule.needs == "touch" || rule.allows == "touch" && random.IntN(2) == 0 {
		e.Touch = &Touch{word(), word(), word(), word(), word(), word(), word(), word(), word(), word(), word(), word(), money()}
	}
	if rule.needs == "conversion" {
		e.Conversion = &Conversion{"purchase" + word(), "c" + word(), money()}
	}
	if rule.needs == "refund" {
		e.Refund = &Refund{"c" + word(), money()}
	}
	if rule.needs == "consent" || random.IntN(3) == 0 {
		e.Consent = &Consent{random.IntN(2) == 0}
	}
	return e
}

func TestEventRoundTrips(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	for range 3000 {
		e := randomEvent(random)
		line := e.Encode(nil)
		if got, err := DecodeEvent(line); err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%s\ndecodes to %#v, %v\nwant       %#v", line, got, err, e)
		}
		if got, err := DecodeEventProto(e.EncodeProto(nil)); err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%s\ndecodes from its message to %#v, %v\nwant %#v", line, got, err, e)
		}
	}
}

func TestGroupByType(t *testing.T) {
	ids := []Identifier{{"phone", "1"}, {"email", "a"}, {"phone", "2"}, {"email", "b"}}
	want := []Identifier{{"phone", "1"}, {"phone", "2"}, {"email", "a"}, {"email", "b"}}
	if got := groupByType(ids); !reflect.DeepEqual(got, want) || ids[1].Type != "email" {
		t.Errorf("%#v", got)
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	value := []byte(clickOf81f)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := DecodeEvent(value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEventProto(b *testing.B) {
	e, _ := DecodeEvent([]byte(clickOf81f))
	value := e.EncodeProto(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := DecodeEventProto(value); err != nil {
			b.Fatal(err)
		}
	}
}
