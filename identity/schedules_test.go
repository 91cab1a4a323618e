package identity

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The network of these tests is as weak as the protocol allows: one queue from each sending to each receiving partition,
// any order between queues, and a queue of its own for each message from outside.

// network is a world with its messages under way.
type network struct {
	*world
	queues []queue
	index  map[[2]int]int
	reader reader
	wire   bool // messages go through their wire form
}

type queue struct {
	from, to int
	messages []*Message
}

func newNetwork(s *scenario, f *fault) *network {
	n := &network{world: newWorld(s, f), index: map[[2]int]int{}, reader: newReader(s)}
	for i, in := range s.inputs {
		n.push(s.partitions+i, in.message())
	}
	return n
}

func (n *network) push(from int, m *Message) {
	if n.wire && m.Kind != 0 {
		m = throughWire(m)
	}
	key := [2]int{from, n.s.partition(m)}
	i, known := n.index[key]
	if !known {
		i = len(n.queues)
		n.index[key] = i
		n.queues = append(n.queues, queue{from: key[0], to: key[1]})
	}
	q := append(n.queues[i].messages, m)
	if k := len(q) - 1; n.fault.races && k > 0 {
		q[k-1], q[k] = q[k], q[k-1]
	}
	n.queues[i].messages = q
}

// replay makes everything that has not begun yet a replay.
func (n *network) replay() {
	n.backfill = true
	for m := range n.underWay {
		m.Cause = CauseBackfill
	}
}

// pop handles the first message of queue i.
func (n *network) pop(i int) {
	q := &n.queues[i]
	m := q.messages[0]
	q.messages = q.messages[1:]
	n.step(m)
}

// commit ends the batch of partition p: what it sent is under way now.
func (n *network) commit(p int) {
	send, emit := n.endBatch()
	for i := range send {
		n.push(p, &send[i])
	}
	for _, r := range emit {
		n.read(&n.reader, r)
	}
}

// waiting are the queues with messages, all or those to one partition.
func (n *network) waiting(buffer []int, to int) []int {
	for i := range n.queues {
		if len(n.queues[i].messages) > 0 && (to < 0 || n.queues[i].to == to) {
			buffer = append(buffer, i)
		}
	}
	return buffer
}

func (n *network) underWay(yield func(*Message) bool) {
	for _, q := range n.queues {
		for _, m := range q.messages {
			if !yield(m) {
				return
			}
		}
	}
}

func throughWire(m *Message) *Message {
	decoded, err := DecodeMessage(AppendMessage(nil, m))
	if err != nil {
		panic(err)
	}
	return &decoded
}

// tempo is how a schedule is drawn.
type tempo struct {
	slow  []float64 // of each partition; nil: all are equally fast
	batch int       // largest batch
	watch bool      // check invariants after each batch
}

func randomTempo(r *rand.Rand, s *scenario) tempo {
	t := tempo{batch: 1 + r.IntN(2)*r.IntN(4), watch: r.IntN(8) == 0}
	if r.IntN(2) == 0 {
		t.slow = make([]float64, s.partitions)
		for i := range t.slow {
			t.slow[i] = 0.05 + r.Float64()*r.Float64()
		}
	}
	return t
}

// maxSteps is far more than any terminating schedule of these sizes takes.
const maxSteps = 20000

// run draws one schedule to its end and returns the first violation, or "".
func (n *network) run(r *rand.Rand, t tempo) string {
	if wrong := n.drain(r, t); wrong != "" {
		return wrong
	}
	return check(n.world, n.reader)
}

// drain handles messages until there are no more.
func (n *network) drain(r *rand.Rand, t tempo) string {
	var waiting []int
	for steps := 0; ; {
		waiting = n.waiting(waiting[:0], -1)
		if len(waiting) == 0 {
			return ""
		}
		i := waiting[r.IntN(len(waiting))]
		for range 8 {
			if t.slow == nil || r.Float64() <= t.slow[n.queues[i].to] {
				break
			}
			i = waiting[r.IntN(len(waiting))]
		}
		to := n.queues[i].to
		n.pop(i)
		for more := r.IntN(t.batch); more > 0; more-- {
			if waiting = n.waiting(waiting[:0], to); len(waiting) == 0 {
				break
			}
			n.pop(waiting[r.IntN(len(waiting))])
			steps++
		}
		n.commit(to)
		if t.watch && n.wrong == "" && n.fault.name == "" {
			n.wrong = n.invariant(n.underWay)
		}
		if n.wrong != "" {
			return n.wrong
		}
		if steps++; steps > maxSteps {
			return "does not end"
		}
	}
}

// A seed stands for one scenario and one schedule of it.

// seedSize is the size of scenarios that a seed draws from.
func seedSize(r *rand.Rand) size {
	z := size{identifiers: 5, inputs: 8, forgets: 3}
	switch x := r.IntN(8); {
	case x == 0:
		z.plain = true
	case x == 1:
		z.identifiers, z.inputs = 9, 16
	}
	z.times = r.IntN(2) == 0
	return z
}

func runSeed(seed uint64, f *fault, trace *[]string) (*scenario, string) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := randomScenario(r, seedSize(r))
	n := newNetwork(s, f)
	n.wire = r.IntN(16) == 0
	if r.IntN(8) == 0 {
		n.final = r
		if r.IntN(2) == 0 {
			n.replay()
		}
	}
	n.trace = trace
	return s, n.run(r, randomTempo(r, s))
}

// TestSchedules runs random schedules of random scenarios and compares each end with the oracle. TRIBUTARY_SCHEDULES sets
// how many, TRIBUTARY_SEED replays one and shows its messages.
func TestSchedules(t *testing.T) {
	if seed, err := strconv.ParseUint(os.Getenv("TRIBUTARY_SEED"), 10, 64); err == nil {
		reportSeed(t, seed)
		return
	}
	count := uint64(100_000)
	if long() {
		count = 1_000_000
	}
	count = setting("TRIBUTARY_SCHEDULES", count)
	failed := inParallel(count, func(i uint64) bool {
		_, wrong := runSeed(i, nil, nil)
		return wrong == ""
	})
	for _, seed := range failed {
		reportSeed(t, seed)
	}
	t.Logf("%d schedules, seeds 0 to %d", count, count-1)
}

func reportSeed(t *testing.T, seed uint64) {
	t.Helper()
	var trace []string
	s, wrong := runSeed(seed, nil, &trace)
	if wrong == "" {
		t.Logf("seed %d\n%s%s", seed, s, strings.Join(trace, "\n"))
		return
	}
	t.Errorf("TRIBUTARY_SEED=%d: %s\n%s%s", seed, wrong, s, strings.Join(trace, "\n"))
	if smaller, why := shrink(s); smaller != nil {
		t.Logf("a smaller scenario fails, too: %s\n%s", why, smaller)
	}
}

// shrink leaves out inputs as long as some schedule still fails.
func shrink(s *scenario) (*scenario, string) {
	fails := func(s *scenario) string {
		for i := range uint64(3000) {
			r := rand.New(rand.NewPCG(i, 2))
			n := newNetwork(s, nil)
			if wrong := n.run(r, randomTempo(r, s)); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	var found *scenario
	why := ""
	for again := true; again; {
		again = false
		for i := range s.inputs {
			less := *s
			less.inputs = append(append([]input(nil), s.inputs[:i]...), s.inputs[i+1:]...)
			if wrong := fails(&less); wrong != "" {
				s, found, why, again = &less, &less, wrong, true
				break
			}
		}
	}
	return found, why
}

// inParallel calls f for 0 to count-1 and returns for which it was false: the first few.
func inParallel(count uint64, f func(i uint64) bool) (failed []uint64) {
	var next atomic.Uint64
	var mu sync.Mutex
	var wait sync.WaitGroup
	const enough = 3
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < count; i = next.Add(1) - 1 {
				if f(i) {
					continue
				}
				mu.Lock()
				failed = append(failed, i)
				if len(failed) >= enough {
					next.Store(count)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return failed
}

// long reports whether there is time for the slower suite: TRIBUTARY_LONG=1.
func long() bool { return os.Getenv("TRIBUTARY_LONG") != "" }

// setting is a number from the environment.
func setting(name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return n
}
