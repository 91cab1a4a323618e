package bench

import (
	"cmp"
	"slices"
	"time"
)

// median is the middle value, of an even number the lower of the two. None: the zero value.
func median[T cmp.Ordered](values []T) T { return percentile(values, 50) }

// percentile is the smallest value that p percent of all do not exceed (nearest rank). None: the zero value.
func percentile[T cmp.Ordered](values []T, p int) (at T) {
	if len(values) == 0 {
		return at
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// perSecond is a rate.
func perSecond(n int, took time.Duration) float64 { return float64(n) / max(took.Seconds(), 1e-9) }

// took is how long something took by the clock, and what this process used of the processors meanwhile. On a machine that
// others use too the second says more.
type took struct{ wall, cpu time.Duration }

// stopwatch is running from the moment it was made.
type stopwatch struct {
	began time.Time
	cpu   time.Duration
}

func startWatch() stopwatch { return stopwatch{time.Now(), cpuTime()} }

func (w stopwatch) stop() took { return took{time.Since(w.began), cpuTime() - w.cpu} }
