package scoring

import (
	"math"
	"math/big"
	"testing"
)

// power is within 2^-59 of 2^(−f), relative to itself, at random fractions and at the seams of the digits.
func TestPowerEqualsNaive(t *testing.T) {
	r := seeded(t)
	fractions := []uint64{0, 1, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64}
	for range 1_000 {
		fractions = append(fractions, r.Uint64()>>r.IntN(64), r.Uint64()<<r.IntN(64))
	}
	for shift := 32; shift < 64; shift += 4 {
		fractions = append(fractions, 1<<shift-1, 1<<shift, 15<<shift)
	}
	unit := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 64))
	worst := new(big.Rat)
	for _, f := range fractions {
		want := naiveHalving(new(big.Rat).Quo(rat(f), unit))
		want.Mul(want, rat(1<<63))
		off := new(big.Rat).Sub(rat(power(f)), want)
		off.Quo(off, want)
		if off.Abs(off).Cmp(worst) > 0 {
			worst = off
		}
	}
	if worst.Cmp(big.NewRat(1, 1<<59)) > 0 {
		w, _ := worst.Float64()
		t.Errorf("up to %g from the formula", w)
	}
	w, _ := worst.Float64()
	t.Logf("worst error %.2g", w)
}

func TestPowerNeverRises(t *testing.T) {
	r := seeded(t)
	const step = 1 << 22 // finer than a millisecond of the longest half-life that time.Duration holds
	for range 200_000 {
		f := r.Uint64() &^ (1<<(r.IntN(60)) - 1) // often just at a seam
		if f >= step && power(f-step) < power(f) {
			t.Fatalf("2^-f rises from %d to %d at f = %d·2^-64", power(f-step), power(f), f)
		}
	}
}

func TestHalvedAtWholeHalfLives(t *testing.T) {
	for _, halfLife := range []uint64{1000, 86_400_000, 604_800_000, 9_223_372_036_854} {
		for _, top := range []uint{40, 47, 62, 63} {
			for k := range uint64(70) {
				want := uint64(0)
				if k <= uint64(top) {
					want = 1 << (uint64(top) - k)
				}
				if got := halved(k*halfLife, halfLife, top); got != want {
					t.Errorf("2^%d after %d half-lives of %d ms: got %d, want %d", top, k, halfLife, got, want)
				}
			}
		}
	}
}

func TestHalvedLongAgoIsNothing(t *testing.T) {
	if got := halved(math.MaxInt64, 1000, 63); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}
