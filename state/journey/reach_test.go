package journey

import (
	"testing"
	"time"

	"tributary/schemas"
)

func TestReach(t *testing.T) {
	day := 24 * time.Hour
	rules := Defaults()
	rules.Lookback.ByKind = map[string]time.Duration{"impression": day, "call": 90 * day}
	rules.Conversions = map[string]ConversionRule{"first_paid": {Lookback: 365 * day}, "sale": {Lookback: 7 * day}}
	if got := rules.Reach(); got != 365*day {
		t.Errorf("reach %v, want 365 days: the longest lookback", got)
	}
	conv := Conversion{ID: "c", Name: "sale", At: 1_772_359_200_000}
	if from, to := rules.Window(conv); from != conv.At.Add(-90*day) || to != conv.At {
		t.Errorf("window %s to %s, want the 90 days of calls", from, to)
	}
	rules.SessionRules = UA
	if got := rules.Reach(); got != 367*day {
		t.Errorf("reach %v, want 2 days more, for the session of the first touch", got)
	}
}

// The lookback is 30 days; a booking counts once a customer and starts the journey anew, a payment counts once.
func TestAffectedBy(t *testing.T) {
	rules := Defaults()
	rules.Conversions = map[string]ConversionRule{
		"first_booked": {Occurrence: First, Reset: true},
		"first_paid":   {Occurrence: First},
		"sale":         {Reset: true},
	}
	const now = schemas.Millis(1_772_359_200_000)
	days := func(n int) schemas.Millis { return now.Add(time.Duration(n) * 24 * time.Hour) }
	for _, c := range []struct {
		why     string
		changed string
		at      schemas.Millis
		conv    string
		want    bool
	}{
		{"a sale of last week kept a session alive and started anew", "sale", days(-7), "lead", true},
		{"a sale on the edge of the window still did", "sale", days(-30), "lead", true},
		{"an older one hides only what is too old anyway", "sale", days(-30) - 1, "lead", false},
		{"what comes later changes nothing", "sale", now + 1, "lead", false},
		{"nor does a later one of a name that counts once", "first_paid", now + 1, "first_paid", false},
		{"a first payment of last year takes the place of today's", "first_paid", days(-400), "first_paid", true},
		{"but does nothing to a lead", "first_paid", days(-400), "lead", false},
		{"a first booking of last year stops that of last week from starting anew", "first_booked", days(-400), "lead", true},
	} {
		changed := Conversion{ID: "changed", EventID: "changed", Name: c.changed, At: c.at}
		conv := Conversion{ID: "conv", EventID: "conv", Name: c.conv, At: now}
		if got := rules.AffectedBy(changed, conv); got != c.want {
			t.Errorf("%s: %s at %s affects %s: %v, want %v", c.why, c.changed, c.at, c.conv, got, c.want)
		}
	}
	same := Conversion{ID: "conv", Name: "sale", At: now}
	if later := same; !rules.AffectedBy(later, same) {
		t.Error("a conversion does not affect itself")
	}
	if !rules.Coupled() || Defaults().Coupled() {
		t.Error("conversions are coupled by first and reset, and by nothing else")
	}
}
