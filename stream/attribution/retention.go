package attribution

import (
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state/journey"
)

// What is older than the retention is deleted, and refused when it comes: that takes a replay, since it would be late. Events
// go at most a day later. What they leave behind goes later: who is who, conversions, consents. Each is looked at once in a
// period, and links stay for two more: their ends hear of each other's events but once in a period, and it may take a while.
//
//	retention 400 days, so a period of 40
//	touches and activities      400 to 401 days
//	conversions                 400 to 440 days; those of a name that counts once 800 to 840, since they decide about later
//	                            ones that a replay may still revise
//	links, identifiers          480 to 520 days after they were last seen, and 40 more for each that points to them

// sweepSlack is the time by which a conversion may become final late.
const sweepSlack = 24 * time.Hour

// periods is how many the retention has.
const periods = 10

// actorWork is how much more there is to do for an identifier than for a timer: its journey is read.
const actorWork = 10

// horizon is the time before which events are not kept, by how far time has come; 0: they are kept for ever.
func (w *Work) horizon(now schemas.Millis) schemas.Millis {
	if w.config.Retention <= 0 {
		return 0
	}
	return max(0, now.Add(-w.config.Retention))
}

// expire deletes what is behind the horizon.
func (w *Work) expire(partition int32, settled schemas.Millis, limit int, stamp Stamp) (more bool) {
	before := w.horizon(settled)
	if before == 0 {
		return false
	}
	rows := w.batch.Rows(partition)
	deleted, more := rows.Expire(before, limit)
	w.ExpiredEvents += int64(deleted)
	if more {
		return true
	}
	period := w.config.Retention / periods
	found, more := rows.Sweep(before, period, max(1, limit/actorWork))
	ages := identity.Ages{Events: found.Before, Links: found.Before.Add(-2 * period), Conversions: func(name string) schemas.Millis {
		if w.config.Rules.Conversions[name].Occurrence == journey.First {
			return found.Before.Add(-w.config.Retention)
		}
		return found.Before
	}}
	w.rows = stepRows{rows, w, before}
	for _, id := range found.Identifiers {
		w.effects.Reset()
		w.machine.ExpireIdentifier(&w.rows, id, ages, &w.effects)
		w.follow(partition, stamp)
	}
	for _, key := range found.Conversions {
		w.effects.Reset()
		w.machine.ExpireConversion(&w.rows, key, ages, &w.effects)
		w.follow(partition, stamp)
	}
	return more
}

// incomplete reports whether touches that could share the conversion's credit may have expired. Its answer stays what it
// was when they were there.
func (w *Work) incomplete(conv journey.Conversion, now schemas.Millis) bool {
	from, _ := w.config.Rules.Window(conv)
	return from < w.horizon(now)
}

// Horizon implements identity.Rows.
func (r *stepRows) Horizon() schemas.Millis { return r.horizon }
