// Package local is the whole pipeline in one process, without Kafka: the same ingest, the same protocol, rows and scoring
// as the service, over queues in memory. It is what `tributary attribute` runs and what the promise is tested on.
//
// Events go in one by one; every partition has a queue, in which messages wait in the order in which they were sent. Run
// takes batches from the queues until none is left. At the end every conversion has its newest revision:
//
//	p := local.New(config, store)
//	p.Event(value, at)  // as often as there are events
//	p.Finish()          // runs to the end and scores
package local

import (
	"maps"
	"slices"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/ingest"
	"tributary/stream/metrics"
)

// Config is what a pipeline is made of.
type Config struct {
	Ingest      *ingest.Ingest
	Attribution attribution.Config

	// BatchMessages is how many messages of a partition are handled before its rows are written; 0: DefaultBatch.
	BatchMessages int
	// EveryBatch scores after each batch, as the service does, and not once at the end: the same last answers, with the
	// revisions on the way.
	EveryBatch bool

	// Timed gives the input a watermark, as a source partition has one: events can be late, and conversions become final.
	// Without it nothing is late and every answer stays provisional.
	Timed          bool
	OutOfOrderness time.Duration // how far the watermark stays behind the newest event
}

// DefaultBatch is enough messages to make writing them cheap and few enough to keep their rows in memory.
const DefaultBatch = 4096

// Output takes the records that the pipeline emits, in order. They are the receiver's only until it returns.
type Output interface {
	Attribution(a *schemas.Attribution)
	Alias(a schemas.Alias)
	Audit(a schemas.Audit)
}

// Pipeline is one run. It must not be used by two goroutines at once.
type Pipeline struct {
	config  Config
	store   *state.Store
	out     Output
	process *attribution.Processor
	queues  []queue
	waiting int
	batch   *state.Batch
	work    *attribution.Work
	newest  schemas.Millis
	clock   clock
	err     error

	Ledger metrics.Ledger
	Counts metrics.Ingested // by reason and identifier
}

// New starts a pipeline over an empty store, which stays the caller's.
func New(c Config, store *state.Store, out Output) *Pipeline {
	if c.BatchMessages <= 0 {
		c.BatchMessages = DefaultBatch
	}
	p := &Pipeline{config: c, store: store, out: out, process: attribution.New(c.Attribution), queues: make([]queue, c.Attribution.Partitions)}
	p.work = p.process.Begin(p, p)
	p.Counts = metrics.Ingested{Refused: map[schemas.Reason]int64{}, Filtered: map[schemas.Reason]int64{}, Identifiers: map[metrics.Identifier]int64{}}
	if c.Ingest != nil { // it may have only results to Add
		p.Share("settings", slices.SortedFunc(maps.Keys(c.Ingest.Shared), identity.Compare)...)
	}
	return p
}

// Share declares identifiers shared, as an operator does. Audit records that follow carry the name of the request.
func (p *Pipeline) Share(request string, ids ...identity.ID) {
	for _, id := range ids {
		m := identity.Message{Kind: identity.KindShare, To: identity.Ref{ID: id}, Request: request}
		p.Journal(int32(m.Partition(len(p.queues))), m)
	}
}

// Event takes one source record that the broker, or the file's reader, stamped with the time at. The result says what
// became of it.
func (p *Pipeline) Event(value []byte, at schemas.Millis) ingest.Result {
	r := p.config.Ingest.Record(value, at)
	p.Add(r, at)
	return r
}

// Replay takes a source record that is replayed. It is never late and says nothing about how far time has come; what
// follows from it revises final conversions, too.
func (p *Pipeline) Replay(value []byte, at schemas.Millis) ingest.Result {
	r := p.config.Ingest.Record(value, at)
	r.Replay()
	p.Add(r, at)
	return r
}

// Add takes a source record that ingest has decided on, and when it was stamped.
func (p *Pipeline) Add(r ingest.Result, at schemas.Millis) {
	p.Ledger.Received++
	p.newest = max(p.newest, r.At)
	switch {
	case r.Refusal != nil:
		p.Ledger.Refused++
		p.Counts.Refused[r.Refusal.Reason]++
	case r.Filtered != "":
		p.Ledger.Filtered++
		p.Counts.Filtered[r.Filtered]++
	case p.late(&r, at):
		p.Ledger.Late++
		return
	default:
		p.Ledger.Journaled++
	}
	r.Identifiers.Each(func(typ string, v identity.Verdict, n int) {
		p.Counts.Identifiers[metrics.Identifier{Type: typ, Verdict: v.String()}] += int64(n)
	})
	for _, m := range r.Messages {
		p.Journal(int32(m.Partition(len(p.queues))), m)
	}
}

// Waiting is the number of messages that nobody has handled yet.
func (p *Pipeline) Waiting() int { return p.waiting }

// Run handles messages until none is left.
func (p *Pipeline) Run() error {
	for p.waiting > 0 && p.err == nil {
		p.round()
	}
	return p.err
}

// round handles a batch of each partition.
func (p *Pipeline) round() {
	for partition := range p.queues {
		p.Step(int32(partition), p.config.BatchMessages)
	}
}

// Step handles up to n messages of one partition as one transaction.
func (p *Pipeline) Step(partition int32, n int) {
	queue := &p.queues[partition]
	n = min(n, queue.len())
	if n == 0 || p.err != nil {
		return
	}
	for i := range n { // what comes meanwhile queues behind the rest
		p.work.Message(partition, queue.at(i), p.stamp())
	}
	queue.drop(n)
	p.waiting -= n
	if p.config.EveryBatch {
		p.work.Finish()
	}
	p.commit()
}

// Finish runs to the end and scores what has not been scored. With a watermark, what it has passed becomes final. More
// events may follow.
func (p *Pipeline) Finish() error {
	if err := p.Run(); err != nil {
		return err
	}
	p.work.Finish()
	p.settle()
	p.commit()
	l := p.work.Ledger()
	p.Ledger.Applied, p.Ledger.Duplicate, p.Ledger.Conflicts = l.Applied, l.Duplicate, l.Conflict
	p.Ledger.Forgotten, p.Ledger.Shared, p.Ledger.Expired = l.Forgotten, l.Shared, l.Expired
	return p.err
}

func (p *Pipeline) stamp() attribution.Stamp {
	return attribution.Stamp{At: p.newest, Watermark: p.clock.settled}
}

// Withheld is how often a final conversion would have had another revision.
func (p *Pipeline) Withheld() int64 { return p.work.Withheld }

// Expired is how many events, and what else, was deleted because it is older than what is kept.
func (p *Pipeline) Expired() (events int64, others identity.Expired) {
	return p.work.ExpiredEvents, p.work.Expired
}

// Rows is called by the work.
func (p *Pipeline) Rows(partition int32) attribution.Rows {
	if p.batch == nil {
		p.batch = p.store.NewBatch()
	}
	return p.batch.Rows(partition)
}

func (p *Pipeline) commit() {
	if p.batch == nil || p.err != nil {
		return
	}
	if p.err = p.batch.Err(); p.err == nil {
		p.err = p.batch.Commit(nil)
	}
	p.batch = nil
}

// Journal is called by the work for every message to another actor.
func (p *Pipeline) Journal(partition int32, m identity.Message) {
	p.queues[partition].push(m)
	p.waiting++
}

// Attribution is called by the work for every revision. Scored once at the end, a record's time is that of the newest
// event, so that it does not tell the order of arrival.
func (p *Pipeline) Attribution(a *schemas.Attribution) {
	if !p.config.EveryBatch {
		a.ScoredAt = p.newest
	}
	p.out.Attribution(a)
}

// Audit is called by the work for every receipt.
func (p *Pipeline) Audit(a schemas.Audit) { p.out.Audit(a) }

// Alias is called by the work for every customer that goes on under another name.
func (p *Pipeline) Alias(a schemas.Alias) { p.out.Alias(a) }

// queue is what waits for a partition, in the order of arrival. Its memory is used again.
type queue struct {
	messages []identity.Message
	done     int // so many at the front are gone
}

func (q *queue) len() int { return len(q.messages) - q.done }

// at is the message at place i. It stays good when others are pushed.
func (q *queue) at(i int) *identity.Message { return &q.messages[q.done+i] }

func (q *queue) push(m identity.Message) { q.messages = append(q.messages, m) }

// drop forgets the first n.
func (q *queue) drop(n int) {
	q.done += n
	if q.done < len(q.messages)/2 {
		clear(q.messages[q.done-n : q.done])
		return
	}
	kept := copy(q.messages, q.messages[q.done:])
	clear(q.messages[kept:])
	q.messages, q.done = q.messages[:kept], 0
}
