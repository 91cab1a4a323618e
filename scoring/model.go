package scoring

import "slices"

// Model decides how much each touch of a path weighs against the others. Weights are integers, so that every machine
// computes the same ones and the credit made of them is exact. A model holds no state of its own and may be used by many
// goroutines.
type Model interface {
	// Weights returns one weight for each touch of p, in order. It writes into w, which it grows if needed; what w held
	// before does not matter. The weights of a path with touches are not all zero and their sum is below 2^64. Without
	// touches the result is empty.
	Weights(p Path, w []uint64) []uint64

	// Version identifies the formula and its settings: two models of one type and version give the same weights.
	Version() string
}

// blank is w resized to n weights of zero.
func blank(w []uint64, n int) []uint64 {
	w = slices.Grow(w[:0], n)[:n]
	clear(w)
	return w
}

// oneTouch gives everything to the touch that pick chooses. pick is not asked about an empty path.
type oneTouch struct {
	pick func([]Touchpoint) int
}

func (m oneTouch) Weights(p Path, w []uint64) []uint64 {
	w = blank(w, len(p.Touches))
	if len(w) > 0 {
		w[m.pick(p.Touches)] = 1
	}
	return w
}

func (oneTouch) Version() string { return algorithm }

func first([]Touchpoint) int { return 0 }

func last(touches []Touchpoint) int { return len(touches) - 1 }

// lastNonDirect is the last touch whose channel is not direct, and the last of all when every one is.
func lastNonDirect(touches []Touchpoint) int {
	for i := len(touches) - 1; i >= 0; i-- {
		if touches[i].Channel != Direct {
			return i
		}
	}
	return last(touches)
}

// linear weighs all touches the same.
type linear struct{}

func (linear) Weights(p Path, w []uint64) []uint64 {
	w = blank(w, len(p.Touches))
	for i := range w {
		w[i] = 1
	}
	return w
}

func (linear) Version() string { return algorithm }

// positions gives the first and the last touch fixed shares and splits the rest equally over the touches between them.
// One touch gets all; of two, each gets its share of first + last.
// Invariant: first + last is above 0 and at most 1.
type positions struct {
	first, last share
	version     string
}

// Weights multiplies the shares by the number of touches in the middle, n − 2: then the weight of each of these is the
// share of the whole middle, and all weights are integers. Their sum is (n − 2)·10⁹.
func (m positions) Weights(p Path, w []uint64) []uint64 {
	n := len(p.Touches)
	w = blank(w, n)
	switch n {
	case 0:
	case 1:
		w[0] = 1
	case 2:
		w[0], w[1] = uint64(m.first), uint64(m.last)
	default:
		for i := range w {
			w[i] = uint64(wholeShare - m.first - m.last)
		}
		w[0] = uint64(m.first) * uint64(n-2)
		w[n-1] = uint64(m.last) * uint64(n-2)
	}
	return w
}

func (m positions) Version() string { return m.version }
