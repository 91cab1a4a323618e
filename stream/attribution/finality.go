package attribution

import (
	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
)

// A conversion becomes final once everything that happened up to its time plus the allowed lateness has arrived. A timer
// says when that is: there is one wherever a token that is not final rests, at a root or parked at its actor, and no other.
// It comes and goes with the token's row.
//
//	purchase at 1 March, allowed lateness 7 days    timer at root b, due 8 March
//	a click on 4 March unites b with a              timer at root a, due 8 March, and none at b
//	settled passes 8 March                          a emits FINAL

// Advance does what is due when everything of a partition up to settled has arrived, at most limit timers of it. It
// reports whether more is due: then it is to be called again, in this work or another.
func (w *Work) Advance(partition int32, settled schemas.Millis, limit int, stamp Stamp) (more bool) {
	w.Finish() // what is final repeats the answer that was provisional
	rows := w.batch.Rows(partition)
	due := rows.Timers(settled, limit+1)
	if more = len(due) > limit; more {
		due = due[:limit]
	}
	for _, t := range due {
		rows.DeleteTimer(t)
		w.finalize(partition, t, settled, stamp)
	}
	w.Finish()
	return more || w.expire(partition, settled, limit, stamp)
}

// finalize marks the conversion of a timer as final, if it is.
func (w *Work) finalize(partition int32, t state.Timer, settled schemas.Millis, stamp Stamp) {
	rows := w.batch.Rows(partition)
	h, ok := token(rows, t.Root, t.Conversion)
	switch {
	case !ok || h.Final:
	case w.due(h) >= settled: // the settings allow more than when it was set
		rows.PutTimer(w.timer(t.Root, h))
	default:
		c := w.at(placeOf(partition, t.Root, h.Conversion), stamp)
		if c.final == nil {
			c.final = make(set)
		}
		c.final.add(h.Conversion)
	}
}

// stepRows are the rows as the protocol has them: timers come and go with tokens, and what is behind the horizon is not
// taken.
type stepRows struct {
	Rows
	work    *Work
	horizon schemas.Millis
}

// PutHeld implements identity.Rows.
func (r *stepRows) PutHeld(root identity.ID, h identity.Held) {
	before, _ := r.Rows.Held(root, identity.ConversionKeyOf(h.Conversion))
	r.Rows.PutHeld(root, h)
	r.retime(root, before, h)
}

// DeleteHeld implements identity.Rows.
func (r *stepRows) DeleteHeld(root identity.ID, k identity.ConversionKey) {
	before, _ := r.Rows.Held(root, k)
	r.Rows.DeleteHeld(root, k)
	r.retime(root, before, identity.Held{})
}

// PutConversion implements identity.Rows.
func (r *stepRows) PutConversion(k identity.ConversionKey, c identity.Conversion) {
	before, _ := r.Rows.Conversion(k)
	r.Rows.PutConversion(k, c)
	r.retime(identity.None, before.Token, c.Token)
}

// retime moves the timer of a token that is another now. What is no token, or final, has none.
func (r *stepRows) retime(root identity.ID, before, now identity.Held) {
	was, is := before.Custody && !before.Final, now.Custody && !now.Final
	if was && is && before.Terms.At == now.Terms.At {
		return
	}
	if was {
		r.Rows.DeleteTimer(r.work.timer(root, before))
	}
	if is {
		r.Rows.PutTimer(r.work.timer(root, now))
	}
}

// timer is that of a token at a root, or parked at its actor if the root is None.
func (w *Work) timer(root identity.ID, h identity.Held) state.Timer {
	return state.Timer{Due: w.due(h), Kind: state.TimerFinal, Root: root, Conversion: identity.ConversionKeyOf(h.Conversion)}
}

func (w *Work) due(h identity.Held) schemas.Millis { return h.Terms.At.Add(w.config.AllowedLateness) }

// token is the token of a conversion that rests at a root, or at its actor if the root is None.
func token(rows Rows, root identity.ID, k identity.ConversionKey) (identity.Held, bool) {
	if root != identity.None {
		return rows.Held(root, k)
	}
	c, _ := rows.Conversion(k)
	return c.Token, c.Parked
}
