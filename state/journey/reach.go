package journey

import (
	"time"

	"tributary/schemas"
)

// longestDay is longer than any local calendar day since 1970. Days of 25 hours come every autumn; a zone that moved its
// offset made a few longer.
const longestDay = 48 * time.Hour

// slack is how long before its earliest eligible touch a path can depend on events. Under GA4 two neighbours decide
// whether a session ends between them, so nothing before the first eligible touch matters. Under UA and Matomo it matters
// what brought that touch's session, which began on the same local date.
func (r Rules) slack() time.Duration {
	if r.SessionRules == UA || r.SessionRules == Matomo {
		return longestDay
	}
	return 0
}

// Reach is how long before a conversion of any name an event can still matter to its path. What is older may be dropped
// once no path of that time is asked for.
func (r Rules) Reach() time.Duration {
	far := r.farthest("")
	for name := range r.Conversions {
		far = max(far, r.farthest(name))
	}
	return far + r.slack()
}

// Window returns the times, both included, between which touches and activities must be given to Paths for conv's path
// to be exact; more of them do no harm. It takes for granted that touches were kept apart by event id when they were
// stored (see Touch.Wins): a copy outside of the window cannot win.
//
// Of the conversions Paths needs those of the window too, as they keep sessions alive and start journeys anew, and all
// those of a name that counts once (First).
func (r Rules) Window(conv Conversion) (from, to schemas.Millis) {
	return conv.At - millis(r.farthest(conv.Name)) - millis(r.slack()), conv.At
}

// Affected reports whether a touch or activity that comes or goes at changedAt could change conv's path. A false is
// certain. A touch that moves in time goes at the old time and comes at the new one.
func (r Rules) Affected(changedAt schemas.Millis, conv Conversion) bool {
	from, to := r.Window(conv)
	return from <= changedAt && changedAt <= to
}

// AffectedBy reports whether the coming, going or change of another conversion could change conv's path. A false is
// certain. A conversion whose time or name changed goes as it was and comes as it is. A refund or another value changes
// no path but the conversion's own.
func (r Rules) AffectedBy(changed, conv Conversion) bool {
	if changed.ID == conv.ID {
		return true
	}
	if conv.At < changed.At {
		return false // every rule looks back only
	}
	rule := r.Conversions[changed.Name]
	if rule.Occurrence == First && (rule.Reset || changed.Name == conv.Name) {
		// The place of the first passes to or from a later one of that name, wherever that is; if it resets, so does the
		// start of every journey behind it.
		return true
	}
	return r.Affected(changed.At, conv)
}

// Coupled reports whether conversions do more to each other than keep a session alive: a name counts once, or starts
// the journey anew. When false, a conversion is to the others what an activity at its time is, and Affected tells which
// of them it can change; AffectedBy holds in both cases.
func (r Rules) Coupled() bool {
	for _, rule := range r.Conversions {
		if rule.Occurrence == First || rule.Reset {
			return true
		}
	}
	return false
}
