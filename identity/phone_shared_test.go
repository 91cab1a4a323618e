package identity

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"testing"

	"tributary/schemas"
	"tributary/schemas/shareddata"
)

// TestGoogleParseAssertions reads the numbers of libphonenumber's own parse tests. Those tests only parse; we also ask
// whether the country has the number, which it has not for the four that are named here.
func TestGoogleParseAssertions(t *testing.T) {
	text, err := os.ReadFile(shareddata.Path(t, "phone_numbers/google_parse_assertions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var assertions []struct {
		Raw    string `json:"raw"`
		Region string `json:"region"`
		E164   string `json:"expected_e164"`
	}
	if err := json.Unmarshal(text, &assertions); err != nil {
		t.Fatal(err)
	}
	// 1-800 and eight digits, one more than the United States have: a vanity number, which dials although its last digit
	// is ignored. It names nobody, so being dropped does no harm.
	tooLong := map[string]bool{"1800 six-flags": true, "1800 SIX FLAGS": true, "(1800) 7493.5247": true, "0~0 1800 7493 5247": true}
	kept, dropped := 0, 0
	for _, a := range assertions {
		region := a.Region
		if region == international {
			region = "" // the settings' word for it
		}
		n := mustNormalizer(t, Rules{DefaultRegion: region})
		got := verdictOf(n.Normal(schemas.Identifier{Type: "phone", Value: a.Raw}))
		want := "kept " + a.E164
		if tooLong[a.Raw] {
			want = "invalid"
			dropped++
		} else {
			kept++
		}
		if got != want {
			t.Errorf("%q in %s: %s, want %s", a.Raw, a.Region, got, want)
		}
	}
	if kept != 39 || dropped != 4 {
		t.Errorf("%d kept and %d dropped, want 39 and 4", kept, dropped)
	}
}

// TestGoogleExampleNumbers reads libphonenumber's example of every kind of number of every region: with its country code
// where no region is set, and as people of the region write it. Networks that belong to no country ("001") have no such
// way of writing.
func TestGoogleExampleNumbers(t *testing.T) {
	f, err := os.Open(shareddata.Path(t, "phone_numbers/google_example_numbers.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	anywhere := mustNormalizer(t, Rules{})
	regions := map[string]*Normalizer{}
	for _, row := range rows[1:] {
		region, national := row[0], row[3]
		e164 := "+" + row[1] + national
		if got := verdictOf(anywhere.Normal(schemas.Identifier{Type: "phone", Value: e164})); got != "kept "+e164 {
			t.Errorf("%s %s: %s, want kept", row[2], e164, got)
		}
		if region == "001" {
			continue
		}
		if regions[region] == nil {
			regions[region] = mustNormalizer(t, Rules{DefaultRegion: region})
		}
		if got := verdictOf(regions[region].Normal(schemas.Identifier{Type: "phone", Value: national})); got != "kept "+e164 {
			t.Errorf("%s %s in %s: %s, want kept %s", row[2], national, region, got, e164)
		}
	}
	if len(rows) != 1145 {
		t.Errorf("%d rows, want 1144 numbers and a heading", len(rows))
	}
}
