package state

import (
	"encoding/binary"
	"math"
	"slices"

	"tributary/identity"
	"tributary/schemas"
)

// Facts are rows by time, so that a stretch of a journey is one read. Beside them a local row by event says at which times
// and in which copies the event is there, so that a new fact needs no search; and another local row marks the few
// events with more than one copy, so that reading a stretch needs to look only at those.

// factKind is the kind of row that a fact is. Standing ones are few, and read however far back they are.
func factKind(standing bool) Kind {
	if standing {
		return KindStanding
	}
	return KindFact
}

func isFact(k Kind) bool { return k == KindFact || k == KindStanding }

func (r *Rows) factKey(root identity.ID, f *identity.Fact, copy uint64) []byte {
	return r.placeKey(factKind(f.Standing), root, f, copy)
}

// placeKey is the key of a fact's row of any kind.
func (r *Rows) placeKey(k Kind, actor identity.ID, f *identity.Fact, copy uint64) []byte {
	key := append(appendTime(r.key(k, actor), f.At), f.Event[:]...)
	return binary.BigEndian.AppendUint64(key, copy)
}

func (r *Rows) eventKey(k Kind, root identity.ID, e identity.EventKey) []byte {
	return append(r.key(k, root), e[:]...)
}

// PutFact implements identity.Rows.
func (r *Rows) PutFact(root identity.ID, f identity.Fact) identity.Met {
	if r.failed() {
		return identity.MetNothing
	}
	c := Copy{f.At, f.Copy()}
	met := r.addCopy(root, f.Event, c)
	if met == identity.MetEqual || r.failed() {
		return met
	}
	key := r.factKey(root, &f, c.Copy)
	b := r.batch
	row := b.row(key)
	if row == nil { // nobody in this batch had it, and its event does not list it: it is not on the disk either
		row = b.hold(key)
		row.flags |= rowKnown
	}
	r.value = appendFact(r.value[:0], f)
	b.set(row, b.keep(r.value))
	return met
}

// DeleteFact implements identity.Rows.
func (r *Rows) DeleteFact(root identity.ID, f identity.Fact) {
	if r.failed() {
		return
	}
	c := Copy{f.At, f.Copy()}
	if r.removeCopy(root, f.Event, c) {
		r.write(r.factKey(root, &f, c.Copy), nil)
	}
}

// Facts implements identity.Rows.
func (r *Rows) Facts(root identity.ID) []identity.Fact {
	all := r.facts(KindFact, root, math.MinInt64, math.MaxInt64)
	if standing := r.facts(KindStanding, root, math.MinInt64, math.MaxInt64); len(standing) > 0 {
		all = append(all, standing...)
		slices.SortStableFunc(all, identity.CompareFacts)
	}
	return all
}

// FactsBetween returns the facts of a journey from one time to another, both included, ascending by time and event,
// without standing ones.
func (r *Rows) FactsBetween(root identity.ID, from, to schemas.Millis) []identity.Fact {
	return r.facts(KindFact, root, from, to)
}

// Standing returns the standing facts of a journey up to a time, included, ascending by time and event. Of an event with
// several copies all up to then are returned.
func (r *Rows) Standing(root identity.ID, to schemas.Millis) []identity.Fact {
	return r.facts(KindStanding, root, math.MinInt64, to)
}

// facts are those of one of the kinds of facts.
func (r *Rows) facts(k Kind, root identity.ID, from, to schemas.Millis) (all []identity.Fact) {
	if r.failed() || from > to {
		return nil
	}
	lower := appendTime(append([]byte(nil), r.key(k, root)...), from)
	upper := after(appendTime(r.key(k, root), to))
	r.batch.scan(r, lower, upper, func(key, value []byte) bool {
		f, err := decodeFact(k, value)
		f.At, f.Event, _ = factPlace(key)
		f.Standing = k == KindStanding
		all = append(all, f)
		r.fail(k, err)
		return err == nil
	})
	return all
}

// Window returns the facts of a journey from one time to another, both included, without those whose event has a copy
// before from: that one counts, and it is outside. Of several copies within the window all are returned; copies after
// it never count.
func (r *Rows) Window(root identity.ID, from, to schemas.Millis) []identity.Fact {
	facts := r.FactsBetween(root, from, to)
	if len(facts) == 0 {
		return facts
	}
	early := r.conflictsBefore(root, from)
	if len(early) == 0 {
		return facts
	}
	return slices.DeleteFunc(facts, func(f identity.Fact) bool { return slices.Contains(early, f.Event) })
}

// conflictsBefore returns the events with more than one copy of which one is before from.
func (r *Rows) conflictsBefore(root identity.ID, from schemas.Millis) (early []identity.EventKey) {
	var events []identity.EventKey
	r.scan(kindConflict, root, func(rest, _ []byte) error {
		events = append(events, identity.EventKey(rest))
		return nil
	})
	for _, e := range events {
		if copies := r.Copies(root, e); len(copies) > 0 && copies[0].At < from {
			early = append(early, e)
		}
	}
	return early
}

// Copies returns the copies of an event in a journey, ascending.
func (r *Rows) Copies(root identity.ID, e identity.EventKey) []Copy {
	value := r.read(r.eventKey(kindEvent, root, e))
	if value == nil {
		return nil
	}
	copies, err := decodeCopies(value)
	r.fail(kindEvent, err)
	return copies
}

// addCopy notes a copy of an event.
func (r *Rows) addCopy(root identity.ID, e identity.EventKey, c Copy) identity.Met {
	key := r.eventKey(kindEvent, root, e)
	row := r.batch.load(r, key)
	if row.value == nil {
		if !r.failed() {
			r.setCopies(row, []Copy{c})
		}
		return identity.MetNothing
	}
	copies, err := decodeCopies(row.value)
	if err != nil {
		r.fail(kindEvent, err)
		return identity.MetNothing
	}
	i, found := slices.BinarySearchFunc(copies, c, compareCopies)
	if found {
		return identity.MetEqual
	}
	r.setCopies(row, slices.Insert(copies, i, c))
	if len(copies) == 1 {
		r.value = appendConflict(r.value[:0])
		r.update(r.eventKey(kindConflict, root, e), r.value)
	}
	return identity.MetConflict
}

// removeCopy takes a copy of an event away and reports whether it was there.
func (r *Rows) removeCopy(root identity.ID, e identity.EventKey, c Copy) bool {
	key := r.eventKey(kindEvent, root, e)
	row := r.batch.load(r, key)
	if row.value == nil {
		return false
	}
	copies, err := decodeCopies(row.value)
	if err != nil {
		r.fail(kindEvent, err)
		return false
	}
	i, found := slices.BinarySearchFunc(copies, c, compareCopies)
	if !found {
		return false
	}
	r.setCopies(row, slices.Delete(copies, i, i+1))
	if len(copies) == 2 {
		r.update(r.eventKey(kindConflict, root, e), nil)
	}
	return true
}

func (r *Rows) setCopies(row *row, copies []Copy) {
	if len(copies) == 0 {
		r.batch.set(row, nil)
		return
	}
	r.value = appendCopies(r.value[:0], copies)
	r.batch.set(row, r.batch.keep(r.value))
}
