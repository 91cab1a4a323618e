package identity

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// This network is a model of Kafka. Every partition is one log. A process owns several partitions: it handles a batch of
// records from them, appends what follows to the logs one by one, between the appends of others, and commits positions and
// rows at once. The marker of the transaction reaches each log on its own, later. A log is readable up to the first record
// whose marker is missing; records of aborted transactions are skipped. Before the commit a process can crash at any point:
// its transaction is aborted, and its partitions go, as they were at their last commit, to any process.

type logs struct {
	s          *scenario
	r          *rand.Rand
	partitions []*partition
	outputs    []*output
	processes  []*process
	outside    []*Message
	markers    []marker
	reader     reader
	checks     *world // of the reader
	crash      float64
	crashes    int
	atLeast    bool // no transactions: what was appended before a crash stays, and the batch is done again
}

// transaction is nil for what came from outside.
type transaction struct {
	state   state
	missing []*log // logs without its marker
}

type state uint8

const (
	ongoing state = iota
	committed
	aborted
)

type marker struct {
	of *transaction
	in *log
}

type entry struct {
	by      *transaction
	message *Message
	record  record
}

type log struct {
	entries []entry
	stable  int // end of the readable part
}

// readable is the end of the part of the log that read_committed shows.
func (l *log) readable() int {
	for l.stable < len(l.entries) {
		if t := l.entries[l.stable].by; t != nil && (t.state == ongoing || slices.Contains(t.missing, l)) {
			break
		}
		l.stable++
	}
	return l.stable
}

// skip moves a position over aborted records and reports whether a record can be read there.
func (l *log) skip(position *int) bool {
	end := l.readable()
	for *position < end && l.entries[*position].by != nil && l.entries[*position].by.state == aborted {
		*position++
	}
	return *position < end
}

// partition is a log of messages with its rows: as they are and as they were at the last commit.
type partition struct {
	log
	owner    *process
	world    *world
	position int
	saved    struct {
		rows     *Memory
		ledger   Ledger
		position int
	}
}

func (p *partition) save() {
	p.saved.rows, p.saved.ledger, p.saved.position = p.world.rows.clone(), p.world.ledger, p.position
}

func (p *partition) restore() {
	p.world.rows, p.world.ledger, p.position = p.saved.rows.clone(), p.saved.ledger, p.saved.position
	p.world.effects = Effects{}
	p.world.touched = nil
}

type output struct {
	log
	position int
}

type process struct {
	open    *transaction
	handled int
	closing bool
	pending []queued // what it has to append, in order for each log
}

type queued struct {
	to *log
	entry
}

func newLogs(s *scenario, r *rand.Rand, f *fault) *logs {
	l := &logs{s: s, r: r, crash: 0.02, reader: newReader(s), checks: newWorld(s, f)}
	for range 1 + r.IntN(3) {
		l.processes = append(l.processes, &process{})
	}
	for range s.partitions {
		p := &partition{world: newWorld(s, f), owner: l.anyProcess()}
		p.save()
		l.partitions = append(l.partitions, p)
	}
	for range 1 + r.IntN(2) {
		l.outputs = append(l.outputs, &output{})
	}
	for _, in := range s.inputs {
		l.outside = append(l.outside, in.message())
	}
	return l
}

func (l *logs) anyProcess() *process { return l.processes[l.r.IntN(len(l.processes))] }

func (l *logs) watch(trace *[]string) {
	l.checks.trace = trace
	for _, p := range l.partitions {
		p.world.trace = trace
	}
}

// actions are all things that can happen next.
func (l *logs) actions(buffer []func()) []func() {
	for i := range l.outside {
		buffer = append(buffer, func() { l.arrive(i) })
	}
	for _, p := range l.partitions {
		if q := p.owner; !q.closing && q.handled < 6 && p.skip(&p.position) {
			buffer = append(buffer, func() { l.handle(p) })
		}
	}
	for _, q := range l.processes {
		switch {
		case q.open == nil:
			continue
		case !q.closing:
			buffer = append(buffer, func() { l.close(q) })
		case len(q.pending) > 0:
			buffer = append(buffer, func() { l.append(q) })
		default:
			buffer = append(buffer, func() { l.commit(q) })
		}
		if l.crashes < 40 && l.r.Float64() < l.crash {
			buffer = append(buffer, func() { l.abort(q) })
		}
	}
	for i := range l.markers {
		buffer = append(buffer, func() { l.mark(i) })
	}
	for _, o := range l.outputs {
		if o.skip(&o.position) {
			buffer = append(buffer, func() { l.read(o) })
		}
	}
	return buffer
}

func (l *logs) arrive(i int) {
	m := l.outside[i]
	l.outside = append(l.outside[:i:i], l.outside[i+1:]...)
	to := &l.partitions[l.s.partition(m)].log
	to.entries = append(to.entries, entry{message: m})
}

func (l *logs) handle(p *partition) {
	q := p.owner
	if q.open == nil {
		q.open = &transaction{}
	}
	q.handled++
	p.world.step(p.entries[p.position].message)
	p.position++
}

// close ends the batch: it is scored, and what follows from it waits to be appended.
func (l *logs) close(q *process) {
	q.closing = true
	for _, p := range l.partitions {
		if p.owner != q {
			continue
		}
		send, emit := p.world.endBatch()
		for i := range send {
			q.pending = append(q.pending, queued{&l.partitions[l.s.partition(&send[i])].log, entry{message: &send[i]}})
		}
		for _, r := range emit {
			q.pending = append(q.pending, queued{&l.outputs[r.output(len(l.outputs))].log, entry{record: r}})
		}
	}
}

// append writes one pending entry, the first for its log.
func (l *logs) append(q *process) {
	i := l.r.IntN(len(q.pending))
	for k := range i {
		if q.pending[k].to == q.pending[i].to {
			i = k
			break
		}
	}
	e := q.pending[i]
	q.pending = append(q.pending[:i:i], q.pending[i+1:]...)
	if !l.atLeast {
		e.by = q.open
		if !slices.Contains(q.open.missing, e.to) {
			q.open.missing = append(q.open.missing, e.to)
		}
	}
	e.to.entries = append(e.to.entries, e.entry)
}

func (l *logs) commit(q *process) {
	l.end(q, committed)
	for _, p := range l.partitions {
		if p.owner != q {
			continue
		}
		p.save()
		if l.r.IntN(10) == 0 { // a rebalance
			p.owner = l.freeProcess(q)
		}
	}
}

func (l *logs) abort(q *process) {
	l.checks.log("  CRASH")
	l.crashes++
	l.end(q, aborted)
	for _, p := range l.partitions {
		if p.owner == q {
			p.restore()
			p.owner = l.freeProcess(q)
		}
	}
}

// freeProcess is any process without an open transaction, or the one that asks.
func (l *logs) freeProcess(asks *process) *process {
	if q := l.anyProcess(); q.open == nil {
		return q
	}
	return asks
}

func (l *logs) end(q *process, s state) {
	q.open.state = s
	for _, in := range q.open.missing {
		l.markers = append(l.markers, marker{q.open, in})
	}
	*q = process{}
}

func (l *logs) mark(i int) {
	m := l.markers[i]
	m.of.missing = slices.DeleteFunc(slices.Clone(m.of.missing), func(in *log) bool { return in == m.in })
	l.markers = append(l.markers[:i:i], l.markers[i+1:]...)
}

func (l *logs) read(o *output) {
	l.checks.read(&l.reader, o.entries[o.position].record)
	o.position++
}

// run draws one schedule to its end and returns the first violation, or "".
func (l *logs) run() string {
	var actions []func()
	for steps := 0; ; steps++ {
		actions = l.actions(actions[:0])
		if len(actions) == 0 {
			return checkEnd(l.merged(), l.reader)
		}
		actions[l.r.IntN(len(actions))]()
		for _, p := range l.partitions {
			if p.world.wrong != "" {
				return p.world.wrong
			}
		}
		if l.checks.wrong != "" {
			return l.checks.wrong
		}
		if steps > 20*maxSteps {
			return "does not end"
		}
	}
}

// merged is one world with the rows of all partitions.
func (l *logs) merged() *world {
	w := newWorld(l.s, l.checks.fault)
	for _, p := range l.partitions {
		maps.Copy(w.rows.identifiers, p.world.rows.identifiers)
		maps.Copy(w.rows.conversions, p.world.rows.conversions)
		w.ledger.Sum(p.world.ledger)
	}
	return w
}

func runLogSeed(seed uint64, f *fault, atLeast bool, trace *[]string) (*scenario, string) {
	r := rand.New(rand.NewPCG(seed, 3))
	s := randomScenario(r, seedSize(r))
	if r.IntN(3) == 0 {
		s.age(r)
	}
	l := newLogs(s, r, f)
	l.atLeast = atLeast
	if atLeast {
		l.crash = 0.2
	}
	l.watch(trace)
	return s, l.run()
}

// TestLogs runs random schedules over transactional logs, with crashes. TRIBUTARY_LOG_SEED replays one.
func TestLogs(t *testing.T) {
	count := uint64(8_000)
	if long() {
		count = 100_000
	}
	from := setting("TRIBUTARY_LOG_SEED", 0)
	if from > 0 {
		count = 1
	}
	failed := inParallel(count, func(i uint64) bool {
		_, wrong := runLogSeed(from+i, nil, false, nil)
		return wrong == ""
	})
	for _, i := range failed {
		var trace []string
		s, wrong := runLogSeed(from+i, nil, false, &trace)
		t.Errorf("TRIBUTARY_LOG_SEED=%d: %s\n%s%s", from+i, wrong, s, strings.Join(trace, "\n"))
	}
	t.Logf("%d schedules", count)
}
