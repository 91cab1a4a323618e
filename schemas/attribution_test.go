package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// orderOf1001 is the contract's example.
func orderOf1001() Attribution {
	at := MillisOf(time.Date(2026, 3, 1, 10, 0, 0, 250e6, time.UTC))
	usd := func(minor int64) Money { return Money{minor, "USD"} }
	return Attribution{
		ConversionID: "order-1001", Revision: 3, Change: ChangeRestatement, Cause: CauseLateEvent, Status: StatusProvisional,
		CustomerID: "5f3c9a",
		Conversion: ConversionResult{Name: "purchase", EventID: "e9", OccurredAt: at.Add(48 * time.Hour), Value: usd(9990), NetValue: usd(7990)},
		Touches: []CreditedTouch{
			{EventID: "e1", OccurredAt: at, Kind: "click", Channel: "paid_search", Source: "google", Medium: "cpc", Campaign: "spring",
				Session: 1, Credit: []Credit{{500_000, 3995}, {438_291, 3502}}},
			{EventID: "e2", OccurredAt: at.Add(time.Hour), Kind: "call", Channel: "phone", Session: 2,
				Credit: []Credit{{500_000, 3995}, {561_709, 4488}}},
		},
		Models:    []Model{{"linear", "1"}, {"time_decay", "1"}},
		Journey:   JourneySummary{Touches: 2, Sessions: 2, FirstTouchAt: at},
		Watermark: at.Add(49 * time.Hour), ScoredAt: at.Add(50 * time.Hour),
	}
}

func TestEncodeAttribution(t *testing.T) {
	a := orderOf1001()
	if err := a.Check(); err != nil {
		t.Fatal(err)
	}
	want := `{"conversion_id":"order-1001","revision":3,"change":"RESTATEMENT","cause":"late_event","status":"provisional",` +
		`"customer_id":"5f3c9a","conversion":{"name":"purchase","event_id":"e9","occurred_at":"2026-03-03T10:00:00.250Z",` +
		`"value":"99.90","net_value":"79.90","currency":"USD"},"touches":[` +
		`{"event_id":"e1","occurred_at":"2026-03-01T10:00:00.250Z","kind":"click","channel":"paid_search","source":"google",` +
		`"medium":"cpc","campaign":"spring","session":1,"credit":{"linear":{"share":0.5,"value":"39.95"},` +
		`"time_decay":{"share":0.438291,"value":"35.02"}}},` +
		`{"event_id":"e2","occurred_at":"2026-03-01T11:00:00.250Z","kind":"call","channel":"phone","session":2,` +
		`"credit":{"linear":{"share":0.5,"value":"39.95"},"time_decay":{"share":0.561709,"value":"44.88"}}}],` +
		`"models":{"linear":{"version":"1"},"time_decay":{"version":"1"}},"unattributed":null,` +
		`"journey":{"touches":2,"sessions":2,"first_touch_at":"2026-03-01T10:00:00.250Z"},` +
		`"watermark":"2026-03-03T11:00:00.250Z","scored_at":"2026-03-03T12:00:00.250Z"}`
	if got := string(a.Encode(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(a.Encode([]byte("> "))); got != "> "+want {
		t.Errorf("Encode does not append: %s", got)
	}
}

// recordJSON is the record as encoding/json would have it: the naive twin of Encode.
type recordJSON struct {
	ConversionID string          `json:"conversion_id"`
	Revision     uint32          `json:"revision"`
	Change       Change          `json:"change"`
	Cause        Cause           `json:"cause"`
	Status       Status          `json:"status"`
	CustomerID   *string         `json:"customer_id"`
	Conversion   *conversionJSON `json:"conversion"`
	Touches      []touchJSON     `json:"touches"`
	Models       map[string]struct {
		Version string `json:"version"`
	} `json:"models"`
	Unattributed *struct {
		Reason Unattributed `json:"reason"`
	} `json:"unattributed"`
	Journey struct {
		Touches      int     `json:"touches"`
		Sessions     int     `json:"sessions"`
		FirstTouchAt *string `json:"first_touch_at"`
	} `json:"journey"`
	Watermark *string `json:"watermark"`
	ScoredAt  *string `json:"scored_at"`
}

type conversionJSON struct {
	Name       string  `json:"name"`
	EventID    string  `json:"event_id"`
	OccurredAt *string `json:"occurred_at"`
	Value      string  `json:"value"`
	NetValue   string  `json:"net_value"`
	Currency   string  `json:"currency"`
}

type touchJSON struct {
	EventID    string  `json:"event_id"`
	OccurredAt *string `json:"occurred_at"`
	Kind       string  `json:"kind,omitempty"`
	Channel    string  `json:"channel,omitempty"`
	Source     string  `json:"source,omitempty"`
	Medium     string  `json:"medium,omitempty"`
	Campaign   string  `json:"campaign,omitempty"`
	CampaignID string  `json:"campaign_id,omitempty"`
	AdID       string  `json:"ad_id,omitempty"`
	Creative   string  `json:"creative,omitempty"`
	Keyword    string  `json:"keyword,omitempty"`
	Placement  string  `json:"placement,omitempty"`
	Session    int     `json:"session"`
	Credit     map[string]struct {
		Share Share  `json:"share"`
		Value string `json:"value"`
	} `json:"credit"`
}

func naiveRecord(a *Attribution) recordJSON {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	when := func(m Millis) *string {
		if m == 0 {
			return nil
		}
		return text(m.Time().Format("2006-01-02T15:04:05.000Z"))
	}
	out := recordJSON{ConversionID: a.ConversionID, Revision: a.Revision, Change: a.Change, Cause: a.Cause, Status: a.Status,
		CustomerID: text(a.CustomerID), Watermark: when(a.Watermark), ScoredAt: when(a.ScoredAt), Touches: []touchJSON{},
		Models: map[string]struct {
			Version string `json:"version"`
		}{}}
	if c := a.Conversion; c != (ConversionResult{}) {
		out.Conversion = &conversionJSON{c.Name, c.EventID, when(c.OccurredAt), c.Value.String(), c.NetValue.String(), c.Value.Currency}
	}
	for _, m := range a.Models {
		out.Models[m.Name] = struct {
			Version string `json:"version"`
		}{m.Version}
	}
	if a.Unattributed != "" {
		out.Unattributed = &struct {
			Reason Unattributed `json:"reason"`
		}{a.Unattributed}
	}
	out.Journey.Touches, out.Journey.Sessions, out.Journey.FirstTouchAt = a.Journey.Touches, a.Journey.Sessions, when(a.Journey.FirstTouchAt)
	for _, t := range a.Touches {
		credit := map[string]struct {
			Share Share  `json:"share"`
			Value string `json:"value"`
		}{}
		for i, m := range a.Models {
			credit[m.Name] = struct {
				Share Share  `json:"share"`
				Value string `json:"value"`
			}{t.Credit[i].Share, Money{t.Credit[i].Minor, a.Conversion.Value.Currency}.String()}
		}
		out.Touches = append(out.Touches, touchJSON{t.EventID, when(t.OccurredAt), t.Kind, t.Channel, t.Source, t.Medium, t.Campaign,
			t.CampaignID, t.AdID, t.Creative, t.Keyword, t.Placement, t.Session, credit})
	}
	return out
}

// randomAttribution is a record that passes Check.
func randomAttribution(random *rand.Rand) Attribution {
	word := func() string {
		return []string{"", "a", "paid_search", "Grüße", `qu"ote\`, "naïve 日本", "<b>&\u2028", "spring sale 🙂"}[random.IntN(8)]
	}
	at := Millis(random.Int64N(2_000_000_000_000) + 1)
	currency := Currencies()[random.IntN(len(Currencies()))]
	value := random.Int64N(MaxMinor)
	a := Attribution{
		ConversionID: "order-" + strconv.Itoa(random.IntN(1e6)) + word(), Revision: random.Uint32N(1000) + 1,
		Change: ChangeRestatement, Cause: Causes[random.IntN(len(Causes))], Status: StatusProvisional, CustomerID: word(),
		Conversion: ConversionResult{"purchase" + word(), "e" + word(), at, Money{value, currency}, Money{random.Int64N(value + 1), currency}},
		Watermark:  Millis(random.Int64N(2)) * at, ScoredAt: at,
	}
	for i := range random.IntN(4) {
		a.Models = append(a.Models, Model{string(rune('a'+i)) + word(), word()})
	}
	n := random.IntN(5)
	if n == 0 {
		a.Unattributed = UnattributedReasons[random.IntN(len(UnattributedReasons))]
		if a.Unattributed.Retracts() {
			a.Status, a.Change = StatusRetracted, ChangeRetraction
		}
		if a.Unattributed == UnattributedErased {
			a.Conversion = ConversionResult{}
		}
		return a
	}
	a.Journey = JourneySummary{n + random.IntN(3), random.IntN(3) + 1, at}
	for i := range n {
		a.Touches = append(a.Touches, CreditedTouch{EventID: fmt.Sprintf("t%d", i), OccurredAt: at + Millis(i/2), Kind: word(),
			Channel: word(), Source: word(), Medium: word(), Campaign: word(), CampaignID: word(), AdID: word(), Creative: word(),
			Keyword: word(), Placement: word(), Session: i + 1})
	}
	for range a.Models {
		share, minor := WholeShare, a.Conversion.NetValue.Minor
		for i := range n {
			c := Credit{share, minor}
			if i < n-1 {
				c = Credit{Share(random.Int32N(int32(share) + 1)), random.Int64N(minor + 1)}
			}
			a.Touches[i].Credit = append(a.Touches[i].Credit, c)
			share, minor = share-c.Share, minor-c.Minor
		}
	}
	return a
}

func TestEncodeAttributionAgainstEncodingJSON(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	for range 3000 {
		a := randomAttribution(random)
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		line := a.Encode(nil)
		var got recordJSON
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if want := naiveRecord(&a); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nreads as %+v\nwant     %+v", line, got, want)
		}
		decoded, err := DecodeAttribution(line)
		if err != nil || !reflect.DeepEqual(decoded, a) {
			t.Fatalf("%s\ndecodes to %+v, %v\nwant       %+v", line, decoded, err, a)
		}
		if decoded.Digest() != a.Digest() {
			t.Fatalf("digest changes on the way: %s", line)
		}
	}
}

// Each member but revision, change, cause, watermark and scored_at changes the digest.
func TestDigest(t *testing.T) {
	base := orderOf1001()
	same := func(change func(*Attribution)) bool {
		a := orderOf1001()
		change(&a)
		return a.Digest() == base.Digest()
	}
	for name, change := range map[string]func(*Attribution){
		"revision":  func(a *Attribution) { a.Revision++ },
		"change":    func(a *Attribution) { a.Change = ChangeFinal },
		"cause":     func(a *Attribution) { a.Cause = CauseRefund },
		"watermark": func(a *Attribution) { a.Watermark++ },
		"scored_at": func(a *Attribution) { a.ScoredAt++ },
	} {
		if !same(change) {
			t.Errorf("%s changes the digest", name)
		}
	}
	for name, change := range map[string]func(*Attribution){
		"conversion_id": func(a *Attribution) { a.ConversionID = "x" },
		"status":        func(a *Attribution) { a.Status = StatusFinal },
		"customer_id":   func(a *Attribution) { a.CustomerID = "" },
		"conversion":    func(a *Attribution) { a.Conversion.NetValue.Minor++ },
		"touches":       func(a *Attribution) { a.Touches = a.Touches[:1] },
		"kind":          func(a *Attribution) { a.Touches[0].Kind = "" },
		"share":         func(a *Attribution) { a.Touches[1].Credit[1].Share++ },
		"value":         func(a *Attribution) { a.Touches[1].Credit[1].Minor++ },
		"models":        func(a *Attribution) { a.Models[0].Version = "2" },
		"unattributed":  func(a *Attribution) { a.Unattributed = UnattributedNoTouch },
		"journey":       func(a *Attribution) { a.Journey.Sessions++ },
	} {
		if same(change) {
			t.Errorf("%s does not change the digest", name)
		}
	}
	if got, want := base.Digest(), uint64(0x13e9381e87352078); got != want {
		t.Errorf("the digest is %#x, was %#x: digests that are stored no longer fit", got, want)
	}
}

func TestCheck(t *testing.T) {
	for want, change := range map[string]func(*Attribution){
		"no conversion id":                               func(a *Attribution) { a.ConversionID = "" },
		"revisions start at 1":                           func(a *Attribution) { a.Revision = 0 },
		`unknown change "NEW"`:                           func(a *Attribution) { a.Change = "NEW" },
		`unknown cause ""`:                               func(a *Attribution) { a.Cause = "" },
		`unknown status "open"`:                          func(a *Attribution) { a.Status = "open" },
		`unknown reason "luck"`:                          func(a *Attribution) { a.Unattributed = "luck" },
		`status retracted with reason ""`:                func(a *Attribution) { a.Status = StatusRetracted },
		`with reason "refunded"`:                         func(a *Attribution) { a.Unattributed = UnattributedRefunded },
		"change RETRACTION with":                         func(a *Attribution) { a.Change = ChangeRetraction },
		"change FINAL with":                              func(a *Attribution) { a.Change = ChangeFinal },
		`2 touches with reason "no_touch`:                func(a *Attribution) { a.Unattributed = UnattributedNoTouch },
		`0 touches with reason ""`:                       func(a *Attribution) { a.Touches = nil },
		"no conversion name":                             func(a *Attribution) { a.Conversion = ConversionResult{} },
		"no event id":                                    func(a *Attribution) { a.Conversion.EventID = "" },
		"no time":                                        func(a *Attribution) { a.Conversion.OccurredAt = 0 },
		`value in "USD", net value in "EUR"`:             func(a *Attribution) { a.Conversion.NetValue.Currency = "EUR" },
		"net value 99.91 of value 99.90":                 func(a *Attribution) { a.Conversion.NetValue.Minor = 9991 },
		`model "linear" out of order`:                    func(a *Attribution) { a.Models[0], a.Models[1] = a.Models[1], a.Models[0] },
		"touch 1 out of order":                           func(a *Attribution) { a.Touches[0], a.Touches[1] = a.Touches[1], a.Touches[0] },
		"touch 1 lacks its":                              func(a *Attribution) { a.Touches[1].Session = 0 },
		"touch 0 has credit of 1 models":                 func(a *Attribution) { a.Touches[0].Credit = a.Touches[0].Credit[:1] },
		"2 touches, and a journey of 1":                  func(a *Attribution) { a.Journey.Touches = 1 },
		"model time_decay gives 999999 mill":             func(a *Attribution) { a.Touches[0].Credit[1].Share-- },
		"model linear gives 1000000 millionths and 7991": func(a *Attribution) { a.Touches[0].Credit[0].Minor++ },
		"a share of -0.000001":                           func(a *Attribution) { a.Touches[0].Credit[0].Share = -1 },
	} {
		a := orderOf1001()
		change(&a)
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ...%s...", err, want)
		}
	}
}

func TestDecodeAttributionRefuses(t *testing.T) {
	a := orderOf1001()
	good := string(a.Encode(nil))
	for _, c := range []struct {
		from, to, field string
		reason          Reason
	}{
		{`"revision":3`, `"revision":0`, "revision", ReasonMissingField},
		{`"revision":3`, `"revision":4294967296`, "revision", ReasonBadValue},
		{`"revision":3`, `"revision":1.5`, "revision", ReasonBadValue},
		{`"revision":3`, `"revision":"3"`, "revision", ReasonWrongType},
		{`"RESTATEMENT"`, `"CHANGED"`, "change", ReasonBadValue},
		{`"provisional"`, `null`, "status", ReasonMissingField},
		{`"share":0.5`, `"share":0.5000001`, "touches.credit.share", ReasonBadValue},
		{`"share":0.5`, `"share":1.000001`, "touches.credit.share", ReasonBadValue},
		{`"share":0.5`, `"share":-0.5`, "touches.credit.share", ReasonBadValue},
		{`"39.95"`, `"39.955"`, "touches.credit.value", ReasonBadAmount},
		{`"39.95"`, `"-39.95"`, "touches.credit.value", ReasonNegativeValue},
		{`"99.90"`, `"99.905"`, "conversion.value", ReasonBadAmount},
		{`"USD"`, `"ZZZ"`, "conversion.value", ReasonUnknownCurrency},
		{`"USD"`, `null`, "conversion.currency", ReasonMissingField},
		{`"linear":{"share"`, `"shapley":{"share"`, "touches.credit", ReasonBadValue},
		{`"linear":{"share":0.5,"value":"39.95"},`, ``, "touches.credit", ReasonBadValue},
		{`"unattributed":null`, `"unattributed":{}`, "unattributed.reason", ReasonMissingField},
		{`"touches":[`, `"touches":[null,`, "touches", ReasonWrongType},
		{`"touches":[`, `"touches":["x",`, "touches", ReasonWrongType},
		{`"10:00:00`, `"`, "", ReasonNotJSON},
		{`"session":1,`, `"session":1,"session":1,`, "touches.?.session", ReasonDuplicateKey},
		{`"first_touch_at":"2026-03-01T10:00:00.250Z"`, `"first_touch_at":"2026-03-01T10:00:00"`, "journey.first_touch_at", ReasonBadTime},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if c.reason == ReasonNotJSON {
			bad = good[:len(good)-5]
		}
		_, err := DecodeAttribution([]byte(bad))
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Reason != c.reason || refusal.Field != c.field {
			t.Errorf("%s instead of %s: %v, want %s: %s", c.to, c.from, err, c.field, c.reason)
		}
	}
}

// A reader of today reads what a later writer added.
func TestDecodeAttributionIgnoresNewMembers(t *testing.T) {
	a := orderOf1001()
	line := strings.Replace(string(a.Encode(nil)), `"session":1,`, `"session":1,"cost":{"usd":[1,2]},`, 1)
	line = strings.Replace(line, `"late_event"`, `"moon_phase"`, 1)
	a.Cause = "moon_phase"
	if got, err := DecodeAttribution([]byte(line)); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestShare(t *testing.T) {
	for want, s := range map[string]Share{"0": 0, "1": WholeShare, "0.5": 500_000, "0.438291": 438_291, "0.000001": 1, "-0.25": -250_000} {
		if got := s.String(); got != want {
			t.Errorf("%d prints %s, want %s", s, got, want)
		}
	}
	for text, want := range map[string]Share{"0": 0, "1": WholeShare, "1.0": WholeShare, "5e-1": 500_000, "0.438291": 438_291} {
		if got, err := ParseShare(text); err != nil || got != want {
			t.Errorf("ParseShare(%s) = %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "1.1", "-0.1", "0.0000001", "1e9", "null"} {
		if got, err := ParseShare(text); err == nil {
			t.Errorf("ParseShare(%s) = %d", text, got)
		}
	}
}

func TestAlias(t *testing.T) {
	a := Alias{Old: "c1", New: `c"2`}
	line := a.Encode(nil)
	if want := `{"old_customer_id":"c1","customer_id":"c\"2"}`; string(line) != want {
		t.Errorf("%s, want %s", line, want)
	}
	if got, err := DecodeAlias(line); err != nil || got != a {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{`{}`, `{"old_customer_id":"a"}`, `{"customer_id":"a"}`, `[]`, ``, `{"customer_id":1}`} {
		if _, err := DecodeAlias([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func BenchmarkEncodeAttribution(b *testing.B) {
	a := orderOf1001()
	var buffer []byte
	for b.Loop() {
		buffer = a.Encode(buffer[:0])
	}
	b.ReportMetric(float64(len(buffer)), "bytes")
}

func BenchmarkDigest(b *testing.B) {
	a := orderOf1001()
	for b.Loop() {
		a.Digest()
	}
}

func BenchmarkDecodeAttribution(b *testing.B) {
	a := orderOf1001()
	line := a.Encode(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeAttribution(line); err != nil {
			b.Fatal(err)
		}
	}
}
