package journey_test

import (
	"fmt"
	"time"

	"tributary/schemas"
	"tributary/state/journey"
)

// The journey of the package comment.
func Example() {
	at := func(s string) schemas.Millis {
		t, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			panic(err)
		}
		return schemas.MillisOf(t)
	}
	touches := []journey.Touch{
		{EventID: "e6", At: at("2026-03-05 18:00"), Kind: "call", Channel: "phone"},
		{EventID: "e1", At: at("2026-03-01 09:00"), Kind: "impression", Channel: "display"},
		{EventID: "e2", At: at("2026-03-01 10:00"), Kind: "click", Channel: "search", Campaign: "spring"},
		{EventID: "e3", At: at("2026-03-01 10:20"), Activity: true},
		{EventID: "e4", At: at("2026-03-01 10:50"), Kind: "visit", Channel: journey.Direct},
	}
	conversions := []journey.Conversion{
		{ID: "order-1001", EventID: "e6", Name: "purchase", At: at("2026-03-05 18:00"), Value: 9990, Net: 9990, Currency: "USD"},
	}
	rules := journey.Defaults()
	rules.Lookback.ByKind = map[string]time.Duration{"impression": 24 * time.Hour}

	for _, path := range rules.Paths(touches, conversions, nil) {
		fmt.Println(path.Conversion.ID, path.Verdict, "first touch", path.Summary.FirstTouchAt)
		for _, step := range path.Touches {
			fmt.Println(step.Session, step.Touch.Channel)
		}
	}
	// Output:
	// order-1001 counted first touch 2026-03-01T10:00:00.000Z
	// 1 search
	// 1 direct
	// 2 phone
}
