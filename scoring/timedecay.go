package scoring

import (
	"math"
	"math/bits"
	"time"

	"tributary/schemas"
)

// timeDecay halves the weight of a touch for every half-life that it is older than another: 2^(−age/half-life). Only
// differences of age matter, so ages are counted from the newest touch of the path, which weighs most.
type timeDecay struct {
	halfLife uint64 // milliseconds, above 0
	zone     *time.Location
	version  string
}

// Weights gives the newest touch 2^top, the greatest power of two with which even n equal weights add up to less than
// 2^64. With 100,000 touches that is 2^47, so that a rounded weight is within 2^-48 (4e-15) of the newest.
func (m timeDecay) Weights(p Path, w []uint64) []uint64 {
	n := len(p.Touches)
	w = blank(w, n)
	if n == 0 {
		return w
	}
	top := uint(64 - bits.Len(uint(n)))
	if m.zone != nil {
		return m.byDay(p.Touches, top, w)
	}
	newest := p.Touches[n-1].At
	for i, touch := range p.Touches {
		w[i] = halved(uint64(newest-touch.At), m.halfLife, top)
	}
	return w
}

// byDay takes whole calendar days for ages, a day being 24 hours of half-life even when the clock was put forward or
// back on it. Touches of one day weigh the same.
func (m timeDecay) byDay(touches []Touchpoint, top uint, w []uint64) []uint64 {
	days := calendar{zone: m.zone}
	newest := days.day(touches[len(touches)-1].At)
	same, weight := newest, uint64(1)<<top
	for i := len(touches) - 1; i >= 0; i-- {
		if day := days.day(touches[i].At); day != same {
			same, weight = day, halved(uint64(newest-day)*millisPerDay, m.halfLife, top)
		}
		w[i] = weight
	}
	return w
}

func (m timeDecay) Version() string { return m.version }

const millisPerDay = 24 * 60 * 60 * 1000

// calendar numbers the days of a time zone. It remembers the zone's offset between two changes of its clocks, because
// the touches of a path mostly lie between the same two.
type calendar struct {
	zone         *time.Location
	offset       int64          // milliseconds to add to UTC for local time, in [since, until)
	since, until schemas.Millis // nothing is remembered while both are 0
}

// day is the number of the local date at the given time: one more for each date of the calendar.
func (c *calendar) day(at schemas.Millis) int64 {
	if at < c.since || at >= c.until {
		c.remember(at)
	}
	return floorDiv(int64(at)+c.offset, millisPerDay)
}

// remember looks up the offset at the given time, and from when until when it holds.
func (c *calendar) remember(at schemas.Millis) {
	local := at.Time().In(c.zone)
	_, seconds := local.Zone()
	c.offset = int64(seconds) * 1000
	c.since, c.until = math.MinInt64, math.MaxInt64
	from, to := local.ZoneBounds() // zero times where the offset has no beginning or no end
	if !from.IsZero() {
		c.since = schemas.MillisOf(from)
	}
	if !to.IsZero() {
		c.until = schemas.MillisOf(to)
	}
}

// floorDiv is a / b rounded down; b is above 0.
func floorDiv(a, b int64) int64 {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}
