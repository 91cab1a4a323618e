package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"tributary/schemas"
	"tributary/schemas/shareddata"
)

// The totals of July 2018 by channel, as they were published: from the CSV file through mapping, import and attribute.
func TestJuly2018(t *testing.T) {
	data := shareddata.Path(t, "july2018/attribution_data.csv")
	events := filepath.Join(t.TempDir(), "events.jsonl")
	status, _, errs := tributary(t, "", nil, "import", "--mapping=testdata/july2018.mapping.yaml", "--out", events, data)
	if status != done {
		t.Fatalf("status %d, %q", status, errs)
	}

	status, out, errs := tributary(t, "", nil, "attribute", "--quiet", "--config=testdata/july2018.yaml", events)
	if status != done {
		t.Fatalf("status %d, %q", status, errs)
	}
	got := map[string]map[string]float64{}
	conversions := 0
	for line := range strings.Lines(out) {
		a, err := schemas.DecodeAttribution([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		conversions++
		var record struct {
			Touches []struct {
				Channel string
				Credit  map[string]struct{ Share float64 }
			}
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%s: %v", a.ConversionID, err)
		}
		for _, touch := range record.Touches {
			for model, credit := range touch.Credit {
				if got[model] == nil {
					got[model] = map[string]float64{}
				}
				got[model][touch.Channel] += credit.Share
			}
		}
	}
	if conversions != 1838 {
		t.Errorf("%d conversions, want 1838", conversions)
	}
	channels := []string{"Facebook", "Instagram", "Online Display", "Online Video", "Paid Search"}
	for model, want := range map[string][]float64{
		"first_touch": {569, 226, 220, 222, 601},
		"last_touch":  {561, 237, 233, 350, 457},
		"linear":      {532.2776, 234.6260, 210.0265, 309.5611, 551.5088},
	} {
		for i, channel := range channels {
			if math.Abs(got[model][channel]-want[i]) > 1e-4 {
				t.Errorf("%s, %s: %.4f, want %.4f", model, channel, got[model][channel], want[i])
			}
		}
	}
}
