package scoring

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"tributary/schemas"
)

// whole is the total of the shares.
const whole = int64(schemas.WholeShare)

// naiveAllocate is the largest remainder method word for word, with fractions.
func naiveAllocate(total int64, weights []uint64) []int64 {
	rats := make([]*big.Rat, len(weights))
	for i, w := range weights {
		rats[i] = new(big.Rat).SetInt(new(big.Int).SetUint64(w))
	}
	return naiveAllocateRats(total, rats)
}

func naiveAllocateRats(total int64, weights []*big.Rat) []int64 {
	sum := new(big.Rat)
	for _, w := range weights {
		sum.Add(sum, w)
	}
	type remainder struct {
		at   int
		rest *big.Rat
	}
	out := make([]int64, len(weights))
	rests := make([]remainder, len(weights))
	left := total
	for i, w := range weights {
		quota := new(big.Rat).Quo(new(big.Rat).Mul(w, new(big.Rat).SetInt64(total)), sum)
		units := new(big.Int).Quo(quota.Num(), quota.Denom())
		out[i] = units.Int64()
		rests[i] = remainder{i, quota.Sub(quota, new(big.Rat).SetInt(units))}
		left -= out[i]
	}
	sort.SliceStable(rests, func(i, j int) bool { return rests[i].rest.Cmp(rests[j].rest) > 0 })
	for _, r := range rests[:left] {
		out[r.at]++
	}
	return out
}

func total(parts []int64) (sum int64) {
	for _, p := range parts {
		sum += p
	}
	return sum
}

// seeded is a random source whose seed is printed when the test fails.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestAllocateByHand(t *testing.T) {
	for _, c := range []struct {
		name    string
		total   int64
		weights []uint64
		want    []int64
	}{
		{"ten cents to three: the first gets the odd cent", 10, []uint64{1, 1, 1}, []int64{4, 3, 3}},
		{"eleven cents to three: the first two", 11, []uint64{1, 1, 1}, []int64{4, 4, 3}},
		{"quotas 3.5, 2.1 and 1.4: the half wins", 7, []uint64{50, 30, 20}, []int64{4, 2, 1}},
		{"one cent goes to the heaviest", 1, []uint64{1, 3, 2}, []int64{0, 1, 0}},
		{"nothing to give", 0, []uint64{5, 7}, []int64{0, 0}},
		{"a weight of zero gets nothing", 100, []uint64{0, 3, 0}, []int64{0, 100, 0}},
		{"a leading zero does not share the next one's quota", 9, []uint64{0, 2, 2, 0, 5}, []int64{0, 2, 2, 0, 5}},
		{"all zero counts as equal", 5, []uint64{0, 0, 0}, []int64{2, 2, 1}},
		{"no weights", 5, nil, []int64{}},
		{"all of the largest amount", math.MaxInt64, []uint64{math.MaxUint64}, []int64{math.MaxInt64}},
		{"the largest amount by the largest weights", math.MaxInt64, []uint64{math.MaxUint64, math.MaxUint64},
			[]int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}},
	} {
		if got := Allocate(c.total, c.weights, nil); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// Hamilton's method for a house of 60 seats on the population of the first census of the United States (1790), a
// textbook example of the method.
func TestAllocateCensus1790(t *testing.T) {
	states := []struct {
		name   string
		people uint64
		seats  int64
	}{
		{"Virginia", 630560, 11}, {"Massachusetts", 475327, 8}, {"Pennsylvania", 432879, 7}, {"North Carolina", 353523, 6},
		{"New York", 331589, 6}, {"Maryland", 278514, 5}, {"Connecticut", 236841, 4}, {"South Carolina", 206236, 3},
		{"New Jersey", 179570, 3}, {"New Hampshire", 141822, 2}, {"Vermont", 85533, 1}, {"Georgia", 70835, 1},
		{"Kentucky", 68705, 1}, {"Rhode Island", 68446, 1}, {"Delaware", 55540, 1},
	}
	var people []uint64
	for _, s := range states {
		people = append(people, s.people)
	}
	seats := Allocate(60, people, nil)
	for i, s := range states {
		if seats[i] != s.seats {
			t.Errorf("%s: got %d seats, want %d", s.name, seats[i], s.seats)
		}
	}
}

func TestAllocateNegativeTotalPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Allocate(-1, []uint64{1}, nil)
}

// randomWeights are n weights of one of the shapes that models and mischief produce.
func randomWeights(r *rand.Rand, n int) []uint64 {
	w := make([]uint64, n)
	shape := r.IntN(6)
	for i := range w {
		switch shape {
		case 0: // all equal, of any size
			if i == 0 {
				w[0] = r.Uint64()>>r.IntN(64) | 1
			}
			w[i] = w[0]
		case 1: // few values, many ties
			w[i] = r.Uint64N(4)
		case 2: // decaying
			w[i] = 1 << 62 >> min(uint(n-1-i), 63)
		case 3: // full width: the sum passes 64 bits
			w[i] = r.Uint64()
		case 4: // one takes all
			w[i] = 0
		default: // any size
			w[i] = r.Uint64() >> r.IntN(64)
		}
	}
	if shape != 0 {
		w[r.IntN(n)] |= 1 // never all zero
	}
	return w
}

// randomTotal is an amount in minor units: anything from nothing to the largest.
func randomTotal(r *rand.Rand) int64 {
	switch r.IntN(4) {
	case 0:
		return r.Int64N(100)
	case 1:
		return whole
	default:
		return r.Int64() >> r.IntN(63)
	}
}

func TestAllocateEqualsNaive(t *testing.T) {
	r := seeded(t)
	var a Allocator
	for range 10_000 {
		weights := randomWeights(r, 1+r.IntN(40))
		units := randomTotal(r)
		want := naiveAllocate(units, weights)
		if got := a.Allocate(units, weights, nil); !slices.Equal(got, want) {
			t.Fatalf("%d over %d: got %v, want %v", units, weights, got, want)
		}
	}
}

func TestAllocateLongEqualsNaive(t *testing.T) {
	r := seeded(t)
	for _, n := range []int{1_000, 10_000} {
		for range 5 {
			weights := randomWeights(r, n)
			units := randomTotal(r)
			if got, want := Allocate(units, weights, nil), naiveAllocate(units, weights); !slices.Equal(got, want) {
				t.Fatalf("%d over %d weights differs", units, n)
			}
		}
	}
}

// checkAllocation fails unless parts is a largest remainder split: exact sum, within one unit of the quota, greater
// weights never below smaller ones, and of equal weights the earlier never below the later.
func checkAllocation(t *testing.T, units int64, weights []uint64, parts []int64) {
	t.Helper()
	if got := total(parts); got != units {
		t.Fatalf("%d over %v: parts add up to %d", units, weights, got)
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return weights[order[i]] > weights[order[j]] })
	for k := 1; k < len(order); k++ {
		before, after := order[k-1], order[k]
		if parts[before] < parts[after] {
			t.Fatalf("%d over %v: touch %d got %d and touch %d got %d", units, weights, before, parts[before], after, parts[after])
		}
		if weights[before] == weights[after] && parts[before]-parts[after] > 1 {
			t.Fatalf("%d over %v: equal weights %d and %d differ by more than one unit", units, weights, before, after)
		}
	}
}

func TestAllocatePromises(t *testing.T) {
	r := seeded(t)
	for range 5_000 {
		weights := randomWeights(r, 1+r.IntN(300))
		units := randomTotal(r)
		checkAllocation(t, units, weights, Allocate(units, weights, nil))
	}
}

// Whatever order equal weights stand in, the parts are the same: only the position decides.
func TestAllocateEqualWeightsSwap(t *testing.T) {
	r := seeded(t)
	for range 2_000 {
		weights := randomWeights(r, 2+r.IntN(30))
		units := randomTotal(r)
		before := Allocate(units, weights, nil)
		i, j := r.IntN(len(weights)), r.IntN(len(weights))
		weights[i], weights[j] = weights[j], weights[i]
		after := Allocate(units, weights, nil)
		before[i], before[j] = before[j], before[i]
		for k := range before {
			if d := before[k] - after[k]; d < -1 || d > 1 {
				t.Fatalf("swapping %d and %d of %v moved %d units of touch %d", i, j, weights, d, k)
			}
		}
	}
}

func TestAllocateReusesMemory(t *testing.T) {
	var a Allocator
	weights := []uint64{5, 3, 3, 1, 9, 2, 2, 2}
	out := a.Allocate(whole, weights, nil)
	if n := testing.AllocsPerRun(100, func() { out = a.Allocate(1_001, weights, out) }); n != 0 {
		t.Errorf("%v allocations a call, want none", n)
	}
}

// A descending, an ascending and an organ-pipe sequence, and one that is equal but for one value, at every k.
func TestKthGreatestEqualsSorting(t *testing.T) {
	r := seeded(t)
	shapes := map[string]func(i, n int) uint64{
		"descending": func(i, n int) uint64 { return uint64(n - i) },
		"ascending":  func(i, _ int) uint64 { return uint64(i) },
		"organ pipe": func(i, n int) uint64 { return uint64(min(i, n-i)) },
		"one odd":    func(i, _ int) uint64 { return uint64(1 / (1 + i)) },
		"random":     func(int, int) uint64 { return r.Uint64() },
		"few":        func(int, int) uint64 { return r.Uint64N(3) },
	}
	for name, at := range shapes {
		for _, n := range []int{1, 2, 12, 13, 100, 257} {
			v := make([]uint128, n)
			for i := range v {
				v[i] = uint128{at(i, n) & 1, at(i, n)}
			}
			sorted := slices.Clone(v)
			slices.SortFunc(sorted, descending)
			for k := 1; k <= n; k++ {
				if got := kthGreatest(slices.Clone(v), k); got != sorted[k-1] {
					t.Fatalf("%s, n %d, k %d: got %v, want %v", name, n, k, got, sorted[k-1])
				}
			}
		}
	}
}

func TestDivideEqualsBig(t *testing.T) {
	r := seeded(t)
	wide := func(a uint128) *big.Int {
		b := new(big.Int).SetUint64(a.hi)
		return b.Add(b.Lsh(b, 64), new(big.Int).SetUint64(a.lo))
	}
	some := func() uint64 { // often at the edges of the width
		return []uint64{0, 1, math.MaxUint64, 1 << 63, r.Uint64(), r.Uint64() >> r.IntN(64)}[r.IntN(6)]
	}
	for range 200_000 {
		a, d := uint128{some() >> 1, some()}, uint128{some(), some()}
		if d.hi == 0 && d.lo <= a.hi {
			continue // the quotient would not fit
		}
		q, rest := a.divide(d)
		wantQ, wantR := new(big.Int).QuoRem(wide(a), wide(d), new(big.Int))
		if wantQ.Cmp(new(big.Int).SetUint64(q)) != 0 || wide(rest).Cmp(wantR) != 0 {
			t.Fatalf("%v / %v: got %d rest %v, want %v rest %v", a, d, q, rest, wantQ, wantR)
		}
	}
}

func FuzzAllocate(f *testing.F) {
	f.Add(int64(1000), []byte{1, 1, 1})
	f.Add(int64(math.MaxInt64), []byte{255, 0, 0, 0, 0, 0, 0, 0, 255, 7})
	f.Fuzz(func(t *testing.T, units int64, bytes []byte) {
		if units < 0 || len(bytes) == 0 || len(bytes) > 400 {
			return
		}
		// Each pair of bytes is one weight: a mantissa and a shift, so that all widths come up.
		var weights []uint64
		for i := 0; i < len(bytes); i += 2 {
			w := uint64(bytes[i])
			if i+1 < len(bytes) {
				w = (w<<56 | w) << (bytes[i+1] & 63) >> (bytes[i+1] >> 2)
			}
			weights = append(weights, w)
		}
		parts := Allocate(units, weights, nil)
		checkAllocation(t, units, weights, parts)
		if sumOf(weights).isZero() {
			return
		}
		if want := naiveAllocate(units, weights); !slices.Equal(parts, want) {
			t.Fatalf("%d over %d: got %v, want %v", units, weights, parts, want)
		}
	})
}
