package state

import (
	"fmt"
	"time"

	"tributary/identity"
	"tributary/schemas"
)

// Facts expire by sweeps: from time to time, and in steps of bounded size, a partition's journeys are looked through for
// old events. Facts are in the order of time, so a journey without any costs one look. A timer for each journey would be one
// more row for each touch of a new customer, in the changelog too. How far a sweep has come is a row.

// sweepEvery is by how much time has to move on before the next sweep: so much longer than asked for events are kept.
const sweepEvery = 24 * time.Hour

// sweep is how far the sweeps of a partition have come.
type sweep struct {
	before schemas.Millis // what is older goes, or went if the sweep is over
	next   []byte         // where it goes on: a fact's key behind its kind; nil: it is over
}

// Expire deletes events that happened before a time, but for standing facts, from all journeys of the partition. It looks at
// no more than limit journeys and facts, and goes on where the last call ended: more says that the sweep is not over. It
// returns how many events it deleted.
//
// Of an event with several copies the earliest counts, so that they go together.
func (r *Rows) Expire(before schemas.Millis, limit int) (deleted int, more bool) {
	s := r.sweep()
	if s.next == nil {
		if before < s.before.Add(sweepEvery) {
			return 0, false
		}
		s = sweep{before: before, next: []byte{}}
	}
	var old []rooted
	old, s.next = r.old(s, limit)
	for _, o := range old {
		deleted += r.deleteEvent(o)
	}
	r.PutPlain(KindSweep, nil, appendSweep(nil, s))
	return deleted, s.next != nil
}

// rooted is a fact and the root that holds it.
type rooted struct {
	root identity.ID
	identity.Fact
}

// old returns committed facts that a sweep comes to, and where it goes on. What is not committed yet the next sweep finds.
func (r *Rows) old(s sweep, limit int) (found []rooted, next []byte) {
	if r.failed() {
		return nil, nil
	}
	it := r.batch.ranges.at(r.batch, r, nil)
	if it == nil {
		return nil, nil
	}
	kind := appendHead(nil, r.partition, KindFact)
	it.SetBounds(append(kind[:len(kind):len(kind)], s.next...), after(kind))
	for valid := it.First(); valid; limit-- {
		key := it.Key()
		if limit <= 0 {
			return found, append([]byte{}, key[len(kind):]...)
		}
		o := rooted{root: identity.ID(key[len(kind):])}
		if o.At, o.Event, _ = factPlace(key); o.At >= s.before {
			valid = it.SeekGE(after(key[:headBytes]))
			continue
		}
		f, err := decodeFact(KindFact, r.batch.keep(it.Value()))
		if err != nil {
			r.fail(KindFact, err)
			return nil, nil
		}
		o.IDs, o.Home, o.Body = f.IDs, f.Home, f.Body
		found = append(found, o)
		valid = it.Next()
	}
	if err := it.Error(); err != nil {
		r.batch.fail(fmt.Errorf("state: look for old facts: %w", err))
	}
	return found, nil
}

// deleteEvent deletes a fact and the other copies of its event, and returns 1 if the event was still there.
func (r *Rows) deleteEvent(o rooted) int {
	copies := r.Copies(o.root, o.Event)
	if len(copies) == 0 {
		return 0
	}
	r.DeleteFact(o.root, o.Fact)
	for _, c := range copies[1:] {
		for _, f := range r.FactsBetween(o.root, c.At, c.At) {
			if f.Event == o.Event {
				r.DeleteFact(o.root, f)
			}
		}
	}
	return 1
}

func (r *Rows) sweep() sweep {
	value, ok := r.Plain(KindSweep, nil)
	if !ok {
		return sweep{}
	}
	s, err := decodeSweep(value)
	r.fail(KindSweep, err)
	return s
}

func appendSweep(b []byte, s sweep) []byte {
	b = append(b, flag(s.next != nil, 1))
	return append(appendMillis(b, s.before), s.next...)
}

func decodeSweep(value []byte) (s sweep, err error) {
	r := reader{b: value, kind: KindSweep, version: version1}
	unfinished := r.flags(1) != 0
	s.before = r.time()
	if next := r.rest(); unfinished {
		s.next = append([]byte{}, next...)
	} else if len(next) > 0 {
		r.fail("bytes left over")
	}
	return s, r.end()
}
