package roles

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"tributary/identity"
)

// sent is a message of the model: which one it is of those from one partition to another, and how many follow from it.
type sent struct {
	from, to int32
	number   int
	follow   int
}

// logModel is a journal with its partitions and the lanes that have them. Each lane is given a new handover when it starts, and with
// each partition the note that was last committed. Steps are transactions, of which some are aborted.
type logModel struct {
	*rand.Rand
	t       *testing.T
	logs    [][]sent
	done    []int    // of each log: the first record that is not handled
	notes   []string // of each partition; empty: its offset was never committed
	lanes   []*modelLane
	sent    map[[2]int32]int // messages between two partitions
	handled map[[2]int32]int
	direct  int // messages that were handed over
	weight  int // that a transaction may hand over; 0: handoverWeight
}

type modelLane struct {
	handover *handover
	owned    []int32
}

const modelPartitions = 5

func newLogModel(t *testing.T, r *rand.Rand) *logModel {
	m := &logModel{Rand: r, t: t, logs: make([][]sent, modelPartitions), done: make([]int, modelPartitions), notes: make([]string, modelPartitions),
		sent: map[[2]int32]int{}, handled: map[[2]int32]int{}}
	if r.IntN(2) == 0 {
		m.weight = 1 + r.IntN(5)
	}
	for range 1 + r.IntN(3) {
		m.lanes = append(m.lanes, &modelLane{handover: newHandover(modelPartitions)})
	}
	m.deal()
	return m
}

// deal gives every partition to one of the lanes. Some of the lanes are new ones, in place of those that crashed.
func (m *logModel) deal() {
	owned := make([][]int32, len(m.lanes))
	for p := range int32(modelPartitions) {
		at := m.IntN(len(m.lanes))
		owned[at] = append(owned[at], p)
	}
	for i, l := range m.lanes {
		had := l.owned
		if m.IntN(4) == 0 {
			l.handover, had = newHandover(modelPartitions), nil
		}
		l.owned = owned[i]
		l.handover.own(l.owned)
		for _, p := range l.owned {
			if slices.Contains(had, p) || m.notes[p] == "" {
				continue
			}
			note := m.notes[p]
			if m.IntN(20) == 0 { // somebody has committed the offset by other means
				note = ""
			}
			l.handover.noted(p, note)
		}
	}
}

// arrive is a message that ingest sends: it counts for nobody's order.
func (m *logModel) arrive() {
	p := m.Int32N(modelPartitions)
	m.logs[p] = append(m.logs[p], sent{from: -1, to: p, follow: m.IntN(6)})
}

// step is a transaction of a lane: it handles the next records of some of its partitions.
func (m *logModel) step(l *modelLane) {
	if m.weight > 0 {
		l.handover.left = m.weight
	}
	aborted := m.IntN(4) == 0
	sentBefore, handledBefore := cloneCounts(m.sent), cloneCounts(m.handled)
	done, direct := slices.Clone(m.done), m.direct
	var out, queue []sent
	handle := func(s sent) {
		if s.from >= 0 {
			pair := [2]int32{s.from, s.to}
			if m.handled[pair]++; m.handled[pair] != s.number {
				m.t.Fatalf("partition %d handles message %d from %d as its %d.", s.to, s.number, s.from, m.handled[pair])
			}
		}
		for range min(s.follow, 1+m.IntN(2)) {
			next := sent{from: s.to, to: m.Int32N(modelPartitions), follow: s.follow - 1}
			pair := [2]int32{next.from, next.to}
			m.sent[pair]++
			next.number = m.sent[pair]
			if l.handover.allow(next.from, next.to, &identity.Message{}) {
				queue = append(queue, next)
				m.direct++
			} else {
				out = append(out, next)
			}
		}
	}
	for range m.IntN(4) {
		if len(l.owned) == 0 {
			break
		}
		p := l.owned[m.IntN(len(l.owned))]
		if m.done[p] == len(m.logs[p]) {
			continue
		}
		handle(m.logs[p][m.done[p]])
		for len(queue) > 0 {
			s := queue[0]
			queue = queue[1:]
			handle(s)
		}
		l.handover.done(p, int64(m.done[p]))
		m.done[p]++
	}
	if aborted {
		l.handover.abort()
		m.sent, m.handled, m.done, m.direct = sentBefore, handledBefore, done, direct
		return
	}
	for _, p := range l.owned {
		m.notes[p] = l.handover.note(p)
	}
	last := map[int32]int64{}
	for _, s := range out {
		m.logs[s.to] = append(m.logs[s.to], s)
		last[s.to] = int64(len(m.logs[s.to]) - 1)
	}
	l.handover.commit(func(to int32) int64 { return last[to] })
}

func cloneCounts(m map[[2]int32]int) map[[2]int32]int {
	c := make(map[[2]int32]int, len(m))
	for pair, n := range m {
		c[pair] = n
	}
	return c
}

// finish handles all that is left.
func (m *logModel) finish() {
	for m.waiting() {
		for _, l := range m.lanes {
			m.step(l)
		}
	}
	for pair, n := range m.sent {
		if m.handled[pair] != n {
			m.t.Errorf("of %d messages %d were handled", n, m.handled[pair])
		}
	}
}

// waiting reports whether a record is not handled yet.
func (m *logModel) waiting() bool {
	for p, log := range m.logs {
		if m.done[p] < len(log) {
			return true
		}
	}
	return false
}

// However lanes come and go, whatever is aborted: messages of one partition to another are handled in the order in which they were
// sent, each once, and handed over as soon as nothing is before them in the journal.
func TestHandoverKeepsOrder(t *testing.T) {
	seed := rand.Uint64N(1 << 40)
	if given, err := strconv.ParseUint(os.Getenv("TRIBUTARY_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("TRIBUTARY_SEED=%d", seed)
	direct, journaled := 0, 0
	for n := range 500 {
		m := newLogModel(t, rand.New(rand.NewPCG(seed, uint64(n))))
		for range 300 {
			switch m.IntN(12) {
			case 0:
				m.deal()
			case 1, 2, 3:
				m.arrive()
			default:
				m.step(m.lanes[m.IntN(len(m.lanes))])
			}
		}
		m.finish()
		direct += m.direct
		for _, log := range m.logs {
			journaled += len(log)
		}
		if t.Failed() {
			return
		}
	}
	if direct < journaled/10 {
		t.Errorf("%d messages were handed over, %d went through the journal", direct, journaled)
	}
}
