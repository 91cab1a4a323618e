package local_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/local"
	"tributary/stream/local/reference"
)

const day = int64(24 * time.Hour / time.Millisecond)

// timed is a random population in an order of arrival in which some come late, with the pipeline and the reference.
type timed struct {
	*reader
	r          *rand.Rand
	deliveries []reference.Delivery
	line       reference.Timeline
	pipeline   *local.Pipeline
	store      *state.Store
	partitions int32
}

// shortest is the shortest retention that changes no answer, of people who are there for 60 days, whatever the rules.
const shortest = 61 * 24 * time.Hour

// newTimed makes a population in which, if forgets, people ask to be forgotten. It delays each delivery by up to spread times
// the disorder that is allowed: up to 1, nothing is late. With a retention there are three generations of people, so that
// everything of the first has expired before the last one is gone, or people who come for ever and never stay away for long.
func newTimed(t testing.TB, seed uint64, spread float64, retention time.Duration, forgets bool) *timed {
	r := rand.New(rand.NewPCG(seed, 0))
	w := &timed{reader: newReader(t), r: r, partitions: 1 + r.Int32N(16)}
	w.line = reference.Timeline{Memory: reference.Memory{Rules: reference.RandomRules(r)}, OutOfOrderness: r.Int64N(day), Allowed: r.Int64N(20) * day}
	if retention > 0 {
		w.line.Memory.Rules.FirstAgain = retention.Milliseconds()
		if r.IntN(4) > 0 || spread > 1 { // who comes back but is late has not come back
			w.deliveries = reference.Generations(r, 3, 3+r.IntN(20), 150*day)
		} else {
			w.deliveries = reference.Returning(r, 500, 40)
			w.line.Memory.Rules.Degree, w.line.Memory.Rules.Alike = 0, nil // they count those of the last time only
		}
	} else {
		w.deliveries = reference.Population(r, 3+r.IntN(40))
	}
	if forgets {
		w.deliveries = reference.WithForgets(r, w.deliveries)
		w.line.Memory.Rules.Degree, w.line.Memory.Rules.Alike = 0, nil
	}
	w.deliveries = reference.Delayed(r, w.deliveries, int64(spread*float64(w.line.OutOfOrderness+w.line.Allowed)))

	var err error
	if w.store, err = state.OpenMemory(); err != nil {
		t.Fatal(err)
	}
	config := settingsOf(t, w.line.Memory.Rules, int(w.partitions))
	config.EveryBatch = r.IntN(2) == 0
	config.Timed, config.OutOfOrderness = true, time.Duration(w.line.OutOfOrderness)*time.Millisecond
	config.Attribution.AllowedLateness = time.Duration(w.line.Allowed) * time.Millisecond
	config.Attribution.Limits.ChunkBytes = 1 + r.IntN(2000)
	config.BatchMessages = 1 + r.IntN(50)
	config.Attribution.Retention = retention
	w.pipeline = local.New(config, w.store, w.reader)
	return w
}

// deliver gives the delivery to the pipeline and to the reference, and reports whether it was late.
func (w *timed) deliver(d reference.Delivery) (late bool) {
	before := w.pipeline.Ledger.Late
	w.pipeline.Event(d.JSON(), schemas.Millis(d.At()))
	late = w.pipeline.Ledger.Late > before
	if taken := w.line.Deliver(d); taken == late {
		w.t.Errorf("late: %v, by the reference %v", late, !taken)
	}
	return late
}

// step handles some messages.
func (w *timed) step() {
	w.pipeline.Step(w.r.Int32N(w.partitions), 1+w.r.IntN(5))
}

// settle lets everything arrive and what is due become final, and compares with the reference.
func (w *timed) settle() string {
	if err := w.pipeline.Finish(); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(w.Differences(w.line.Settle()), "\n")
}

// Every final record is what the reference answers for what had arrived when it became final, and stays it, unless its
// customer is forgotten in part.
func TestFinalRecordsEqualTheReference(t *testing.T) {
	finals, late, withheld, events, erased, revised := 0, int64(0), int64(0), int64(0), 0, 0
	var expired identity.Expired
	all := seeds(t, 800)
	for _, seed := range all {
		retention := []time.Duration{0, shortest}[seed/4%2]
		forgets := retention == 0 && seed/8%2 == 1 // nobody finds the records of what has expired
		w := newTimed(t, seed, []float64{0, 0.5, 1, 3}[seed%4], retention, forgets)
		settle := func(after int) {
			if diff := w.settle(); diff != "" || t.Failed() {
				t.Fatalf("TRIBUTARY_SEED=%d, after %d of %d deliveries:\n%s", seed, after, len(w.deliveries), diff)
			}
		}
		for i, d := range w.deliveries {
			place := w.line.Memory.Placed(d)
			if place == reference.Undefined {
				continue
			}
			if place == reference.Alone {
				settle(i)
			}
			if w.deliver(d) && seed%4 < 3 {
				t.Errorf("TRIBUTARY_SEED=%d, delivery %d is late", seed, i)
			}
			for range w.r.IntN(3) {
				w.step()
			}
			if w.r.IntN(6) == 0 || place == reference.Alone {
				settle(i + 1)
			}
		}
		settle(len(w.deliveries))
		if !w.pipeline.Ledger.Settled() {
			t.Fatalf("TRIBUTARY_SEED=%d: the ledger does not add up: %+v", seed, w.pipeline.Ledger)
		}
		finals += w.line.Finals()
		late += w.pipeline.Ledger.Late
		withheld += w.pipeline.Withheld()
		e, others := w.pipeline.Expired()
		events += e
		expired.Sum(others)
		erased += w.line.Memory.Erased()
		revised += w.AfterFinal
		w.store.Close()
	}
	t.Logf("%d conversions final, %d events late, %d revisions withheld, %d conversions forgotten, %d revisions of final records; %d events expired, and %+v",
		finals, late, withheld, erased, revised, events, expired)
	if len(all) > 50 && (finals == 0 || late == 0 || withheld == 0 || erased == 0 || revised == 0 || events == 0 || expired.Identifiers == 0 ||
		expired.Links == 0 || expired.Consents == 0 || expired.Conversions == 0 || expired.Refunds == 0) {
		t.Error("nothing was tried")
	}
}

// Once something is final, everything else is replayed, wishes to be forgotten too: then what is final says in the end what
// the reference answers for all events, as the rest does.
func TestBackfillRevisesFinalRecords(t *testing.T) {
	revised := 0
	for _, seed := range seeds(t, 400) {
		w := newTimed(t, seed, 1, 0, seed%2 == 1)
		final := 0 // so many deliveries until something was
		for i, d := range w.deliveries {
			place := w.line.Memory.Placed(d)
			if place == reference.Undefined {
				continue
			}
			if place == reference.Alone {
				w.settle()
			}
			if w.line.Finals() == 0 {
				final = i + 1
				w.deliver(d)
			} else {
				w.pipeline.Replay(d.JSON(), schemas.Millis(d.At()))
				w.line.Replay(d)
			}
			for range w.r.IntN(3) {
				w.step()
			}
			if place == reference.Alone || w.r.IntN([]int{3, 20}[min(w.line.Finals(), 1)]) == 0 {
				w.settle()
			}
		}
		if diff := w.settle(); diff != "" {
			t.Fatalf("TRIBUTARY_SEED=%d, %d deliveries, then %d replayed:\n%s", seed, final, len(w.deliveries)-final, diff)
		}
		if n := w.pipeline.Withheld(); n > 0 {
			t.Fatalf("TRIBUTARY_SEED=%d: %d revisions were withheld", seed, n)
		}
		revised += w.AfterFinal
		if t.Failed() {
			t.Fatalf("TRIBUTARY_SEED=%d", seed)
		}
		w.store.Close()
	}
	t.Logf("%d revisions of final records", revised)
	if revised == 0 {
		t.Error("nothing was tried")
	}
}

// Wherever the token of a conversion that is not final comes to rest, there is one timer for it, at the right time.
func TestEveryTokenAtRestHasOneTimer(t *testing.T) {
	tokens := 0
	for _, seed := range seeds(t, 200) {
		retention := []time.Duration{0, shortest}[seed%2]
		w := newTimed(t, seed, 1, retention, retention == 0)
		check := func() {
			n, fault := w.checkTimers()
			if tokens += n; fault != "" {
				t.Fatalf("TRIBUTARY_SEED=%d: %s", seed, fault)
			}
		}
		for _, d := range w.deliveries {
			w.deliver(d)
			for range w.r.IntN(4) {
				w.step()
				check()
			}
			if w.r.IntN(10) == 0 {
				w.settle()
				check()
			}
		}
		w.settle()
		check()
		w.store.Close()
	}
	if tokens == 0 {
		t.Error("no token was looked at")
	}
}

// checkTimers looks at all rows and returns the number of tokens that rest and are not final.
func (w *timed) checkTimers() (tokens int, fault string) {
	type rest struct {
		root       identity.ID
		conversion identity.ConversionKey
	}
	all := 0
	b := w.store.NewBatch()
	defer b.Close()
	for p := range w.partitions {
		rows := b.Rows(p)
		timers := map[rest][]state.Timer{}
		for _, timer := range rows.Timers(schemas.MaxMillis, 1_000_000) {
			at := rest{timer.Root, timer.Conversion}
			timers[at] = append(timers[at], timer)
		}
		err := w.store.Entries(p, func(e state.Entry) bool {
			var at rest
			var token identity.Held
			switch state.Kind(e.Key[0]) {
			case state.KindHeld:
				at = rest{identity.ID(e.Key[1:]), identity.ConversionKey(e.Key[17:])}
				token, _ = rows.Held(at.root, at.conversion)
			case state.KindConversion:
				at.conversion = identity.ConversionKey(e.Key[1:])
				if c, _ := rows.Conversion(at.conversion); c.Parked {
					token = c.Token
				}
			}
			if !token.Custody || token.Final {
				return true
			}
			tokens++
			due := token.Terms.At + schemas.Millis(w.line.Allowed)
			n := 0
			for _, timer := range timers[at] {
				if timer.Due == due {
					n++
				}
			}
			if n != 1 {
				fault = fmt.Sprintf("%s rests with %d timers due at %v", token.Conversion, n, due)
			}
			return fault == ""
		})
		if err != nil {
			w.t.Fatal(err)
		}
		all += len(rows.Timers(schemas.MaxMillis, 1_000_000))
	}
	if all != tokens && fault == "" {
		fault = fmt.Sprintf("%d timers for %d tokens", all, tokens)
	}
	if err := b.Err(); err != nil {
		w.t.Fatal(err)
	}
	return tokens, fault
}
