package scoring

import (
	"math/bits"
	"slices"
)

// Allocator splits totals over weights and keeps its working memory between calls. The zero value is ready. It must not
// be used by two goroutines at once.
type Allocator struct {
	rest []uint128 // remainder of each weight's quota, in parts of the sum of the weights
	pick []uint128 // the same, reordered to find the threshold
}

// Allocate is (*Allocator).Allocate with working memory of its own.
func Allocate(total int64, weights []uint64, out []int64) []int64 {
	var a Allocator
	return a.Allocate(total, weights, out)
}

// Allocate splits total units (of money, or of a share) in proportion to weights, in whole units, so that the parts add
// up to exactly total. It writes into out, which it grows if needed, and returns it with one part for each weight.
//
// It is the largest remainder method (Hamilton 1792, Hare and Niemeyer): each weight gets the whole units of its quota
// total·weight/sum, and the units that are left go one each to the largest remainders; of equal remainders the earlier
// wins. Quotas and remainders are exact, in 128 bits. A greater weight never gets less than a smaller one, a part is
// never a whole unit away from its quota, and a weight of zero gets nothing.
//
// When all weights are zero they count as equal. With no weights the result is empty. A negative total is a mistake of
// the caller, and Allocate panics.
func (a *Allocator) Allocate(total int64, weights []uint64, out []int64) []int64 {
	if total < 0 {
		panic("scoring: allocate: negative total")
	}
	out = slices.Grow(out[:0], len(weights))[:len(weights)]
	sum := sumOf(weights)
	if sum.isZero() {
		return splitEqually(total, out)
	}
	left := a.wholeUnits(total, weights, sum, out)
	if left > 0 {
		a.giveToLargest(left, out)
	}
	return out
}

func sumOf(weights []uint64) (sum uint128) {
	for _, w := range weights {
		sum = sum.plus(w)
	}
	return sum
}

// splitEqually fills out with equal parts of total; the units that are left go to the earliest.
func splitEqually(total int64, out []int64) []int64 {
	n := int64(len(out))
	for i := range out {
		out[i] = total / n
		if int64(i) < total%n {
			out[i]++
		}
	}
	return out
}

// wholeUnits fills out with the whole units of each quota and a.rest with the remainders. It returns the units that are
// left, which are fewer than the remainders above zero.
func (a *Allocator) wholeUnits(total int64, weights []uint64, sum uint128, out []int64) (left int64) {
	a.rest = slices.Grow(a.rest[:0], len(weights))[:len(weights)]
	left = total
	var previous, q uint64 // neighbours often have the same weight, and the division is the slow part
	var r uint128
	for i, w := range weights {
		if w != previous {
			q, r = quota(uint64(total), w, sum)
			previous = w
		}
		out[i], a.rest[i] = int64(q), r
		left -= int64(q)
	}
	return left
}

// quota is total·w/sum: whole units, and the remainder in parts of sum. It fits in 63 bits because w ≤ sum.
func quota(total, w uint64, sum uint128) (units uint64, rest uint128) {
	hi, lo := bits.Mul64(total, w)
	return uint128{hi, lo}.divide(sum)
}

// giveToLargest adds one unit to the left largest remainders; of equal ones the earlier comes first.
func (a *Allocator) giveToLargest(left int64, out []int64) {
	a.pick = append(a.pick[:0], a.rest...)
	threshold := kthGreatest(a.pick, int(left))
	for i, r := range a.rest {
		if threshold.less(r) {
			out[i]++
			left--
		}
	}
	for i := 0; left > 0; i++ {
		if a.rest[i] == threshold {
			out[i]++
			left--
		}
	}
}

// kthGreatest is the k-th greatest of v, 1 ≤ k ≤ len(v). It reorders v. It is Hoare's quickselect (1961) with a
// partition in three, so that many equal values cost one round; after twice the rounds of even halving it sorts what is
// left, which bounds the time to n·log n whatever the values. Sorting at once makes the whole of scoring a path of 30 or 1000
// touches with time decay 3 to 4 times slower (BenchmarkScore).
func kthGreatest(v []uint128, k int) uint128 {
	for rounds := 2 * bits.Len(uint(len(v))); rounds > 0 && len(v) > 12; rounds-- {
		pivot := median(v[0], v[len(v)/2], v[len(v)-1])
		greater, smaller := partition(v, pivot)
		switch {
		case k <= greater:
			v = v[:greater]
		case k <= smaller:
			return pivot
		default:
			v, k = v[smaller:], k-smaller
		}
	}
	slices.SortFunc(v, descending)
	return v[k-1]
}

// partition reorders v into the values above pivot, then those equal to it, then those below: v[:i], v[i:j], v[j:].
func partition(v []uint128, pivot uint128) (i, j int) {
	j = len(v)
	for at := 0; at < j; {
		switch x := v[at]; {
		case pivot.less(x):
			v[at], v[i] = v[i], x
			i++
			at++
		case x.less(pivot):
			j--
			v[at], v[j] = v[j], x
		default:
			at++
		}
	}
	return i, j
}

func median(a, b, c uint128) uint128 {
	if a.less(b) {
		a, b = b, a
	}
	switch { // a ≥ b
	case a.less(c):
		return a
	case b.less(c):
		return c
	}
	return b
}
