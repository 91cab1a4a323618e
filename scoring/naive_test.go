package scoring

import (
	"math/big"
	"testing"
	"time"

	"tributary/schemas"
)

// naiveShares are the shares of the touches of p under s, written from the formulas of README.md with fractions; they
// add up to 1. Those of time decay are fractions of 2^-300 of the newest touch; the others are exact.
func naiveShares(t *testing.T, s Spec, p Path) []*big.Rat {
	t.Helper()
	n := len(p.Touches)
	shares := make([]*big.Rat, n)
	for i := range shares {
		shares[i] = new(big.Rat)
	}
	switch s.Type {
	case "first_touch":
		shares[0] = big.NewRat(1, 1)
	case "last_touch":
		shares[n-1] = big.NewRat(1, 1)
	case "last_non_direct":
		at := n - 1
		for i, touch := range p.Touches {
			if touch.Channel != "direct" {
				at = i
			}
		}
		shares[at] = big.NewRat(1, 1)
	case "linear":
		for i := range shares {
			shares[i] = big.NewRat(1, int64(n))
		}
	case "position_based":
		naivePositions(shares, ratOr(s.First, "0.4"), ratOr(s.Last, "0.4"))
	case "j_shaped":
		naivePositions(shares, big.NewRat(20, 100), big.NewRat(60, 100))
	case "inverse_j":
		naivePositions(shares, big.NewRat(60, 100), big.NewRat(20, 100))
	case "time_decay":
		naiveDecay(t, s, p, shares)
	default:
		t.Fatalf("no naive twin of %s", s.Type)
	}
	return shares
}

func ratOr(s, standard string) *big.Rat {
	if s == "" {
		s = standard
	}
	r, _ := new(big.Rat).SetString(s)
	return r
}

func naivePositions(shares []*big.Rat, first, last *big.Rat) {
	n := len(shares)
	ends := new(big.Rat).Add(first, last)
	switch n {
	case 1:
		shares[0] = big.NewRat(1, 1)
	case 2:
		shares[0] = new(big.Rat).Quo(first, ends)
		shares[1] = new(big.Rat).Quo(last, ends)
	default:
		each := new(big.Rat).Sub(big.NewRat(1, 1), ends)
		each.Quo(each, big.NewRat(int64(n-2), 1))
		for i := range shares {
			shares[i] = each
		}
		shares[0], shares[n-1] = first, last
	}
}

func naiveDecay(t *testing.T, s Spec, p Path, shares []*big.Rat) {
	half := s.HalfLife
	if half == 0 {
		half = 168 * time.Hour
	}
	age := func(touch Touchpoint) int64 {
		if s.Granularity == "day" {
			return naiveDaysBetween(t, s.Timezone, touch.At, p.ConvertedAt) * 24 * 3600 * 1000
		}
		return int64(p.ConvertedAt - touch.At)
	}
	newest := age(p.Touches[len(p.Touches)-1])
	sum := new(big.Rat)
	known := map[int64]*big.Rat{}
	for i, touch := range p.Touches {
		age := age(touch) - newest // the same ratios, and fewer digits where the newest is old
		if known[age] == nil {
			known[age] = naiveHalving(big.NewRat(age, half.Milliseconds()))
		}
		shares[i] = known[age]
		sum.Add(sum, shares[i])
	}
	for i := range shares {
		shares[i] = new(big.Rat).Quo(shares[i], sum)
	}
}

// naiveDaysBetween is the difference of the two local dates, read off the calendar.
func naiveDaysBetween(t *testing.T, zone string, from, to schemas.Millis) int64 {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	date := func(at schemas.Millis) time.Time {
		year, month, day := at.Time().In(location).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	return int64(date(to).Sub(date(from)) / (24 * time.Hour))
}

// ln2 is the sum of 1/(k·2^k).
var ln2 = func() *big.Float {
	sum, power := newFloat(0), newFloat(1)
	for k := range 400 {
		power.Quo(power, newFloat(2))
		sum.Add(sum, newFloat(0).Quo(power, newFloat(float64(k+1))))
	}
	return sum
}()

func newFloat(x float64) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(x) }

// naiveHalving is 2^(−x) for x ≥ 0, by the series of the exponential function of the fraction of −x·ln 2.
func naiveHalving(x *big.Rat) *big.Rat {
	whole := new(big.Int).Quo(x.Num(), x.Denom())
	fraction := newFloat(0).SetRat(new(big.Rat).Sub(x, new(big.Rat).SetInt(whole)))
	exponent := fraction.Mul(fraction, ln2)
	exponent.Neg(exponent)
	sum, term := newFloat(1), newFloat(1)
	for k := range 80 {
		term.Mul(term, exponent)
		term.Quo(term, newFloat(float64(k+1)))
		sum.Add(sum, term)
	}
	sum.SetMantExp(sum, -int(min(whole.Int64(), 1<<20)))
	// Rational numbers of 400 bits are slow to add; 300 bits below the newest are plenty.
	scaled, _ := sum.SetMantExp(sum, 300).Int(nil)
	return new(big.Rat).SetFrac(scaled, new(big.Int).Lsh(big.NewInt(1), 300))
}
