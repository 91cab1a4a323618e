package attribution

import (
	"fmt"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/state/journey"
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
	if w.expired != 1 {
		t.Errorf("%d expired, want 1", w.expired)
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

// A forget is carried out in the final answer, too, also if it is replayed: what was forgotten must not stay in it.
func TestReplayedForgetOfAnExpiredJourney(t *testing.T) {
	w := newKeeping(t)
	w.handle(touch("first", sale-29*day, ann), touch("found", sale-10*day, ann), touch("last", sale-day, ann), statement("e1", sale, ann))
	w.settledAt(sale + 25*day)
	w.expect("the rest is kept", w.journeyOf(ann), "found", "last")
	w.expect("forgotten", w.handle(replayed(identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: ann}, Time: sale - 5*day, Fresh: true})),
		"RESTATEMENT by erasure: final last")
}

// An operator who keeps events for less than answers need keeps them for so long.
func TestRetentionIsLongEnough(t *testing.T) {
	w := newWorld(t)
	w.config.Retention = time.Hour
	w.handle(touch("click", sale-30*day, ann), statement("e1", sale, ann))
	w.settledAt(sale + hour)
	w.expect("late", w.handle(touch("late", sale-day, ann)), "RESTATEMENT by late_event: provisional click late")
}

// goOn lets time pass up to settled, as a sweep of everything every five days would find it, and returns what expired.
func (w *world) goOn(settled schemas.Millis) (expired identity.Expired) {
	for w.now < settled {
		w.now = min(settled, w.now+5*day)
		for more := true; more; {
			w.begin()
			more = w.work.Advance(0, w.now, 3, Stamp{At: 1, Watermark: w.now})
			w.run()
			w.end()
			expired.Sum(w.work.Expired)
		}
	}
	return expired
}

// rows counts the rows that are left, but for those of sweeps and generations.
func (w *world) rowsLeft() (n int) {
	err := w.store.Entries(0, func(e state.Entry) bool {
		if k := state.Kind(e.Key[0]); k != state.KindSweep && k != state.KindGeneration {
			n++
		}
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func identified(at schemas.Millis, ids ...identity.ID) identity.Message {
	return identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: ids[0]}, Time: at, IDs: ids, Fresh: true}
}

func consent(event string, at schemas.Millis, granted bool, id identity.ID) identity.Message {
	return identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: id}, Time: at, IDs: []identity.ID{id}, Fresh: true, Fact: &identity.Fact{
		Event: identity.EventKeyOf(event), At: at, Standing: true, Body: ConsentContent(event, granted)}}
}

// Nothing is left of a customer who does not come back, and nothing that is as old can be said of him any more.
func TestCustomersExpire(t *testing.T) {
	w := newKeeping(t)
	w.now = sale
	w.handle(touch("click", sale-day, bob), identified(sale-hour, ann, bob), statement("e1", sale, ann), consent("yes", sale, true, bob))
	if got := w.goOn(sale + 49*day); got != (identity.Expired{}) {
		t.Errorf("%+v expired early", got)
	}
	want := identity.Expired{Identifiers: 2, Links: 2, Consents: 1, Conversions: 1}
	if got := w.goOn(sale + 90*day); got != want || w.rowsLeft() > 0 {
		t.Errorf("%+v expired, want %+v, and %d rows are left", got, want, w.rowsLeft())
	}
	for name, m := range map[string]identity.Message{"touch": touch("click", sale-day, bob), "link": identified(sale-hour, ann, bob),
		"statement": statement("e1", sale, ann), "refund": refund(100)} {
		w.expect(name, w.handle(replayed(m)))
		if l := w.work.Ledger(); l != (identity.Ledger{Expired: 1}) || w.rowsLeft() > 0 {
			t.Errorf("%s: ledger %+v, want 1 expired, and %d rows are left", name, l, w.rowsLeft())
		}
	}
}

// A refund of a conversion that has expired is taken, since its conversion may still come, and counted when it does not.
func TestRefundOfAnExpiredConversion(t *testing.T) {
	w := newKeeping(t)
	w.handle(statement("e1", sale, ann))
	w.goOn(sale + 90*day)
	late := refund(100)
	late.Statement.At = w.now
	w.expect("nothing to take it off", w.handle(late))
	if l := w.work.Ledger(); l.Applied != 1 {
		t.Errorf("ledger %+v", l)
	}
	if got, want := w.goOn(w.now+90*day), (identity.Expired{Refunds: 1}); got != want || w.rowsLeft() > 0 {
		t.Errorf("%+v expired, want %+v, and %d rows are left", got, want, w.rowsLeft())
	}
}

// Who said no says no for as long as the customer is known, also when the browser that it was said in has gone.
func TestAWithdrawalOutlivesTheIdentifierItCameBy(t *testing.T) {
	w := newKeeping(t)
	w.now = sale
	w.handle(identified(sale, ann, bob), consent("yes", sale-hour, true, ann), consent("no", sale, false, bob))
	gone := int64(0)
	for n := range schemas.Millis(10) {
		w.handle(touch(fmt.Sprint("visit", n), sale+20*n*day, ann))
		gone += w.goOn(sale + 20*n*day).Identifiers
	}
	b := w.store.NewBatch()
	if node := b.Rows(0).Node(ann); gone != 1 || node.Members != 0 {
		t.Errorf("%d identifiers are gone, and node %+v", gone, node)
	}
	b.Close()
	w.expect("a sale", w.handle(touch("click", w.now, ann), statement("e1", w.now+hour, ann)), "ATTRIBUTION by conversion: provisional")
}

// Who links people to nobody goes on doing so, and who is forgotten stays forgotten, however long ago it was.
func TestVerdictsAndForgetsDoNotExpire(t *testing.T) {
	w := newKeeping(t)
	w.now = sale
	w.handle(identified(sale, ann, bob), identity.Message{Kind: identity.KindShare, To: identity.Ref{ID: bob}})
	w.handle(touch("click", sale, ann), identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: ann}, Time: sale + hour})
	w.goOn(sale + 200*day)
	b := w.store.NewBatch()
	defer b.Close()
	if n := b.Rows(0).Node(bob); !n.Shared || len(b.Rows(0).Neighbours(bob)) > 0 {
		t.Errorf("the shared one is %+v", n)
	}
	if n := b.Rows(0).Node(ann); n.Cut != sale+hour || n.Degree > 0 {
		t.Errorf("the forgotten one is %+v", n)
	}
	if n := w.rowsLeft(); n != 2 {
		t.Errorf("%d rows are left, want 2", n)
	}
}

// A name that counts once counts again when its last was longer ago than the retention, and not before.
func TestFirstAgain(t *testing.T) {
	w := newKeeping(t)
	w.config.Rules.Conversions = map[string]journey.ConversionRule{"purchase": {Occurrence: journey.First}}
	buy := func(name string, at schemas.Millis) []string {
		m := statement(name, at, ann)
		m.Conversion = name
		w.goOn(at)
		return w.handle(m)
	}
	w.expect("first", buy("a", sale), "ATTRIBUTION by conversion: provisional")
	w.expect("within the retention", buy("b", sale+50*day), "RETRACTION by conversion: retracted")
	w.expect("within that of the last", buy("c", sale+99*day), "RETRACTION by conversion: retracted")
	w.expect("first again", buy("d", sale+150*day), "ATTRIBUTION by conversion: provisional")
}

// What was not the first is not so after a replay either, while a replay can still revise it.
func TestReplayKeepsTheFirst(t *testing.T) {
	w := newKeeping(t)
	w.config.Rules.Conversions = map[string]journey.ConversionRule{"purchase": {Occurrence: journey.First}}
	first := statement("a", sale, ann)
	first.Conversion = "order-0"
	w.handle(first)
	w.goOn(sale + 45*day)
	w.expect("not the first", w.handle(statement("b", sale+45*day, ann)), "RETRACTION by conversion: retracted")
	w.goOn(sale + 64*day)
	w.expect("a touch is found", w.handle(replayed(touch("click", sale+44*day, ann))))
	w.expect("its value was another", w.handle(replayed(statement("c", sale+45*day+1, ann))), "RETRACTION by backfill: retracted")
}
