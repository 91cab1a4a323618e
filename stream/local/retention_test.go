package local_test

import (
	"fmt"
	"math/rand/v2"
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
