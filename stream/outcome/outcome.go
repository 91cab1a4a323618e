// Package outcome is how a program reads the attribution topic rightly: a bidder, a dashboard, a ledger. It takes records
// in any order, also twice, keeps the highest revision of each conversion, takes back what a retraction retracts, and says
// for each record by how much each channel's sums change. Adding up these changes gives at any time exactly what adding up
// the newest revisions gives.
//
//	var o outcome.Outcome
//	for record := range records { // of the topic `attributions`, read_committed
//		a, err := schemas.DecodeAttribution(record.Value)
//		…
//		for _, d := range o.Apply(&a) {
//			sums[d.Key] = sums[d.Key].Plus(d.Credit)
//		}
//	}
//
// A sale whose linear credit moves from search to e-mail gives two changes: −0.5 of a conversion and −50.00 USD for
// search, +0.5 and +50.00 for e-mail. A program that keeps its own table instead writes a revision only if it is higher
// than the one that it has: UPDATE … WHERE revision < :revision.
package outcome

import (
	"cmp"
	"maps"
	"slices"

	"tributary/schemas"
)

// Key is what credit is added up by.
type Key struct {
	Model, Channel, Campaign, Currency string
}

// Credit is a sum of credit, or a change of one: then it can be negative.
type Credit struct {
	Share int64 // millionths of conversions
	Minor int64 // minor units of the key's currency
}

// Plus is the sum of c and o.
func (c Credit) Plus(o Credit) Credit { return Credit{c.Share + o.Share, c.Minor + o.Minor} }

// Change is by how much the sum of a key changes.
type Change struct {
	Key
	Credit
}

// Outcome is what is known of every conversion. The zero value knows nothing. It must not be used by two goroutines at
// once, and its memory grows with the number of conversions.
type Outcome struct {
	conversions map[string]state
	stale       int
}

// state is the newest revision of one conversion, as far as sums need it.
type state struct {
	revision uint32
	status   schemas.Status
	credit   map[Key]Credit // nil: no touch has credit
}

// Apply takes a record and returns the changes of sums that follow, by key. A revision that is not higher than the one
// that is known changes nothing.
func (o *Outcome) Apply(a *schemas.Attribution) []Change {
	old := o.conversions[a.ConversionID]
	if a.Revision <= old.revision {
		o.stale++
		return nil
	}
	if o.conversions == nil {
		o.conversions = make(map[string]state)
	}
	now := state{revision: a.Revision, status: a.Status, credit: creditOf(a)}
	o.conversions[a.ConversionID] = now

	changes := maps.Clone(now.credit)
	if changes == nil {
		changes = make(map[Key]Credit, len(old.credit))
	}
	for key, c := range old.credit {
		changes[key] = changes[key].Plus(Credit{-c.Share, -c.Minor})
	}
	var out []Change
	for key, c := range changes {
		if c != (Credit{}) {
			out = append(out, Change{key, c})
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Campaign, b.Campaign), cmp.Compare(a.Currency, b.Currency))
	})
	return out
}

// creditOf adds up what a record gives. One that is retracted gives nothing, as it has no touches.
func creditOf(a *schemas.Attribution) map[Key]Credit {
	if len(a.Touches) == 0 || a.Status == schemas.StatusRetracted {
		return nil
	}
	sums := make(map[Key]Credit)
	for i := range a.Touches {
		t := &a.Touches[i]
		for m, c := range t.Credit {
			if c.Share == 0 && c.Minor == 0 {
				continue
			}
			key := Key{a.Models[m].Name, t.Channel, t.Campaign, a.Conversion.Value.Currency}
			sums[key] = sums[key].Plus(Credit{int64(c.Share), c.Minor})
		}
	}
	return sums
}

// Status is where a conversion stands; ok is false if it is not known.
func (o *Outcome) Status(conversion string) (status schemas.Status, revision uint32, ok bool) {
	s, ok := o.conversions[conversion]
	return s.status, s.revision, ok
}

// Conversions is how many conversions are known, retracted ones included.
func (o *Outcome) Conversions() int { return len(o.conversions) }

// Stale is how many records were passed over because a revision as high was known.
func (o *Outcome) Stale() int { return o.stale }
