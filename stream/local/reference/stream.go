package reference

import (
	"fmt"
	"math/rand/v2"
	"sort"
)

// Arrival is a delivery as it comes: some come late, some twice.
type Arrival struct {
	Delivery
	Stream int64 // how far the stream's events have come when it arrives, epoch milliseconds
}

// Stream makes n events of people with a user id each, over days, in the order of their arrival: one in twenty comes up to
// half of the allowed lateness after its time, one in a hundred far beyond it, and one in fifty twice. Nothing in it makes
// two customers one or changes a conversion later than the allowed lateness, so that what is final is what the reference
// says of all that was not late.
func Stream(r *rand.Rand, n int, days, allowed int64) []Arrival {
	start := int64(1_767_225_600_000) // 2026-01-01
	var all []Arrival
	for i := range n {
		at := start + r.Int64N(days*day)
		person := r.IntN(1 + n/12)
		d := Delivery{id: fmt.Sprintf("e%d", i), at: at, ids: [][2]string{{"user_id", fmt.Sprint("u", person)}}}
		touch := touchFields{kind: "click", channel: []string{"search", "social", "direct"}[r.IntN(3)]}
		switch k := r.IntN(10); {
		case k < 6:
			d.typ, d.touch = "touch", &touch
		case k == 6:
			d.typ = "activity"
		default:
			d.typ, d.name, d.conv, d.minor = "conversion", []string{"purchase", "lead"}[r.IntN(2)], fmt.Sprint("order", i), r.Int64N(128)
			if r.IntN(3) == 0 {
				back := Delivery{id: fmt.Sprintf("r%d", i), typ: "refund", at: at + r.Int64N(allowed/4), conv: d.conv, minor: 1 + r.Int64N(50), ids: d.ids}
				all = append(all, arrive(r, back, allowed))
			}
		}
		a := arrive(r, d, allowed)
		all = append(all, a)
		if r.IntN(50) == 0 {
			a.Stream += r.Int64N(allowed / 4)
			all = append(all, a)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Stream < all[j].Stream })
	return all
}

// Delayed are the deliveries in the order of their arrival: each comes up to longest after its time. A wish to be forgotten
// is never late, and may name a time long ago.
func Delayed(r *rand.Rand, all []Delivery, longest int64) []Delivery {
	arrivals := make([]Arrival, len(all))
	for i, d := range all {
		most := longest
		if d.Forgets() {
			most = 40 * day
		}
		arrivals[i] = Arrival{d, d.at + r.Int64N(most+1)}
	}
	sort.SliceStable(arrivals, func(i, j int) bool { return arrivals[i].Stream < arrivals[j].Stream })
	sorted := make([]Delivery, len(all))
	for i, a := range arrivals {
		sorted[i] = a.Delivery
	}
	return sorted
}

// Final are answers as they are when all of them are final.
func Final(answers map[string]Answer) map[string]Answer {
	final := make(map[string]Answer, len(answers))
	for id, a := range answers {
		if a.status == "provisional" {
			a.status = "final"
		}
		final[id] = a
	}
	return final
}

func arrive(r *rand.Rand, d Delivery, allowed int64) Arrival {
	a := Arrival{Delivery: d, Stream: d.at}
	switch k := r.IntN(100); {
	case k < 5:
		a.Stream += r.Int64N(allowed / 2)
	case k == 5:
		a.Stream += 2*allowed + r.Int64N(allowed)
	}
	return a
}
