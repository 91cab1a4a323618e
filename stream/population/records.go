package population

import (
	"iter"

	"tributary/schemas"
)

// Record is one record as a source topic would hold it. Key and Value are the receiver's until the next record only.
type Record struct {
	Key      []byte         // an identifier of the event
	Value    []byte         // the event in the native format, without a line end
	Arrival  schemas.Millis // never before the one of the record before
	Customer uint64         // index of the person
}

// Records are all records of the population in the order of their arrival. c must be valid.
func (c Config) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		s := stream{Config: &c}
		for {
			e, ok := s.next()
			if !ok || !yield(s.record(e)) {
				return
			}
		}
	}
}

// stream merges lives by arrival: people begin their lives in the order of their index, so nobody has to be looked at
// before the records of everybody who could be earlier.
type stream struct {
	*Config
	begun   uint64 // people whose lives are in waiting
	waiting heap
	buffer  []event
	writer  writer
}

// beginning is the time at which a person appears: evenly over the first four fifths of the period. It grows with the
// index.
func (c *Config) beginning(index uint64) int64 {
	slot := int64(c.Days) * day / 5 * 4 / int64(c.Customers) // at least 1 ms, see MaxCustomers
	r := randomOf(c.Seed^0xbe91, index)
	return c.Start.UnixMilli() + int64(index)*slot + r.below(slot)
}

func (s *stream) next() (event, bool) {
	for s.begun < uint64(s.Customers) && (len(s.waiting) == 0 || s.beginning(s.begun) <= s.waiting[0].arrival) {
		s.begin(s.begun)
		s.begun++
	}
	if len(s.waiting) == 0 {
		return event{}, false
	}
	return s.waiting.pop(), true
}

// begin puts a person's records into waiting, with their ways: seconds, or hours for late ones, and copies.
func (s *stream) begin(index uint64) {
	_, s.buffer = s.lifeOf(index, s.beginning(index), s.buffer[:0])
	r := randomOf(s.Seed^0xde1a, index)
	for _, e := range s.buffer {
		e.arrival = e.at + s.delay(&r)
		s.waiting.push(e)
		if r.chance(s.Duplicates) {
			again := e
			again.copy, again.arrival = 1, min(e.arrival+r.skewed(30*minute), e.at+s.MaxDelay.Milliseconds())
			s.waiting.push(again)
		}
		if r.chance(s.Broken) {
			broken := e
			broken.copy = 2
			s.waiting.push(broken)
		}
	}
}

// delay is the way of a record in milliseconds.
func (s *stream) delay(r *random) int64 {
	switch {
	case r.chance(s.Late):
		return r.between(minute, s.MaxDelay.Milliseconds())
	case r.chance(0.1):
		return r.below(40 * second)
	}
	return r.below(2 * second)
}

// heap is a binary heap of events, the next to arrive on top.
type heap []event

func (a *event) before(b *event) bool {
	switch {
	case a.arrival != b.arrival:
		return a.arrival < b.arrival
	case a.person != b.person:
		return a.person < b.person
	case a.number != b.number:
		return a.number < b.number
	}
	return a.copy < b.copy
}

func (h *heap) push(e event) {
	s := append(*h, e)
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent].before(&e) {
			break
		}
		s[i], i = s[parent], parent
	}
	s[i] = e
	*h = s
}

func (h *heap) pop() event {
	s := *h
	top, last := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			if len(s) > 0 {
				s[i] = last
			}
			break
		}
		if child+1 < len(s) && s[child+1].before(&s[child]) {
			child++
		}
		if last.before(&s[child]) {
			s[i] = last
			break
		}
		s[i], i = s[child], child
	}
	*h = s
	return top
}
