package attribution

import (
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
)

const day = 24 * hour

// newKeeping keeps events for 50 days; touches count for 30.
func newKeeping(t *testing.T) *world {
	w := newWorld(t)
	w.config.Retention = 50 * 24 * time.Hour
	return w
}

// journeyOf names the events that are left of a journey.
func (w *world) journeyOf(root identity.ID) (events []string) {
	b := w.store.NewBatch()
	defer b.Close()
	for _, t := range touches(b.Rows(0).FactsBetween(root, 0, schemas.MaxMillis)) {
		events = append(events, t.EventID)
	}
	return events
}

// settledAt is the world when everything up to a time has arrived.
func (w *world) settledAt(settled schemas.Millis) *world {
	w.advance(settled)
	w.now = settled
	return w
}

func TestEventsExpire(t *testing.T) {
	w := newKeeping(t)
	w.handle(touch("old", sale-day, ann), touch("young", sale+10*day, ann), statement("e1", sale, ann))
	w.settledAt(sale + 45*day)
	w.expect("all are kept", w.journeyOf(ann), "old", "young")
	w.settledAt(sale + 50*day)
	w.expect("one has expired", w.journeyOf(ann), "young")
	if w.work.ExpiredEvents != 1 {
		t.Errorf("%d expired, want 1", w.work.ExpiredEvents)
	}
	w.expect("the conversion stays", w.handle(identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: ann}, Time: sale, Fresh: true}),
		"RETRACTION by erasure: retracted")
}

// What is older than what is kept is refused and counted, when it comes from outside and when a merge brings it.
func TestExpiredEventsAreRefused(t *testing.T) {
	w := newKeeping(t)
	w.handle(touch("old", sale, bob))
	w.now = sale + 51*day // the next sweep has not come yet
	w.handle(replayed(touch("older", sale-day, ann)))
	if l := w.work.Ledger(); l.Expired != 1 || l.Applied != 0 {
		t.Errorf("ledger %+v, want 1 expired", l)
	}
	w.handle(touch("both", sale+50*day, ann, bob))
	w.expect("one journey", w.journeyOf(ann), "both")
}

// A final answer whose touches may have expired stays: a replay would only make it worse. Before that, it is revised.
func TestBackfillOfExpiredJourneys(t *testing.T) {
	w := newKeeping(t)
	w.handle(touch("first", sale-29*day, ann), touch("last", sale-day, ann), statement("e1", sale, ann))
	w.settledAt(sale + 15*day)
	w.expect("in time", w.handle(replayed(touch("found", sale-10*day, ann))), "RESTATEMENT by backfill: final first found last")
	w.settledAt(sale + 25*day)
	w.expect("left", w.journeyOf(ann), "found", "last")
	w.expect("too late", w.handle(replayed(touch("lost", sale-9*day, ann))))
	if w.work.Withheld != 1 {
		t.Errorf("%d withheld, want 1", w.work.Withheld)
	}
}

// An operator who keeps events for less than answers need keeps them for so long.
func TestRetentionIsLongEnough(t *testing.T) {
	w := newWorld(t)
	w.config.Retention = time.Hour
	w.handle(touch("click", sale-30*day, ann), statement("e1", sale, ann))
	w.settledAt(sale + hour)
	w.expect("late", w.handle(touch("late", sale-day, ann)), "RESTATEMENT by late_event: provisional click late")
}
