package outcome_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"tributary/schemas"
	"tributary/stream/outcome"
)

// record is a revision in which the channels share a sale evenly.
func record(id string, revision uint32, minor int64, channels ...string) *schemas.Attribution {
	a := &schemas.Attribution{ConversionID: id, Revision: revision, Status: schemas.StatusProvisional, Models: []schemas.Model{{Name: "linear", Version: "1"}}}
	a.Conversion.Value = schemas.Money{Minor: minor, Currency: "USD"}
	a.Conversion.NetValue = a.Conversion.Value
	for i, c := range channels {
		share, value := int64(1_000_000/len(channels)), minor/int64(len(channels))
		if i == 0 {
			share, value = 1_000_000-share*int64(len(channels)-1), minor-value*int64(len(channels)-1)
		}
		a.Touches = append(a.Touches, schemas.CreditedTouch{EventID: fmt.Sprint(i), Channel: c, Credit: []schemas.Credit{{Share: schemas.Share(share), Minor: value}}})
	}
	if len(channels) == 0 {
		a.Status, a.Unattributed = schemas.StatusRetracted, schemas.UnattributedRefunded
	}
	return a
}

func Example() {
	var o outcome.Outcome
	sums := map[outcome.Key]outcome.Credit{}
	for _, a := range []*schemas.Attribution{
		record("order-1", 1, 10000, "search"),
		record("order-1", 2, 10000, "search", "email"), // a late touch
		record("order-1", 1, 10000, "search"),          // delivered again
		record("order-2", 1, 500, "email"),
		record("order-2", 2, 500), // wholly refunded
	} {
		for _, change := range o.Apply(a) {
			sums[change.Key] = sums[change.Key].Plus(change.Credit)
			fmt.Printf("%s revision %d: %s %+d millionths, %+d cents\n", a.ConversionID, a.Revision, change.Channel, change.Share, change.Minor)
		}
	}
	fmt.Println(o.Conversions(), "conversions,", o.Stale(), "stale record")
	// Output:
	// order-1 revision 1: search +1000000 millionths, +10000 cents
	// order-1 revision 2: email +500000 millionths, +5000 cents
	// order-1 revision 2: search -500000 millionths, -5000 cents
	// order-2 revision 1: email +1000000 millionths, +500 cents
	// order-2 revision 2: email -1000000 millionths, -500 cents
	// 2 conversions, 1 stale record
}

// Whatever the order and however often records come, the changes add up to the sums over the newest revisions.
func TestChangesAddUp(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	channels := []string{"search", "social", "email", "direct"}
	for range 500 {
		var all []*schemas.Attribution
		newest := map[string]*schemas.Attribution{}
		for c := range 5 {
			for revision := range r.Uint32N(5) {
				a := record(fmt.Sprint(c), revision+1, r.Int64N(1000), channels[:r.IntN(5)]...)
				newest[a.ConversionID] = a
				all = append(all, a)
				if r.IntN(3) == 0 {
					all = append(all, a)
				}
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var o outcome.Outcome
		got, want := map[outcome.Key]outcome.Credit{}, map[outcome.Key]outcome.Credit{}
		for _, a := range all {
			for _, c := range o.Apply(a) {
				got[c.Key] = got[c.Key].Plus(c.Credit)
			}
		}
		for id, a := range newest {
			for i := range a.Touches {
				key := outcome.Key{Model: "linear", Channel: a.Touches[i].Channel, Currency: "USD"}
				c := a.Touches[i].Credit[0]
				want[key] = want[key].Plus(outcome.Credit{Share: int64(c.Share), Minor: c.Minor})
			}
			if status, revision, ok := o.Status(id); !ok || status != a.Status || revision != a.Revision {
				t.Fatalf("%s is %s at revision %d, want %s at %d", id, status, revision, a.Status, a.Revision)
			}
		}
		zero := func(_ outcome.Key, c outcome.Credit) bool { return c == outcome.Credit{} }
		maps.DeleteFunc(got, zero)
		maps.DeleteFunc(want, zero)
		if !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
