package bench

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/stream/settings"
)

// small is a run of seconds.
func small(t *testing.T, client []kgo.Opt) Config {
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Settings: settings.Default(), Keys: keys, Client: client, Events: 10_000, Pairs: 1, Window: 400 * time.Millisecond, Seed: 1, Say: t.Logf}
}

// Every measurement gives figures that can be, and the table shows them all.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	rows, err := Run(ctx, small(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, rows)
}

func checkRows(t *testing.T, rows []Row) {
	t.Helper()
	var table bytes.Buffer
	Write(&table, rows)
	t.Logf("%s\n%s", Machine(), &table)
	var seen []string
	for _, r := range rows {
		if r.Ratio <= 0 || r.What == "" || r.Measured == "" || r.Beside == "" {
			t.Errorf("%+v", r)
		}
		if !strings.Contains(table.String(), r.Measured) {
			t.Errorf("%s is not in the table", r.Measured)
		}
		seen = append(seen, r.Figure)
	}
	if got := slices.Compact(seen); !slices.Equal(got, Names()) {
		t.Errorf("figures of %v, want %v", got, Names())
	}
}

func TestRunKnowsItsNames(t *testing.T) {
	if _, err := Run(t.Context(), small(t, nil), "speed"); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v", err)
	}
}

// A percentile leaves no more than its share below it, and no more than the rest above.
func TestPercentile(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		values := make([]int, 1+random.IntN(200))
		for i := range values {
			values[i] = random.IntN(50)
		}
		for _, p := range []int{1, 50, 99, 100} {
			at := percentile(values, p)
			below, above := 0, 0
			for _, v := range values {
				if v < at {
					below++
				}
				if v > at {
					above++
				}
			}
			if below*100 >= p*len(values) || above*100 > (100-p)*len(values) {
				t.Fatalf("p%d of %v is %d", p, values, at)
			}
		}
	}
	if median([]float64{}) != 0 {
		t.Error("the median of nothing is something")
	}
}
