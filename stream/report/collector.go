// Package report turns attribution records into what people look at: the ledger, credit by channel and model, one journey
// touch by touch, one correction. It reads records as any consumer of the output topic would, and keeps the newest
// revision of each conversion.
package report

import (
	"cmp"
	"maps"
	"slices"

	"tributary/schemas"
)

// Collector keeps the newest revision of every conversion. The zero value is ready. It must not be used by two goroutines
// at once.
type Collector struct {
	newest     map[string]*schemas.Attribution
	revisions  int
	correction *Correction
}

// Correction is two neighbouring revisions of one conversion.
type Correction struct{ Before, After *schemas.Attribution }

// Add takes a record, in any order; it is the collector's from now on. Only a higher revision replaces what is there.
func (c *Collector) Add(a *schemas.Attribution) {
	if c.newest == nil {
		c.newest = make(map[string]*schemas.Attribution)
	}
	c.revisions++
	before := c.newest[a.ConversionID]
	if before != nil && before.Revision >= a.Revision {
		return
	}
	c.newest[a.ConversionID] = a
	if before != nil {
		c.consider(Correction{before, a})
	}
}

// consider keeps the correction that shows most: one that changed which touches have credit, and then the longer journey
// up to what fits on a screen.
func (c *Collector) consider(next Correction) {
	if c.correction == nil || next.shows() > c.correction.shows() {
		c.correction = &next
	}
}

func (c Correction) shows() int {
	score := min(len(c.After.Touches), 6)
	if len(c.Before.Touches) > 0 && len(c.After.Touches) > len(c.Before.Touches) {
		score += 20
	}
	if c.After.Cause == schemas.CauseIdentityMerge || c.After.Cause == schemas.CauseLateEvent {
		score += 10
	}
	return score
}

// Newest returns the newest revision of every conversion, by conversion id.
func (c *Collector) Newest() []*schemas.Attribution {
	return slices.SortedFunc(maps.Values(c.newest), func(a, b *schemas.Attribution) int {
		return cmp.Compare(a.ConversionID, b.ConversionID)
	})
}

// Revisions is how many records were added.
func (c *Collector) Revisions() int { return c.revisions }

// Correction returns the most telling correction, or nil if nothing was corrected.
func (c *Collector) Correction() *Correction { return c.correction }

// Journey returns a conversion worth a look: several touches and channels over several sessions, but few enough to read.
// It is nil if no conversion has a touch.
func (c *Collector) Journey() *schemas.Attribution {
	var best *schemas.Attribution
	for _, a := range c.Newest() {
		if len(a.Touches) > 0 && (best == nil || interest(a) > interest(best)) {
			best = a
		}
	}
	return best
}

func interest(a *schemas.Attribution) int {
	channels := make(map[string]struct{})
	for i := range a.Touches {
		channels[a.Touches[i].Channel] = struct{}{}
	}
	score := 3*len(channels) + a.Journey.Sessions + len(a.Touches)
	if len(a.Touches) > 8 {
		score -= 4 * (len(a.Touches) - 8)
	}
	return score
}
