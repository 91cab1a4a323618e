package attribution

import (
	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
)

// A conversion becomes final once everything that happened up to its time plus the allowed lateness has arrived. A timer
// says when that is. One is set wherever a token comes to rest, at a root or parked at its actor; nobody takes it back. So
// a timer that fires may find that the token is gone, that its conversion happened at another time, or that it is final
// already: then there is nothing to do. Where a token goes, and when its time changes, another timer is set.
//
//	purchase at 1 March, allowed lateness 7 days    timer at root b, due 8 March
//	a click on 4 March unites b with a              timer at root a, due 8 March
//	settled passes 8 March                          both fire: a emits FINAL, b has no such token any more

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
	return more || w.expire(partition, settled, limit)
}

// finalize marks the conversion of a timer as final, if it is.
func (w *Work) finalize(partition int32, t state.Timer, settled schemas.Millis, stamp Stamp) {
	rows := w.batch.Rows(partition)
	h, ok := token(rows, t.Root, t.Conversion)
	switch {
	case !ok || h.Final:
	case w.due(h) >= settled: // it happened later than was thought, or the settings allow more now
		w.setTimer(rows, t.Root, h)
	default:
		c := w.at(placeOf(partition, t.Root, h.Conversion), stamp)
		if c.final == nil {
			c.final = make(set)
		}
		c.final.add(h.Conversion)
	}
}

// rests sets the timer of a token that came to rest, or changed there. The protocol marks each that does.
func (w *Work) rests(partition int32, d identity.Dirty) {
	rows := w.batch.Rows(partition)
	if h, ok := token(rows, d.Root, identity.ConversionKeyOf(d.Conversion)); ok && !h.Final {
		w.setTimer(rows, d.Root, h)
	}
}

func (w *Work) setTimer(rows Rows, root identity.ID, h identity.Held) {
	rows.PutTimer(state.Timer{Due: w.due(h), Kind: state.TimerFinal, Root: root, Conversion: identity.ConversionKeyOf(h.Conversion)})
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
