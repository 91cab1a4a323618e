package attribution

import (
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state/journey"
)

// Touches and activities are kept for the retention, and not longer than a day more. What is older is deleted, and refused
// when it comes: that takes a replay, since it would be late. Conversions stay, with their statements, since they are few,
// since a first one is the first for ever, and since their revisions must not begin anew. So does who is who, and what
// people said about consent.

// sweepSlack is the time by which a conversion may become final late.
const sweepSlack = 24 * time.Hour

// horizon is the time before which touches are not kept, by how far time has come; 0: they are kept for ever.
func (w *Work) horizon(now schemas.Millis) schemas.Millis {
	if w.config.Retention <= 0 {
		return 0
	}
	return max(0, now.Add(-w.config.Retention))
}

// expire deletes what is behind the horizon.
func (w *Work) expire(partition int32, settled schemas.Millis, limit int) (more bool) {
	before := w.horizon(settled)
	if before == 0 {
		return false
	}
	deleted, more := w.batch.Rows(partition).Expire(before, limit)
	w.Expired += int64(deleted)
	return more
}

// incomplete reports whether touches that could share the conversion's credit may have expired. Its answer stays what it
// was when they were there.
func (w *Work) incomplete(conv journey.Conversion, now schemas.Millis) bool {
	from, _ := w.config.Rules.Window(conv)
	return from < w.horizon(now)
}

// PutFact implements identity.Rows: facts from before the horizon are not taken, but for standing ones.
func (r *stepRows) PutFact(root identity.ID, f identity.Fact) identity.Met {
	if f.At < r.horizon && !f.Standing {
		return identity.MetExpired
	}
	return r.Rows.PutFact(root, f)
}
