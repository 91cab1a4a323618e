package journey

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEveryFaultAtOnce(t *testing.T) {
	rules := Rules{
		SessionTimeout: -time.Minute,
		SessionRules:   "ga5",
		TouchUnit:      "click",
		Lookback:       Lookback{ByKind: map[string]time.Duration{"impression": 0, "call": time.Microsecond, "": time.Hour}},
		Conversions: map[string]ConversionRule{
			"first_paid": {Occurrence: "once", Lookback: -time.Hour},
			"":           {},
		},
	}
	err := rules.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	want := `sessions.timeout: -1m0s: must be at least 1ms
sessions.rules: "ga5": must be one of ["ga4" "ua" "matomo"]
touch_unit: "click": must be one of ["touch" "session"]
lookback.default: 0s: must be at least 1ms
lookback.by_kind: a touch kind without a name
lookback.by_kind.call: 1µs: must be at least 1ms
lookback.by_kind.impression: 0s: must be at least 1ms
conversions: a conversion without a name
conversions.first_paid.occurrence: "once": must be one of ["every" "first"]
conversions.first_paid.lookback: -1h0m0s: must be at least 1ms`
	if got := err.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNothingWantedNothingDone(t *testing.T) {
	never := func(string) bool { return false }
	conversions := []Conversion{{ID: "c", EventID: "e", At: 1}}
	if got := Defaults().Paths([]Touch{{EventID: "t", At: 1}}, conversions, never); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
	if got := Defaults().Paths([]Touch{{EventID: "t", At: 1}}, nil, nil); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	for v := Counted; v <= Refunded; v++ {
		if strings.Contains(v.String(), "unknown") {
			t.Errorf("verdict %d has no name", v)
		}
	}
}
