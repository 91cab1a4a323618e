package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"tributary/identity"
	"tributary/schemas"
)

// The key of a timer in the changelog, for ever.
func TestTimerKey(t *testing.T) {
	timer := Timer{Due: 1_700_000_000_250, Kind: TimerFinal, Root: phone, Conversion: identity.ConversionKeyOf("order-1001")}
	const golden = "8000018bcfe568fa01" + "04010f00000000000000000000000000" + "50ac93f41009bb5828fbeb9b39ca5129"
	if got := hex.EncodeToString(timer.key()); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	if again, err := timerOf(timer.key()); again != timer || err != nil {
		t.Errorf("got %+v %v", again, err)
	}
}

// Timers come in the order in which they are due, as often as they were set, whatever batch they are from.
func TestTimers(t *testing.T) {
	for _, seed := range seeds(t, 50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := openMemory(t)
		var want []Timer
		b := s.NewBatch()
		for range 60 {
			timer := Timer{Due: schemas.Millis(rng.IntN(20) - 5), Kind: TimerFinal, Root: identity.ID{byte(rng.IntN(2))}, Conversion: identity.ConversionKey{byte(rng.IntN(2))}}
			at, there := slices.BinarySearchFunc(want, timer, compareTimers)
			switch r := b.Rows(1); rng.IntN(6) {
			case 0:
				r.DeleteTimer(timer)
				if there {
					want = slices.Delete(want, at, at+1)
				}
			case 1:
				must(t, b.Commit(nil))
				b = s.NewBatch()
			default:
				r.PutTimer(timer)
				if !there {
					want = slices.Insert(want, at, timer)
				}
			}
			before, limit := schemas.Millis(rng.IntN(20)-5), 1+rng.IntN(30)
			due := want[:slices.IndexFunc(append(slices.Clone(want), Timer{Due: before}), func(o Timer) bool { return o.Due >= before })]
			if got := b.Rows(1).Timers(before, limit); !slices.Equal(got, due[:min(limit, len(due))]) {
				t.Fatalf("TRIBUTARY_SEED=%d: before %d, at most %d: got %v, want %v", seed, before, limit, got, due)
			}
		}
		b.Close()
	}
}

func compareTimers(a, b Timer) int { return bytes.Compare(a.key(), b.key()) }

func TestTimerOfAnotherRelease(t *testing.T) {
	s := openMemory(t)
	b := s.NewBatch()
	defer b.Close()
	b.Rows(1).PutPlain(KindTimer, []byte{0, 9}, nil)
	b.Rows(1).Timers(schemas.MaxMillis, 1)
	if !errors.Is(b.Err(), ErrFormat) {
		t.Errorf("got %v", b.Err())
	}
}
