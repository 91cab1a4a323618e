package scoring

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
	"tributary/schemas/shareddata"
)

// The data of these tests is published by other projects. It is read from where it lies, beside the repository or where
// TRIBUTARY_SHARED/data says, and is no part of it.

// totals are credits by channel, exact.
type totals map[string]*big.Rat

// add credits times conversions over the touches of a path whose channels are given, one touch a day.
func (sum totals) add(t *testing.T, m Model, channels []string, times *big.Rat) {
	t.Helper()
	p := Path{ConvertedAt: 400 * millisPerDay}
	for i, channel := range channels {
		at := p.ConvertedAt - schemas.Millis(len(channels)-1-i)*millisPerDay
		p.Touches = append(p.Touches, Touchpoint{At: at, Channel: channel})
	}
	for i, share := range exactShares(m.Weights(p, nil)) {
		if sum[channels[i]] == nil {
			sum[channels[i]] = new(big.Rat)
		}
		sum[channels[i]].Add(sum[channels[i]], share.Mul(share, times))
	}
}

// check compares with another project's totals, which are floats; tolerance is absolute. Channels that it does not name
// must have nothing.
func (sum totals) check(t *testing.T, want map[string]float64, tolerance func(want float64) float64) {
	t.Helper()
	for channel := range sum {
		if _, ok := want[channel]; !ok && sum[channel].Sign() != 0 {
			t.Errorf("%s: got %s, want nothing", channel, sum[channel].FloatString(6))
		}
	}
	for channel, w := range want {
		got := 0.0
		if sum[channel] != nil {
			got, _ = sum[channel].Float64()
		}
		if off := got - w; off > tolerance(w) || off < -tolerance(w) {
			t.Errorf("%s: got %.12g, want %.12g", channel, got, w)
		}
	}
}

func relative(most float64) func(float64) float64 {
	return func(want float64) float64 { return want * most }
}

// absolute allows at least the last bits of a float.
func absolute(most float64) func(float64) float64 {
	return func(float64) float64 { return max(most, 1e-12) }
}

func channelsOf(path string) []string {
	channels := strings.Split(path, ">")
	for i, channel := range channels {
		channels[i] = strings.TrimSpace(channel)
	}
	return channels
}

// TestPathData credits 10,000 aggregated paths. Consecutive repeats of a channel count as touches of their own, and paths
// without conversions have no credit: so do the three packages whose answers are compared.
func TestPathData(t *testing.T) {
	paths := readPathData(t)
	var expected struct {
		First    map[string]float64 `json:"first_touch"`
		Last     map[string]float64 `json:"last_touch"`
		Linear   map[string]float64 `json:"linear"`
		Position map[string]float64 `json:"position_based_40_20_40"`
		Values   []struct {
			Channel     string  `json:"channel_name"`
			FirstValue  float64 `json:"first_touch_value"`
			LastValue   float64 `json:"last_touch_value"`
			LinearValue float64 `json:"linear_touch_value"`
		} `json:"first_last_linear_value"`
	}
	readJSON(t, shareddata.Path(t, "pathdata/expected.json"), &expected)
	firstValue, lastValue, linearValue := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, v := range expected.Values {
		firstValue[v.Channel], lastValue[v.Channel], linearValue[v.Channel] = v.FirstValue, v.LastValue, v.LinearValue
	}
	for _, c := range []struct {
		model string
		of    string
		want  map[string]float64
	}{
		{"first_touch", "conversions", expected.First},
		{"last_touch", "conversions", expected.Last},
		{"linear", "conversions", expected.Linear},
		{"position_based", "conversions", expected.Position},
		{"first_touch", "value", firstValue},
		{"last_touch", "value", lastValue},
		{"linear", "value", linearValue},
	} {
		t.Run(c.model+" "+c.of, func(t *testing.T) {
			if len(c.want) != 12 {
				t.Fatalf("%d channels expected, want 12", len(c.want))
			}
			m, sum := build(t, Spec{Type: c.model}), totals{}
			for _, p := range paths {
				sum.add(t, m, p.channels, map[string]*big.Rat{"conversions": p.conversions, "value": p.value}[c.of])
			}
			sum.check(t, c.want, relative(1e-9))
		})
	}
}

type aggregatedPath struct {
	channels           []string
	conversions, value *big.Rat
}

func readPathData(t *testing.T) []aggregatedPath {
	t.Helper()
	file, err := os.Open(shareddata.Path(t, "pathdata/PathData.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if header := strings.Join(rows[0], ","); header != "path,total_conversions,total_conversion_value,total_null" {
		t.Fatalf("unknown columns %s", header)
	}
	var paths []aggregatedPath
	for _, row := range rows[1:] {
		conversions, ok1 := new(big.Rat).SetString(row[1])
		value, ok2 := new(big.Rat).SetString(row[2])
		if !ok1 || !ok2 {
			t.Fatalf("row %q", row)
		}
		paths = append(paths, aggregatedPath{channelsOf(row[0]), conversions, value})
	}
	if len(paths) != 10_000 {
		t.Fatalf("%d paths, want 10000", len(paths))
	}
	return paths
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// peerCase is one case of another project's tests.
type peerCase struct {
	Model string
	Input struct {
		Paths []struct {
			Path        string
			Conversions int64
		}
		Journeys     [][]int
		Converted    []int
		Touches      []string
		DaysBefore   []int          `json:"touch_days_before_conversion"`
		UnsortedDays map[string]int `json:"touches_unsorted_days_before"`
		Dataset      string
	}
	Config struct {
		First, Last float64
		HalfLife    int `json:"half_life_days"`
	}
	Expected  json.RawMessage
	Tolerance float64
}

// Models of the cases that are no rule models: other parts of the project answer them.
var notRules = []string{"shapley", "markov_attribution", "markov_transition_matrix", "path_transform"}

// TestPeerVectors plays the cases of three other projects. "linear" of eeghor/mta shares among distinct channels, ours
// among touches: the same in its case, where no channel repeats; its "linear_per_touch" is ours. Shares of 40 and 30:70
// percent are written as decimals. Touches that a case gives out of order are sorted here, as paths are in ours.
func TestPeerVectors(t *testing.T) {
	var cases []peerCase
	readJSON(t, shareddata.Path(t, "peer_vectors/vectors.json"), &cases)
	played := 0
	for i, c := range cases {
		if slices.Contains(notRules, c.Model) || c.Input.Dataset != "" {
			continue // a data set of events, not of touches: that is for the rules of journeys
		}
		t.Run(fmt.Sprintf("%d %s", i, c.Model), c.play)
		played++
	}
	if played != 18 {
		t.Errorf("%d cases played, want 18", played)
	}
}

func (c peerCase) spec(t *testing.T) Spec {
	s := Spec{Type: c.Model, HalfLife: time.Duration(c.Config.HalfLife) * 24 * time.Hour}
	switch c.Model {
	case "linear_per_touch":
		s.Type = "linear"
	case "position_based_40_20_40":
		s.Type = "position_based"
	case "position_based":
		s.First, s.Last = decimal(c.Config.First), decimal(c.Config.Last)
	}
	return s
}

// decimal is a share that may be given in percent.
func decimal(x float64) string {
	if x > 1 {
		x /= 100
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func (c peerCase) play(t *testing.T) {
	m, sum := build(t, c.spec(t)), totals{}
	one := big.NewRat(1, 1)
	in := c.Input
	for _, p := range in.Paths {
		sum.add(t, m, channelsOf(p.Path), big.NewRat(p.Conversions, 1))
	}
	for i, journey := range in.Journeys {
		if in.Converted != nil && in.Converted[i] == 0 {
			continue
		}
		var channels []string
		for _, channel := range journey {
			channels = append(channels, strconv.Itoa(channel))
		}
		sum.add(t, m, channels, one)
	}
	if in.UnsortedDays != nil {
		var channels []string
		for channel := range in.UnsortedDays {
			channels = append(channels, channel)
		}
		sort.Slice(channels, func(i, j int) bool { return in.UnsortedDays[channels[i]] > in.UnsortedDays[channels[j]] })
		sum.add(t, m, channels, one)
	}
	if in.Touches == nil && in.DaysBefore == nil {
		var want map[string]float64
		if err := json.Unmarshal(c.Expected, &want); err != nil {
			t.Fatal(err)
		}
		sum.check(t, want, absolute(c.Tolerance))
		return
	}
	c.playList(t, m)
}

// playList compares shares touch by touch.
func (c peerCase) playList(t *testing.T, m Model) {
	var want []float64
	if err := json.Unmarshal(c.Expected, &want); err != nil {
		t.Fatal(err)
	}
	p := Path{ConvertedAt: 400 * millisPerDay}
	for i := range want {
		touch := Touchpoint{At: p.ConvertedAt}
		if c.Input.DaysBefore != nil {
			touch.At -= schemas.Millis(c.Input.DaysBefore[i]) * millisPerDay
		}
		p.Touches = append(p.Touches, touch)
	}
	for i, share := range exactShares(m.Weights(p, nil)) {
		got, _ := share.Float64()
		if off := got - want[i]; off > c.Tolerance || off < -c.Tolerance {
			t.Errorf("touch %d: got %g, want %g", i, got, want[i])
		}
	}
}
