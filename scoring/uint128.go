package scoring

import (
	"cmp"
	"math/bits"
)

// uint128 is hi·2^64 + lo. The products and sums of an allocation need more than 64 bits.
type uint128 struct{ hi, lo uint64 }

func (a uint128) isZero() bool { return a.hi|a.lo == 0 }

func (a uint128) less(b uint128) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

// descending orders greater values first, for slices.SortFunc.
func descending(a, b uint128) int {
	if c := cmp.Compare(b.hi, a.hi); c != 0 {
		return c
	}
	return cmp.Compare(b.lo, a.lo)
}

// plus is a + b. No sum of this package leaves 128 bits: it would take 2^64 weights.
func (a uint128) plus(b uint64) uint128 {
	lo, carry := bits.Add64(a.lo, b, 0)
	return uint128{a.hi + carry, lo}
}

func (a uint128) minus(b uint128) uint128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, borrow)
	return uint128{hi, lo}
}

// times is a·b modulo 2^128.
func (a uint128) times(b uint64) uint128 {
	hi, lo := bits.Mul64(a.lo, b)
	return uint128{hi + a.hi*b, lo}
}

// divide is the quotient and remainder of a / d. The quotient must fit in 64 bits.
//
// With a divisor above 64 bits the quotient is first estimated from the divisor's 64 leading bits, which is at most one
// too high, made one smaller, and corrected once (H. S. Warren, Hacker's Delight, 2nd edition, 2012, section 9-5).
func (a uint128) divide(d uint128) (q uint64, r uint128) {
	if d.hi == 0 {
		q, rem := bits.Div64(a.hi, a.lo, d.lo)
		return q, uint128{0, rem}
	}
	n := uint(bits.LeadingZeros64(d.hi))
	lead := d.hi<<n | d.lo>>(64-n) // for n = 0 the second shift is by 64, which is 0 in Go
	q, _ = bits.Div64(a.hi>>1, a.hi<<63|a.lo>>1, lead)
	q >>= 63 - n
	if q > 0 {
		q--
	}
	r = a.minus(d.times(q))
	if !r.less(d) {
		return q + 1, r.minus(d)
	}
	return q, r
}
