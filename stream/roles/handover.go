package roles

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"

	"tributary/identity"
)

// handover decides which messages between two partitions of one lane are handed over, which is to be handled in the transaction
// that sends them, and which go through the journal, like those to other lanes.
//
// Messages from one partition to another must be handled in the order in which they were sent. One that is handed over
// would overtake those that are still in the journal, so a partition hands nothing over to another before that has handled the last
// one that it was sent through the journal. Whether it has is part of the note beside the sender's committed offset, so that it is known to
// whoever has the sender next.
//
// It only decides, and knows no record: stream/roles/journey.go does what it says.
type handover struct {
	ends []end // by partition
	left int   // weight that the open transaction may still hand over
}

// end is a partition as one that sends and one that is sent to.
type end struct {
	owned   bool            // it is the lane's
	handled int64           // offset of its last record that was handled, the open transaction included; -1: none yet
	before  int64           // the same without the open transaction
	sent    map[int32]int64 // the partitions that were sent to through the journal, and the offset of the last such record
	open    map[int32]bool  // those that are sent to through the journal in the open transaction
}

// unknownOffset is that of messages of which nobody knows where in the journal they are.
const unknownOffset = math.MaxInt64

// handoverWeight bounds what one transaction hands over: a customer that falls apart can lead to more messages than are handled
// before a transaction times out. It is some ten times what a busy lane handles within a commit interval.
const handoverWeight = 50_000

// weight is how much work a message is, roughly: one, and one for each of the things that it carries.
func weight(m *identity.Message) int { return 1 + len(m.Facts) + len(m.Members) + len(m.Helds) }

func newHandover(partitions int) *handover {
	h := &handover{ends: make([]end, partitions), left: handoverWeight}
	for p := range h.ends {
		h.forget(int32(p))
	}
	return h
}

func (h *handover) forget(p int32) { h.ends[p] = end{handled: -1, before: -1} }

// own says which partitions the lane has. What was known of others is forgotten.
func (h *handover) own(partitions []int32) {
	for p := range h.ends {
		if h.ends[p].owned && !slices.Contains(partitions, int32(p)) {
			h.forget(int32(p))
		}
	}
	for _, p := range partitions {
		h.ends[p].owned = true
	}
}

// allow reports whether a message may be handed over, and takes it to be if so. Else it is taken to go through the journal.
func (h *handover) allow(from, to int32, m *identity.Message) bool {
	f, t := &h.ends[from], &h.ends[to]
	if t.owned && h.left > 0 && !f.open[to] && f.reached(to, t) {
		h.left -= weight(m)
		return true
	}
	if f.open == nil {
		f.open = map[int32]bool{}
	}
	f.open[to] = true
	return false
}

// reached reports whether t has handled all that f sent to it through the journal in transactions before the open one.
func (f *end) reached(to int32, t *end) bool {
	last, sent := f.sent[to]
	return !sent || last <= t.handled
}

// done says that a record of a partition was handled with all that followed from it.
func (h *handover) done(p int32, offset int64) { h.ends[p].handled = offset }

// commit ends the transaction. last is the offset of the last record that it sent to a partition.
func (h *handover) commit(last func(to int32) int64) {
	for p := range h.ends {
		f := &h.ends[p]
		f.before = f.handled
		for to := range f.open {
			if f.sent == nil {
				f.sent = map[int32]int64{}
			}
			f.sent[to] = last(to)
		}
		clear(f.open)
	}
	h.left = handoverWeight
}

// abort forgets the transaction.
func (h *handover) abort() {
	for p := range h.ends {
		f := &h.ends[p]
		f.handled = f.before
		clear(f.open)
	}
	h.left = handoverWeight
}

// notePrefix begins every note. After it stands a bit for every partition, the first in the highest bit of the first byte, in
// hexadecimal digits: 1 if it may not have handled all that it was sent through the journal.
const notePrefix = "handover/1 "

// note is what to keep of a partition, if the open transaction is committed.
func (h *handover) note(p int32) string {
	waiting := make([]byte, (len(h.ends)+7)/8)
	f := &h.ends[p]
	mark := func(to int32) { waiting[to/8] |= 0x80 >> (to % 8) }
	for to := range f.open {
		mark(to)
	}
	for to := range f.sent {
		if !f.reached(to, &h.ends[to]) {
			mark(to)
		}
	}
	return notePrefix + hex.EncodeToString(waiting)
}

// noted replaces what is known of a partition as a sender by a note. One that is no note says nothing, so every partition may
// be waiting.
func (h *handover) noted(p int32, note string) {
	f := &h.ends[p]
	f.sent, f.open = map[int32]int64{}, nil
	digits, ok := strings.CutPrefix(note, notePrefix)
	waiting, err := hex.DecodeString(digits)
	known := ok && err == nil && len(waiting) == (len(h.ends)+7)/8
	for to := range int32(len(h.ends)) {
		if !known || waiting[to/8]&(0x80>>(to%8)) != 0 {
			f.sent[to] = unknownOffset
		}
	}
}
