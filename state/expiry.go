package state

import (
	"fmt"
	"time"

	"tributary/identity"
	"tributary/schemas"
)

// Facts, and the touches that shared identifiers keep, expire by sweeps: from time to time, and in steps of bounded size, a partition's journeys are looked through for
// old events. Facts are in the order of time, so a journey without any costs one look. A timer for each journey would be one
// more row for each touch of a new customer, in the changelog too. How far a sweep has come is a row.

// sweepEvery is by how much time has to move on before the next sweep: so much longer than asked for events are kept.
const sweepEvery = 24 * time.Hour

// sweep is how far the sweeps of a partition have come.
type sweep struct {
	before schemas.Millis // what is older goes, or went if the sweep is over
	next   []byte         // where it goes on: a key behind its partition; nil: it is over
}

// Expire deletes events that happened before a time, but for standing facts, from all journeys of the partition. It looks at
// no more than limit journeys and facts, and goes on where the last call ended: more says that the sweep is not over. It
// returns how many events it deleted.
//
// Of an event with several copies the earliest counts, so that they go together.
func (r *Rows) Expire(before schemas.Millis, limit int) (deleted int, more bool) {
	s := r.sweep()
	if r.failed() {
		return 0, false
	}
	if s.next == nil {
		if before < s.before.Add(sweepEvery) {
			return 0, false
		}
		s = sweep{before: before, next: []byte{}}
	}
	var old []oldFact
	old, s.next = r.old(s, limit)
	for _, o := range old {
		deleted += r.deleteEvent(o)
	}
	r.PutPlain(KindSweep, nil, appendSweep(nil, s))
	return deleted, s.next != nil
}

// swept are the kinds of rows that expire.
var swept = [...]Kind{KindFact, KindKept}

// oldFact is a fact that expires, and who holds it.
type oldFact struct {
	kind Kind
	of   identity.ID
	identity.Fact
}

// old returns committed facts that a sweep comes to, and where it goes on. What is not committed yet the next sweep finds.
func (r *Rows) old(s sweep, limit int) (found []oldFact, next []byte) {
	it := r.batch.ranges.at(r.batch, r, nil)
	if it == nil {
		return nil, nil
	}
	for _, k := range swept {
		head := appendHead(nil, r.partition, k)
		from := append(head[:partitionBytes:partitionBytes], s.next...)
		if string(from) < string(head) {
			from = head
		}
		it.SetBounds(from, after(head))
		for valid := it.First(); valid; limit-- {
			key := it.Key()
			if limit <= 0 {
				return found, append([]byte{}, key[partitionBytes:]...)
			}
			if at, _, _ := factPlace(key); at >= s.before {
				valid = it.SeekGE(after(key[:headBytes]))
				continue
			}
			f, err := decodeFact(k, r.batch.keep(it.Value()))
			if err != nil {
				r.fail(k, err)
				return nil, nil
			}
			f.At, f.Event, _ = factPlace(key)
			found = append(found, oldFact{k, identity.ID(key[partitionBytes+1:]), f})
			valid = it.Next()
		}
		if err := it.Error(); err != nil {
			r.batch.fail(fmt.Errorf("state: look for old facts: %w", err))
		}
	}
	return found, nil
}

// deleteEvent deletes a fact and the other copies of its event, and returns 1 if the event was still there.
func (r *Rows) deleteEvent(o oldFact) int {
	if o.kind == KindKept {
		r.DeleteKept(o.of, o.Fact)
		return 1
	}
	copies := r.Copies(o.of, o.Event)
	if len(copies) == 0 {
		return 0
	}
	r.DeleteFact(o.of, o.Fact)
	for _, c := range copies[1:] {
		for _, f := range r.FactsBetween(o.of, c.At, c.At) {
			if f.Event == o.Event {
				r.DeleteFact(o.of, f)
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
