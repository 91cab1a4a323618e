package report

import (
	"cmp"
	"maps"
	"slices"

	"tributary/schemas"
)

// Channels is credit by channel and model.
type Channels struct {
	Conversions  int // that count
	Attributed   int // of those, the ones with touches
	Retracted    int
	Models       []string
	Channels     []string                               // by credit of the first model, most first
	Shares       map[string]map[string]int64            // model → channel → millionths of a conversion
	Values       map[string]map[string]map[string]int64 // currency → model → channel → minor units
	Currencies   []string
	Unattributed map[schemas.Unattributed]int
}

// ByChannel adds up the newest revisions.
func ByChannel(records []*schemas.Attribution) *Channels {
	c := &Channels{Shares: map[string]map[string]int64{}, Values: map[string]map[string]map[string]int64{}, Unattributed: map[schemas.Unattributed]int{}}
	for _, a := range records {
		c.add(a)
	}
	c.Models = slices.Sorted(maps.Keys(c.Shares))
	c.Currencies = slices.Sorted(maps.Keys(c.Values))
	total := map[string]int64{}
	for _, channels := range c.Shares {
		for channel, share := range channels {
			total[channel] += share
		}
	}
	c.Channels = slices.SortedFunc(maps.Keys(total), func(a, b string) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b))
	})
	return c
}

func (c *Channels) add(a *schemas.Attribution) {
	if a.Status == schemas.StatusRetracted {
		c.Retracted++
		return
	}
	c.Conversions++
	if len(a.Touches) == 0 {
		c.Unattributed[a.Unattributed]++
		return
	}
	c.Attributed++
	currency := a.Conversion.Value.Currency
	for m, model := range a.Models {
		for i := range a.Touches {
			t := &a.Touches[i]
			grow(c.Shares, model.Name)[t.Channel] += int64(t.Credit[m].Share)
			grow(grow(c.Values, currency), model.Name)[t.Channel] += t.Credit[m].Minor
		}
	}
}

// grow returns the inner map of a key, which it makes if there is none.
func grow[V any](m map[string]map[string]V, key string) map[string]V {
	if m[key] == nil {
		m[key] = make(map[string]V)
	}
	return m[key]
}
