package scoring

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"tributary/schemas"
)

// specs are models of every type, with and without settings.
var specs = []Spec{
	{Type: "first_touch"},
	{Type: "last_touch"},
	{Type: "last_non_direct"},
	{Type: "linear"},
	{Type: "position_based"},
	{Name: "ends", Type: "position_based", First: "0.5", Last: "0.5"},
	{Name: "middle", Type: "position_based", First: "0.000000001", Last: "0"},
	{Name: "thirds", Type: "position_based", First: "0.333333333", Last: "0.333333333"},
	{Type: "j_shaped"},
	{Type: "inverse_j"},
	{Type: "time_decay"},
	{Name: "second", Type: "time_decay", HalfLife: time.Second},
	{Name: "century", Type: "time_decay", HalfLife: 100 * 365 * 24 * time.Hour},
	{Name: "odd", Type: "time_decay", HalfLife: 12_345_677 * time.Millisecond},
	{Name: "days", Type: "time_decay", Granularity: "day"},
	{Name: "berlin", Type: "time_decay", Granularity: "day", Timezone: "Europe/Berlin", HalfLife: 30 * time.Hour},
	{Name: "samoa", Type: "time_decay", Granularity: "day", Timezone: "Pacific/Apia"},
}

func build(t testing.TB, s Spec) Model {
	t.Helper()
	m, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func label(s Spec) string { return fmt.Sprintf("%s(%s)", s.Type, s.name()) }

// randomPath has n touches, which lie all at once, within a second, a day, a month or ten years before the conversion.
func randomPath(r *rand.Rand, n int) Path {
	day := int64(24 * 3600 * 1000)
	span := []int64{1, 1000, day, 30 * day, 3650 * day}[r.IntN(5)]
	converted := schemas.MillisOf(time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)) + schemas.Millis(r.Int64N(5000*day))
	p := Path{ConvertedAt: converted}
	for range n {
		p.Touches = append(p.Touches, Touchpoint{
			At:      converted - schemas.Millis(r.Int64N(span)),
			Channel: []string{"direct", "direct", "email", "paid_search"}[r.IntN(4)],
			Kind:    "click",
		})
	}
	sort.Slice(p.Touches, func(i, j int) bool { return p.Touches[i].At < p.Touches[j].At })
	return p
}

func rat(w uint64) *big.Rat { return new(big.Rat).SetInt(new(big.Int).SetUint64(w)) }

// exactShares are the weights divided by their sum.
func exactShares(weights []uint64) []*big.Rat {
	sum := new(big.Rat)
	for _, w := range weights {
		sum.Add(sum, rat(w))
	}
	shares := make([]*big.Rat, len(weights))
	for i, w := range weights {
		shares[i] = new(big.Rat).Quo(rat(w), sum)
	}
	return shares
}

// Weights stand in the ratios of the formulas: exactly, and for time decay within 1e-12 of the newest touch.
func TestWeightsEqualNaive(t *testing.T) {
	r := seeded(t)
	lengths := []int{1, 2, 3, 4, 5, 17, 100}
	for range 20 {
		for _, n := range lengths {
			p := randomPath(r, n)
			for _, s := range specs {
				compareWithNaive(t, s, p)
			}
		}
	}
}

func TestLongPathsEqualNaive(t *testing.T) {
	r := seeded(t)
	p := randomPath(r, 10_000)
	for _, s := range specs {
		compareWithNaive(t, s, p)
	}
}

func compareWithNaive(t *testing.T, s Spec, p Path) {
	t.Helper()
	weights := build(t, s).Weights(p, nil)
	if sum := sumOf(weights); sum.hi != 0 || sum.lo == 0 {
		t.Fatalf("%s: the weights of %d touches add up to %v", label(s), len(weights), sum)
	}
	want := naiveShares(t, s, p)
	if s.Type != "time_decay" {
		for i, share := range exactShares(weights) {
			if share.Cmp(want[i]) != 0 {
				t.Fatalf("%s: touch %d of %d has share %v, want %v", label(s), i, len(weights), share, want[i])
			}
		}
		return
	}
	newest := len(weights) - 1
	for i := range weights {
		got := new(big.Rat).Quo(rat(weights[i]), rat(weights[newest]))
		off := new(big.Rat).Sub(got, new(big.Rat).Quo(want[i], want[newest]))
		if off.Abs(off).Cmp(big.NewRat(1, 1e12)) > 0 {
			f, _ := off.Float64()
			t.Fatalf("%s: touch %d of %d is %g of the newest away from the formula", label(s), i, len(weights), f)
		}
	}
}

// Credit is the largest remainder split of the formulas' fractions. Time decay may differ by one unit where two
// remainders are nearer to each other than its weights are exact.
func TestScoreEqualsNaive(t *testing.T) {
	r := seeded(t)
	compared, differ := 0, 0
	models := buildAllOf(t, specs)
	for range 300 {
		p := randomPath(r, 1+r.IntN(30))
		net := r.Int64() >> r.IntN(63)
		credit := Score(models, p, net)
		for j, s := range specs {
			fractions := naiveShares(t, s, p)
			shares, values := naiveAllocateRats(whole, fractions), naiveAllocateRats(net, fractions)
			for i := range p.Touches {
				got := credit[i*len(models)+j]
				if s.Type != "time_decay" && (int64(got.Share) != shares[i] || got.Value != values[i]) {
					t.Fatalf("%s: touch %d of %d for %d: got %+v, want share %d, value %d", label(s), i, len(p.Touches), net, got, shares[i], values[i])
				}
				compared++
				if off := int64(got.Share) - shares[i]; off != 0 {
					differ++
					if off < -1 || off > 1 {
						t.Fatalf("%s: touch %d of %d has share %d, want %d", label(s), i, len(p.Touches), got.Share, shares[i])
					}
				}
			}
		}
	}
	if differ > compared/10_000 {
		t.Errorf("%d of %d shares differ by a millionth", differ, compared)
	}
}

func buildAllOf(t testing.TB, specs []Spec) []Named {
	t.Helper()
	models, err := NewAll(specs)
	if err != nil {
		t.Fatal(err)
	}
	return models
}

// For every path, model, amount and currency: shares add up to 1, values to the net value, nothing is negative.
func TestCreditAddsUp(t *testing.T) {
	r := seeded(t)
	scorer := NewScorer(buildAllOf(t, specs))
	var credit []Credit
	for range 3_000 {
		p := randomPath(r, r.IntN(60))
		net := randomTotal(r)
		credit = scorer.Score(credit[:0], p, net)
		checkSums(t, credit, len(p.Touches), len(specs), net)
	}
}

func checkSums(t *testing.T, credit []Credit, touches, models int, net int64) {
	t.Helper()
	if len(credit) != touches*models {
		t.Fatalf("%d entries for %d touches and %d models", len(credit), touches, models)
	}
	for j := range models {
		var shares schemas.Share
		var values int64
		for i := range touches {
			c := credit[i*models+j]
			if c.Share < 0 || c.Value < 0 {
				t.Fatalf("%s: touch %d of %d has %+v", label(specs[j]), i, touches, c)
			}
			shares += c.Share
			values += c.Value
		}
		if touches > 0 && (shares != schemas.WholeShare || values != net) {
			t.Fatalf("%s: %d touches share %d millionths and %d of %d", label(specs[j]), touches, shares, values, net)
		}
	}
}

func TestHundredThousandTouches(t *testing.T) {
	r := seeded(t)
	p := randomPath(r, 100_000)
	for _, net := range []int64{0, 1, 99_999, 1<<63 - 1} {
		checkSums(t, Score(buildAllOf(t, specs), p, net), len(p.Touches), len(specs), net)
	}
}

// Moving the whole journey in time changes nothing. By calendar day this holds for whole days in a zone whose clocks
// never change, and for the conversion alone it holds always.
func TestTimeShiftChangesNothing(t *testing.T) {
	r := seeded(t)
	for range 200 {
		p := randomPath(r, 1+r.IntN(30))
		for _, s := range specs {
			if s.Granularity == "day" && s.Timezone != "" {
				continue
			}
			shift := schemas.Millis(r.Int64N(1000) * 24 * 3600 * 1000)
			if s.Granularity == "" {
				shift += schemas.Millis(r.Int64N(24 * 3600 * 1000))
			}
			moved := Path{ConvertedAt: p.ConvertedAt + shift}
			for _, touch := range p.Touches {
				touch.At += shift
				moved.Touches = append(moved.Touches, touch)
			}
			m := build(t, s)
			if a, b := m.Weights(p, nil), m.Weights(moved, nil); !slices.Equal(a, b) {
				t.Fatalf("%s: %v, and %v after moving it by %d ms", label(s), a, b, shift)
			}
		}
	}
}

func TestConversionTimeChangesNothing(t *testing.T) {
	r := seeded(t)
	for range 200 {
		p := randomPath(r, 1+r.IntN(30))
		later := Path{p.Touches, p.ConvertedAt + schemas.Millis(r.Int64N(1e10))}
		for _, s := range specs {
			m := build(t, s)
			if a, b := m.Weights(p, nil), m.Weights(later, nil); !slices.Equal(a, b) {
				t.Fatalf("%s: %v, and %v with a later conversion", label(s), a, b)
			}
		}
	}
}

// Models that only see positions do not mind when the touches were, and no model but last_non_direct minds channels.
func TestModelsSeeOnlyWhatTheySay(t *testing.T) {
	r := seeded(t)
	for range 100 {
		p := randomPath(r, 1+r.IntN(30))
		other := Path{Touches: slices.Clone(p.Touches), ConvertedAt: p.ConvertedAt}
		for i := range other.Touches {
			other.Touches[i].Channel, other.Touches[i].Kind = "tv", "offline"
		}
		sameTime := Path{Touches: slices.Clone(p.Touches), ConvertedAt: p.ConvertedAt}
		for i := range sameTime.Touches {
			sameTime.Touches[i].At = p.ConvertedAt
		}
		for _, s := range specs {
			m := build(t, s)
			w := m.Weights(p, nil)
			if s.Type != "last_non_direct" && !slices.Equal(w, m.Weights(other, nil)) {
				t.Fatalf("%s: channel or kind changes the weights", label(s))
			}
			if s.Type != "time_decay" && !slices.Equal(w, m.Weights(sameTime, nil)) {
				t.Fatalf("%s: times change the weights", label(s))
			}
		}
	}
}

// A newer touch never weighs less, and touches of one instant weigh the same.
func TestTimeDecayFollowsTime(t *testing.T) {
	r := seeded(t)
	for range 200 {
		p := randomPath(r, 2+r.IntN(50))
		for _, s := range specs {
			if s.Type != "time_decay" {
				continue
			}
			w := build(t, s).Weights(p, nil)
			for i := 1; i < len(w); i++ {
				if w[i-1] > w[i] || p.Touches[i-1].At == p.Touches[i].At && w[i-1] != w[i] {
					t.Fatalf("%s: touches %d and %d weigh %d and %d", label(s), i-1, i, w[i-1], w[i])
				}
			}
		}
	}
}

// Memory of an earlier, other path must not show.
func TestWeightsReuseMemory(t *testing.T) {
	r := seeded(t)
	for range 100 {
		p := randomPath(r, 1+r.IntN(30))
		for _, s := range specs {
			m := build(t, s)
			dirty := slices.Repeat([]uint64{1<<64 - 1}, 40)
			got := m.Weights(p, dirty)
			if !slices.Equal(got, m.Weights(p, nil)) {
				t.Fatalf("%s: weights depend on the slice", label(s))
			}
			if &got[0] != &dirty[0] {
				t.Fatalf("%s: allocates although the slice is large enough", label(s))
			}
		}
	}
}

func TestScoreAppends(t *testing.T) {
	r := seeded(t)
	models := buildAllOf(t, specs)
	scorer := NewScorer(models)
	one, two := randomPath(r, 5), randomPath(r, 3)
	both := scorer.Score(scorer.Score(nil, one, 100), two, 200)
	want := append(Score(models, one, 100), Score(models, two, 200)...)
	if !slices.Equal(both, want) {
		t.Errorf("appended %v, want %v", both, want)
	}
	if allocs := testing.AllocsPerRun(100, func() { both = scorer.Score(both[:0], one, 100) }); allocs != 0 {
		t.Errorf("%v allocations a path, want none", allocs)
	}
}

// The weights of version 1 to the last bit: another processor, or another way to compute them, must find the same. They
// are 2^60·2^(−age/7d), rounded, as computed with 60 decimal digits.
func TestTimeDecayWeightsStay(t *testing.T) {
	ages := []schemas.Millis{60 * 86_400_000, 5_000_000_000, 604_800_001, 604_800_000, 302_400_000, 86_400_000, 1, 0}
	want := []uint64{3030697803008479, 3742189999878915, 576460751642755259, 576460752303423488, 815238614083298888,
		1044228289761169999, 1152921503285510518, 1152921504606846976}
	p := Path{ConvertedAt: 2e12}
	for _, age := range ages {
		p.Touches = append(p.Touches, Touchpoint{At: p.ConvertedAt - age})
	}
	if got := build(t, Spec{Type: "time_decay"}).Weights(p, nil); !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}
