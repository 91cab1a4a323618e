package attribution

import (
	"slices"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state"
	"tributary/state/journey"
)

const (
	hour = schemas.Millis(3_600_000)
	sale = 1000 * hour // when things are bought
)

var ann, bob = identity.ID{3, 1, 0xAA}, identity.ID{3, 1, 0xBB} // ann comes first in the order

// world is all partitions over one store. Its messages wait until run.
type world struct {
	t       *testing.T
	config  Config
	store   *state.Store
	waiting []identity.Message
	records []schemas.Attribution
	work    *Work
	batch   *state.Batch
	now     schemas.Millis // watermark of the partition
	expired int64          // events
}

type rowsOf struct{ *state.Batch }

func (b rowsOf) Rows(partition int32) Rows { return b.Batch.Rows(partition) }

// newWorld has one partition, last_touch, and an allowed lateness of an hour.
func newWorld(t *testing.T) *world {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	models, err := scoring.NewAll([]scoring.Spec{{Type: "last_touch"}})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, store: store, config: Config{Partitions: 1, Rules: journey.Defaults(), Models: models, Key: identity.DevelopmentKey(),
		AllowedLateness: time.Hour}}
}

func (w *world) Journal(_ int32, m identity.Message) { w.waiting = append(w.waiting, m) }
func (w *world) Attribution(a *schemas.Attribution)  { w.records = append(w.records, *a) }
func (w *world) Alias(schemas.Alias)                 {}
func (w *world) Audit(schemas.Audit)                 {}

// begin starts a transaction, with a new processor: nothing is kept but rows.
func (w *world) begin() *Work {
	w.batch = w.store.NewBatch()
	w.work = New(w.config).Begin(rowsOf{w.batch}, w)
	return w.work
}

// end ends it and returns what it emitted, as change by cause, status and number of touches.
func (w *world) end() (emitted []string) {
	w.work.Finish()
	if err := w.batch.Commit(nil); err != nil {
		w.t.Fatal(err)
	}
	w.expired += w.work.ExpiredEvents
	for _, a := range w.records {
		if err := a.Check(); err != nil {
			w.t.Error(err)
		}
		line := string(a.Change) + " by " + string(a.Cause) + ": " + string(a.Status)
		for _, touch := range a.Touches {
			line += " " + touch.EventID
		}
		emitted = append(emitted, line)
	}
	w.records = nil
	return emitted
}

// run handles messages and all that follows from them, in the transaction that is open.
func (w *world) run(messages ...identity.Message) {
	w.waiting = append(w.waiting, messages...)
	for len(w.waiting) > 0 {
		m := w.waiting[0]
		w.waiting = w.waiting[1:]
		w.work.Message(0, &m, Stamp{At: 1, Watermark: w.now})
	}
}

// handle is a transaction of some messages.
func (w *world) handle(messages ...identity.Message) []string {
	w.begin()
	w.run(messages...)
	return w.end()
}

// advance is everything up to settled being there: a transaction, and more if there is more to do.
func (w *world) advance(settled schemas.Millis) (emitted []string) {
	for more := true; more; {
		more = w.begin().Advance(0, settled, 10, Stamp{At: 1})
		w.run()
		emitted = append(emitted, w.end()...)
	}
	return emitted
}

// timers is when timers are due.
func (w *world) timers() (due []schemas.Millis) {
	b := w.store.NewBatch()
	defer b.Close()
	for _, t := range b.Rows(0).Timers(schemas.MaxMillis, 1000) {
		due = append(due, t.Due)
	}
	return due
}

func touch(event string, at schemas.Millis, ids ...identity.ID) identity.Message {
	return identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: ids[0]}, Time: at, IDs: ids, Fresh: true, Fact: &identity.Fact{
		Event: identity.EventKeyOf(event), At: at, Body: TouchContent(event, &schemas.Touch{Kind: "click", Channel: "search"}, false)}}
}

func statement(event string, at schemas.Millis, ids ...identity.ID) identity.Message {
	return identity.Message{Kind: identity.KindConversion, Conversion: "order-1", IDs: ids, Fresh: true, Statement: &identity.Statement{
		EventID: event, At: at, Name: "purchase", Amount: schemas.Money{Minor: 10_000, Currency: "USD"}}}
}

func refund(minor int64) identity.Message {
	return identity.Message{Kind: identity.KindConversion, Conversion: "order-1", Fresh: true, Statement: &identity.Statement{
		EventID: "refund", Refund: true, At: sale + hour, Amount: schemas.Money{Minor: minor, Currency: "USD"}}}
}

func (w *world) expect(what string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestFinal(t *testing.T) {
	w := newWorld(t)
	w.expect("sale", w.handle(touch("click", sale-hour, ann), statement("e1", sale, ann)), "ATTRIBUTION by conversion: provisional click")
	w.expect("not passed", w.advance(sale+hour))
	w.expect("passed", w.advance(sale+hour+1), "FINAL by finalized: final click")
	w.expect("again", w.advance(sale+9*hour))
	w.expect("late", w.handle(touch("late", sale-hour/2, ann)))
	if w.work.Withheld != 1 {
		t.Errorf("%d revisions withheld, want 1", w.work.Withheld)
	}
	w.expect("merge", w.handle(touch("both", sale-hour/4, ann, bob)))
	w.expect("after the merge", w.advance(sale+9*hour))
	w.expect("refund", w.handle(refund(10_000)))
	w.expect("forget", w.handle(identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: bob}, Time: sale + hour, Fresh: true}),
		"RETRACTION by erasure: retracted")
	if due := w.timers(); len(due) > 0 {
		t.Errorf("timers are left: %v", due)
	}
}

func replayed(m identity.Message) identity.Message {
	m.Cause = identity.CauseBackfill
	return m
}

// A replay revises what is final, also in what it unites; the answer stays final for everything else.
func TestBackfillAfterFinal(t *testing.T) {
	w := newWorld(t)
	w.handle(touch("click", sale-hour, bob), statement("e1", sale, bob))
	w.expect("passed", w.advance(sale+2*hour), "FINAL by finalized: final click")
	w.expect("replayed", w.handle(replayed(touch("old", sale-hour/2, bob))), "RESTATEMENT by backfill: final click old")
	w.expect("late", w.handle(touch("late", sale-hour/4, bob)))
	w.handle(touch("other", sale-hour/3, ann))
	w.expect("merge", w.handle(replayed(touch("both", sale+hour, ann, bob))), "RESTATEMENT by backfill: final click old other late")
	w.expect("live refund", w.handle(refund(100)))
	w.expect("refund", w.handle(replayed(statement("e2", sale, ann))), "RESTATEMENT by backfill: final click old other late")
	w.expect("time goes on", w.advance(sale+9*hour))
}

func TestBackfillOfAConversion(t *testing.T) {
	w := newWorld(t)
	w.expect("sale", w.handle(replayed(statement("e1", sale, ann))), "ATTRIBUTION by backfill: provisional")
	w.expect("passed", w.advance(sale+2*hour), "FINAL by finalized: final")
	w.expect("taken back", w.handle(replayed(refund(10_000))), "RETRACTION by backfill: retracted")
	w.expect("and again", w.handle(replayed(touch("click", sale-hour, ann))))
}

// A forgotten touch leaves the final record, too.
func TestErasureAfterFinal(t *testing.T) {
	w := newWorld(t)
	w.handle(touch("old", sale-3*hour, ann), touch("new", sale-hour, ann), statement("e1", sale, ann))
	w.expect("passed", w.advance(sale+2*hour), "FINAL by finalized: final old new")
	w.expect("forget", w.handle(identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: ann}, Time: sale - 2*hour, Fresh: true}),
		"RESTATEMENT by erasure: final new")
}

// What comes in the transaction in which it is due has its first answer before the final one.
func TestFinalAtOnce(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.run(touch("click", sale-hour, ann), statement("e1", sale, ann))
	w.work.Advance(0, sale+2*hour, 10, Stamp{})
	w.expect("at once", w.end(), "ATTRIBUTION by conversion: provisional click", "FINAL by finalized: final click")
}

// The token goes from b to a before it is due, and its timer with it.
func TestFinalAfterMerge(t *testing.T) {
	w := newWorld(t)
	w.handle(statement("e1", sale, bob))
	w.expect("merge", w.handle(touch("both", sale-hour, ann, bob)), "RESTATEMENT by identity_merge: provisional both")
	if due := w.timers(); len(due) != 1 {
		t.Errorf("timers at %v, want one", due)
	}
	w.expect("passed", w.advance(sale+2*hour), "FINAL by finalized: final both")
	if due := w.timers(); len(due) > 0 {
		t.Errorf("timers are left: %v", due)
	}
}

// A conversion that names nobody is parked, and what does not count becomes final without counting.
func TestFinalParkedAndRetracted(t *testing.T) {
	w := newWorld(t)
	w.expect("parked", w.handle(statement("e1", sale)), "ATTRIBUTION by conversion: provisional")
	w.expect("refunded", w.handle(refund(10_000)), "RETRACTION by refund: retracted")
	w.expect("passed", w.advance(sale+2*hour), "FINAL by finalized: retracted")
	w.expect("named at last", w.handle(statement("e2", sale, ann), touch("click", sale-hour, ann)))
	w.expect("no more", w.advance(sale+9*hour))
}

// The sale turns out to be of another time: what counts is when it was, as far as is known.
func TestFinalWhenTheTimeMoves(t *testing.T) {
	later := newWorld(t)
	later.handle(statement("e1", sale, ann))
	later.expect("moved", later.handle(statement("e2", sale+5*hour, ann)), "RESTATEMENT by conversion: provisional")
	later.expect("the old time", later.advance(sale+2*hour))
	if due := later.timers(); !slices.Equal(due, []schemas.Millis{sale + 6*hour}) {
		t.Errorf("timers at %v", due)
	}
	later.expect("the new time", later.advance(sale+7*hour), "FINAL by finalized: final")

	earlier := newWorld(t) // the same event says an earlier time: that counts
	earlier.handle(statement("e1", sale+5*hour, ann))
	earlier.expect("moved", earlier.handle(statement("e1", sale, ann)), "RESTATEMENT by conversion: provisional")
	earlier.expect("the new time", earlier.advance(sale+2*hour), "FINAL by finalized: final")
	earlier.expect("the old time", earlier.advance(sale+9*hour))
}

// Settings that allow more than when the timer was set are kept to.
func TestFinalWhenMoreIsAllowed(t *testing.T) {
	w := newWorld(t)
	w.handle(statement("e1", sale, ann))
	w.config.AllowedLateness = 3 * time.Hour
	w.expect("as it was allowed", w.advance(sale+2*hour))
	w.expect("as it is allowed", w.advance(sale+4*hour), "FINAL by finalized: final")
}

// Advance does no more than it may at a time.
func TestFinalLimit(t *testing.T) {
	w := newWorld(t)
	w.begin()
	for i := range 25 {
		m := statement("e1", sale+schemas.Millis(i), ann)
		m.Conversion += string(rune('a' + i))
		w.run(m)
	}
	w.end()
	var got []int
	for more := true; more; {
		more = w.begin().Advance(0, sale+2*hour, 10, Stamp{})
		got = append(got, len(w.end()))
	}
	if !slices.Equal(got, []int{10, 10, 5}) {
		t.Errorf("%v became final at a time", got)
	}
}
