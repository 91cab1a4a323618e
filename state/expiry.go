package state

import (
	"fmt"
	"time"

	"tributary/identity"
	"tributary/schemas"
)

// What is old expires by sweeps: from time to time, and in steps of bounded size, the rows of a partition are looked through.
// A timer for each journey would be one more row for each touch of a new customer, in the changelog too. How far a sweep has
// come is a row.
//
// Events, and the touches that shared identifiers keep, are in the order of time, so a journey without old ones costs one
// look. What events leave behind, identifiers and conversions, has to be looked at one by one: its own sweep comes less often.

// sweepEvery is by how much time has to move on before the next sweep of events: so much longer than asked for they are kept.
const sweepEvery = 24 * time.Hour

// Keys of the rows of sweeps.
var (
	eventSweep []byte
	actorSweep = []byte{1}
)

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
	s, due := r.due(eventSweep, before, sweepEvery)
	if !due {
		return 0, false
	}
	var old []oldFact
	s.next = r.stretch([]Kind{KindFact, KindKept}, s, limit, func(k Kind, key, value []byte) (next bool) {
		if at, _, _ := factPlace(key); at >= s.before {
			return true
		}
		f, err := decodeFact(k, r.batch.keep(value))
		r.fail(k, err)
		f.At, f.Event, _ = factPlace(key)
		old = append(old, oldFact{k, identity.ID(key[partitionBytes+1:]), f})
		return false
	})
	for _, o := range old {
		deleted += r.deleteEvent(o)
	}
	r.PutPlain(KindSweep, eventSweep, appendSweep(nil, s))
	return deleted, s.next != nil
}

// Actors are identifiers and conversions that a sweep has come to.
type Actors struct {
	Before      schemas.Millis // what is older goes: the time with which the sweep began
	Identifiers []identity.ID  // that have a node, or a journey with standing facts: some twice
	Conversions []identity.ConversionKey
}

// Sweep returns the next actors of a partition that its sweep comes to, at most limit. The next sweep begins when time has
// moved on by at least every. more says that the sweep is not over.
func (r *Rows) Sweep(before schemas.Millis, every time.Duration, limit int) (found Actors, more bool) {
	s, due := r.due(actorSweep, before, every)
	if !due {
		return Actors{}, false
	}
	found.Before = s.before
	s.next = r.stretch([]Kind{KindNode, KindConversion, KindStanding}, s, limit, func(k Kind, key, _ []byte) (next bool) {
		if k == KindConversion {
			found.Conversions = append(found.Conversions, identity.ConversionKey(key[partitionBytes+1:]))
		} else {
			found.Identifiers = append(found.Identifiers, identity.ID(key[partitionBytes+1:]))
		}
		return true
	})
	r.PutPlain(KindSweep, actorSweep, appendSweep(nil, s))
	return found, s.next != nil
}

// due returns the sweep that is under way, or a new one if it is time for it.
func (r *Rows) due(key []byte, before schemas.Millis, every time.Duration) (s sweep, due bool) {
	s = r.sweep(key)
	if s.next == nil {
		if before < s.before.Add(every) {
			return s, false
		}
		s = sweep{before: before, next: []byte{}}
	}
	return s, !r.failed()
}

// oldFact is a fact that expires, and who holds it.
type oldFact struct {
	kind Kind
	of   identity.ID
	identity.Fact
}

// stretch looks at the committed rows of some kinds, ascending, that a sweep comes to, at most limit, and returns where it goes on; nil:
// nowhere. After an actor for which look returns next, its other rows are left out. What is not committed yet the next sweep
// finds.
func (r *Rows) stretch(over []Kind, s sweep, limit int, look func(k Kind, key, value []byte) (next bool)) []byte {
	it := r.batch.ranges.at(r.batch, r, nil)
	if it == nil {
		return nil
	}
	for _, k := range over {
		head := appendHead(nil, r.partition, k)
		from := append(head[:partitionBytes:partitionBytes], s.next...)
		if string(from) < string(head) {
			from = head
		}
		it.SetBounds(from, after(head))
		for valid := it.First(); valid; limit-- {
			key := it.Key()
			if limit <= 0 {
				return append([]byte{}, key[partitionBytes:]...)
			}
			if look(k, key, it.Value()) {
				valid = it.SeekGE(after(key[:headBytes]))
			} else {
				valid = it.Next()
			}
			if r.failed() {
				return nil
			}
		}
		if err := it.Error(); err != nil {
			r.batch.fail(fmt.Errorf("state: look for what is old: %w", err))
		}
	}
	return nil
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

func (r *Rows) sweep(key []byte) sweep {
	value, ok := r.Plain(KindSweep, key)
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
