package journey

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/schemas"
)

// benchCase is a journey of n touches and as many activities, one event an hour on average, with m conversions spread
// over it, everything in order as a store would hand it out.
func benchCase(n, m int) ([]Touch, []Conversion) {
	rng := rand.New(rand.NewPCG(7, 7))
	at := schemas.Millis(1_767_225_600_000)
	var touches []Touch
	var conversions []Conversion
	for i := range 2 * n {
		at += schemas.Millis(rng.IntN(2 * 60 * 60 * 1000))
		t := Touch{EventID: fmt.Sprintf("01JN3Z%020d", i), At: at, Activity: i%2 == 1}
		if !t.Activity {
			t.Kind, t.Channel = pick(rng, "click", "impression", "visit"), pick(rng, Direct, "search", "email")
			t.Campaign = pick(rng, "", "spring", "summer")
		}
		touches = append(touches, t)
		if (i+1)%(2*n/m) == 0 {
			id := fmt.Sprintf("order-%d", i)
			conversions = append(conversions, Conversion{ID: id, EventID: id, Name: "purchase", At: at, Value: 100, Net: 100, Currency: "USD"})
		}
	}
	return touches, conversions
}

// BenchmarkPaths scores journeys of n touches and n activities. "one" asks for the newest conversion only, as when it has
// just come; "all" for each of them.
func BenchmarkPaths(b *testing.B) {
	for _, size := range []struct{ touches, conversions int }{{1, 1}, {10, 1}, {10, 3}, {100, 3}, {1_000, 10}, {10_000, 300}} {
		touches, conversions := benchCase(size.touches, size.conversions)
		newest := conversions[len(conversions)-1].ID
		rules := Defaults()
		rules.Lookback.ByKind = map[string]time.Duration{"impression": 24 * time.Hour}
		for _, session := range []string{GA4, UA} {
			rules.SessionRules = session
			name := fmt.Sprintf("%s/touches=%d/conversions=%d/", session, size.touches, size.conversions)
			b.Run(name+"one", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					rules.Paths(touches, conversions, func(id string) bool { return id == newest })
				}
			})
			b.Run(name+"all", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					rules.Paths(touches, conversions, nil)
				}
			})
		}
	}
}
