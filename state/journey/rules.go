package journey

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The values of Rules.SessionRules. The empty string means GA4.
const (
	GA4    = "ga4"    // Google Analytics 4: a session ends by inactivity only
	UA     = "ua"     // Universal Analytics: also at midnight and when the traffic source changes
	Matomo = "matomo" // Matomo: also at midnight and when another campaign comes
)

// The values of Rules.TouchUnit. The empty string means UnitTouch.
const (
	UnitTouch   = "touch"   // every eligible touch is a step of the path
	UnitSession = "session" // one touch a session is
)

// The values of ConversionRule.Occurrence. The empty string means Every.
const (
	Every = "every" // each conversion of the name counts
	First = "first" // only a customer's earliest one counts, within Rules.Memory
)

// Rules are the settings that turn a customer's events into paths. Start from Defaults: the zero value has no timeout
// and no lookback, and Validate refuses it. Rules are never changed by this package, so one value serves any number of
// goroutines.
type Rules struct {
	SessionTimeout time.Duration  // the longest gap inside a session, above 0; counted in whole milliseconds
	SessionRules   string         // GA4, UA or Matomo
	Timezone       *time.Location // whose midnight ends a session under UA and Matomo; nil is UTC
	TouchUnit      string         // UnitTouch or UnitSession
	Lookback       Lookback
	Conversions    map[string]ConversionRule // by conversion name; a name without an entry has the zero ConversionRule
	// Memory is how far back an earlier conversion takes the place of the first: after so long without one of its name, a
	// conversion is the first again. 0: however far.
	Memory time.Duration
}

// Lookback is how long before a conversion a touch may be to earn credit, both ends included.
type Lookback struct {
	Default time.Duration            // above 0
	ByKind  map[string]time.Duration // by touch kind, above 0; stronger than the conversion's own lookback
}

// ConversionRule is what is special about the conversions of one name. The zero value is a conversion that counts every
// time, has the default lookback and leaves the journey as it is.
type ConversionRule struct {
	Occurrence string        // Every or First
	Lookback   time.Duration // 0: Lookback.Default
	Reset      bool          // the journey starts anew after it
}

// Defaults are the settings of a file that says nothing: the half hour of Google Analytics and Matomo, and the 30 days
// most advertising platforms look back.
func Defaults() Rules {
	return Rules{
		SessionTimeout: 30 * time.Minute,
		SessionRules:   GA4,
		Timezone:       time.UTC,
		TouchUnit:      UnitTouch,
		Lookback:       Lookback{Default: 30 * 24 * time.Hour},
	}
}

// Validate reports every fault of the rules at once, each with the setting's name, its value and what is allowed. It
// returns nil when there is none.
func (r Rules) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	positive := func(setting string, d time.Duration) {
		if d < time.Millisecond {
			fault("%s: %v: must be at least 1ms", setting, d)
		}
	}
	oneOf := func(setting, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			fault("%s: %q: must be one of %q", setting, value, allowed)
		}
	}

	positive("sessions.timeout", r.SessionTimeout)
	oneOf("sessions.rules", r.SessionRules, GA4, UA, Matomo)
	oneOf("touch_unit", r.TouchUnit, UnitTouch, UnitSession)
	positive("lookback.default", r.Lookback.Default)
	for _, kind := range slices.Sorted(maps.Keys(r.Lookback.ByKind)) {
		if kind == "" {
			fault("lookback.by_kind: a touch kind without a name")
		}
		positive("lookback.by_kind."+kind, r.Lookback.ByKind[kind])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Conversions)) {
		if name == "" {
			fault("conversions: a conversion without a name")
		}
		rule := r.Conversions[name]
		oneOf("conversions."+name+".occurrence", rule.Occurrence, Every, First)
		if rule.Lookback != 0 {
			positive("conversions."+name+".lookback", rule.Lookback)
		}
	}
	return errors.Join(faults...)
}

// lookback is how far back a conversion of this name sees the touches whose kind has no lookback of its own.
func (r Rules) lookback(name string) time.Duration {
	if d := r.Conversions[name].Lookback; d > 0 {
		return d
	}
	return r.Lookback.Default
}

// farthest is the longest lookback of a conversion of this name, whatever the kind of the touch.
func (r Rules) farthest(name string) time.Duration {
	far := r.lookback(name)
	for _, d := range r.Lookback.ByKind {
		far = max(far, d)
	}
	return far
}
