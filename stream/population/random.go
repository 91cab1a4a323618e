package population

import "math/bits"

// random is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). It is written out
// here, and uses whole numbers only, so that a seed gives the same population for ever and on every processor.
type random struct{ state uint64 }

// randomOf is the generator of one person, independent of every other person's.
func randomOf(seed, person uint64) random { return random{mix(seed ^ mix(person+1))} }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// mix is SplitMix64's finalizer: different numbers stay different.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is 0 to n-1, each as likely; n > 0.
func (r *random) below(n int64) int64 {
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int64(high)
}

// between is low to high, both included, each as likely.
func (r *random) between(low, high int64) int64 { return low + r.below(high-low+1) }

// skewed is 0 to n-1, small numbers more likely: the mean is n/4.
func (r *random) skewed(n int64) int64 {
	high, _ := bits.Mul64(uint64(r.below(n)), r.next())
	return int64(high)
}

// chance is true in a share of p.
func (r *random) chance(p float64) bool { return r.next()>>11 < uint64(p*(1<<53)) }

// chosen is an index of weights, by weight.
func (r *random) chosen(weights []int64) int {
	total := int64(0)
	for _, w := range weights {
		total += w
	}
	n := r.below(total)
	for i, w := range weights {
		if n < w {
			return i
		}
		n -= w
	}
	return len(weights) - 1
}
