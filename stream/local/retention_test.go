package local_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/local"
	"tributary/stream/local/reference"
)

// Visitors come and never say who they are, evenly, for ten times as long as anything is kept. The rows that they leave are at
// no time many more than those of the visits that are kept, and nothing grows.
func TestVisitorsLeaveBoundedState(t *testing.T) {
	const retention, days, visits = 10, 100, 30 // of a day
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	config := settingsOf(t, reference.Rules{Timeout: 1_800_000, Lookback: 2 * day}, 4)
	config.Timed, config.EveryBatch = true, true
	config.Attribution.Retention, config.Attribution.AllowedLateness = retention*24*time.Hour, 24*time.Hour
	p := local.New(config, store, newReader(t))
	start := schemas.Millis(1_767_225_600_000) // 2026-01-01
	most := 0
	for d := range days {
		for n := range visits {
			at := start + schemas.Millis(int64(d)*day+int64(n)*day/visits)
			visitor := fmt.Sprintf("new-%d-%d", d, n)
			if r.IntN(3) == 0 {
				visitor = fmt.Sprint("again-", r.IntN(20)) // someone who never stays away for long
			}
			p.Event(fmt.Appendf(nil, `{"event_id":"%d-%d","type":"touch","occurred_at":%d,"identifiers":{"anonymous_id":%q},"touch":{"kind":"visit"}}`,
				d, n, at, visitor), at)
		}
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
		rows := 0
		for partition := range int32(4) {
			if err := store.Entries(partition, func(state.Entry) bool { rows++; return true }); err != nil {
				t.Fatal(err)
			}
		}
		if kept := (retention + 2) * visits; rows > kept+20 { // what is kept may be a day older; a few rows are about time
			t.Fatalf("seed %d: %d rows on day %d, of %d visits that may be kept", seed, rows, d, kept)
		}
		most = max(most, rows)
	}
	if expired, _ := p.Expired(); most < retention*visits || expired < (days-retention-2)*visits {
		t.Errorf("seed %d: at most %d rows and %d expired: visits went too early", seed, most, expired)
	}
}

// In a shop that nothing changes in, for ten times as long as anything is kept, there are no more rows of any kind in the second
// half than in the first. All answers are those of the reference, which forgets nothing: who comes back in time is known.
func TestCustomersLeaveBoundedState(t *testing.T) {
	const keep, days, regulars = 20, 200, 3
	for _, seed := range seeds(t, 1) {
		r := rand.New(rand.NewPCG(seed, 0))
		store, err := state.OpenMemory()
		if err != nil {
			t.Fatal(err)
		}
		rules := reference.Rules{Timeout: 1_800_000, Lookback: 7 * day, First: map[string]bool{"lead": true, "paid": true}, FirstAgain: keep * day}
		line := reference.Timeline{Memory: reference.Memory{Rules: rules}, Allowed: 2 * day}
		config := settingsOf(t, rules, 4)
		config.Timed, config.EveryBatch = true, true
		config.Attribution.Retention, config.Attribution.AllowedLateness = keep*24*time.Hour, 2*24*time.Hour
		out := newReader(t)
		p := local.New(config, store, out)
		halves := [2]map[state.Kind]int{{}, {}}
		for d, deliveries := range reference.Steady(days, 2, regulars) {
			for _, s := range deliveries {
				p.Event(s.JSON(), schemas.Millis(s.At()))
				line.Deliver(s)
				p.Step(r.Int32N(4), 1+r.IntN(5))
			}
			if d%10 != 9 {
				continue
			}
			if err := p.Finish(); err != nil {
				t.Fatal(err)
			}
			if diff := out.Differences(line.Settle()); len(diff) > 0 {
				t.Fatalf("TRIBUTARY_SEED=%d, day %d:\n%s", seed, d, strings.Join(diff, "\n"))
			}
			rows := map[state.Kind]int{}
			for partition := range int32(4) {
				if err := store.Entries(partition, func(e state.Entry) bool { rows[state.Kind(e.Key[0])]++; return true }); err != nil {
					t.Fatal(err)
				}
			}
			for k, n := range rows {
				halves[d/(days/2)][k] = max(halves[d/(days/2)][k], n)
			}
		}
		for k, n := range halves[1] {
			if most := halves[0][k]; n > most+most/20+5 { // what a day brings depends a little on the day
				t.Errorf("TRIBUTARY_SEED=%d: %d %v rows in the second half, %d in the first", seed, n, k, most)
			}
		}
		for k := range regulars {
			names := map[string]bool{}
			for id, a := range out.Newest {
				if strings.HasPrefix(id, fmt.Sprint("regular-", k, "-")) {
					names[a.CustomerID] = true
				}
			}
			if len(names) != 1 {
				t.Errorf("TRIBUTARY_SEED=%d: a regular has %d names", seed, len(names))
			}
		}
		events, others := p.Expired()
		t.Logf("rows at most %v; expired: %d events and %+v", halves[1], events, others)
		store.Close()
	}
}
