package scoring_test

import (
	"fmt"
	"time"

	"tributary/schemas"
	"tributary/scoring"
)

// The example of the package: an advertisement, a newsletter and a visit, a week apart, and a sale of 100.00 USD.
func Example() {
	models, err := scoring.NewAll([]scoring.Spec{
		{Type: "last_non_direct"},
		{Type: "position_based"},
		{Name: "half_in_a_week", Type: "time_decay", HalfLife: 7 * 24 * time.Hour},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sale := schemas.MillisOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	week := 7 * 24 * time.Hour
	path := scoring.Path{
		Touches: []scoring.Touchpoint{
			{At: sale.Add(-2 * week), Channel: "paid_search", Kind: "click"},
			{At: sale.Add(-week), Channel: "email", Kind: "email_click"},
			{At: sale, Channel: scoring.Direct, Kind: "visit"},
		},
		ConvertedAt: sale,
	}

	credit := scoring.NewScorer(models).Score(nil, path, 100_00)

	for i, touch := range path.Touches {
		for j, model := range models {
			c := credit[i*len(models)+j]
			fmt.Printf("%-11s  %-15s  %-8v  %v\n", touch.Channel, model.Name, c.Share, schemas.Money{Minor: c.Value, Currency: "USD"})
		}
	}
	// Output:
	// paid_search  last_non_direct  0         0.00
	// paid_search  position_based   0.4       40.00
	// paid_search  half_in_a_week   0.142857  14.29
	// email        last_non_direct  1         100.00
	// email        position_based   0.2       20.00
	// email        half_in_a_week   0.285714  28.57
	// direct       last_non_direct  0         0.00
	// direct       position_based   0.4       40.00
	// direct       half_in_a_week   0.571429  57.14
}

func ExampleAllocate() {
	fmt.Println(scoring.Allocate(10_00, []uint64{1, 1, 1}, nil))
	// Output: [334 333 333]
}

// Every fault is reported at once, with the setting, the value and the rule.
func ExampleValidateAll() {
	for _, err := range scoring.ValidateAll([]scoring.Spec{
		{Type: "linear"},
		{Name: "linear", Type: "time_decay", HalfLife: time.Millisecond},
	}) {
		fmt.Println(err)
	}
	// Output:
	// models[1].half_life: "1ms": must be at least 1s, in whole milliseconds
	// models[1].name: "linear": must be unique; models[0] has it too
}
