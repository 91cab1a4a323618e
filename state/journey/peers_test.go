package journey

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
	"tributary/schemas/shareddata"
)

// Data sets with answers that others published. They lie beside the repository, in ../shared/data, or where
// TRIBUTARY_SHARED/data says, and are not part of it.

// readTable reads a CSV file with a header; each row maps column to value.
func readTable(t *testing.T, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, column := range rows[0] {
			m[column] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func readTime(t *testing.T, layout, text string) schemas.Millis {
	t.Helper()
	at, err := time.Parse(layout, text)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.MillisOf(at)
}

// Web logs of the SEC cut into sessions by address and inactivity, with answers on which several programs agree. A row
// is address, first request, last request, seconds with both ends included, requests.
func TestPeerEdgarSessions(t *testing.T) {
	dir := shareddata.Path(t, "edgar_sessions")
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Case         string `json:"case"`
		Inactivity   int    `json:"inactivity_seconds"`
		LogFile      string `json:"log_file"`
		ExpectedFile string `json:"expected_file"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 25 {
		t.Fatalf("%d cases, expected at least 25", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Case, func(t *testing.T) {
			got := edgarSessions(t, filepath.Join(dir, c.LogFile), time.Duration(c.Inactivity)*time.Second)
			expected, err := os.ReadFile(filepath.Join(dir, c.ExpectedFile))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(expected), "\r", "")), "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%d sessions, want %d\n got %.300v\nwant %.300v", len(got), len(want), got, want)
			}
		})
	}
}

// edgarSessions makes each request a touch of its address and reads the sessions from the path of a last conversion.
func edgarSessions(t *testing.T, log string, inactivity time.Duration) []string {
	rules := Defaults()
	rules.SessionTimeout = inactivity
	rules.Lookback.Default = 10 * 365 * 24 * time.Hour
	byAddress := map[string][]Touch{}
	for i, row := range readTable(t, log) {
		at := readTime(t, time.DateTime, row["date"]+" "+row["time"])
		touch := Touch{EventID: fmt.Sprintf("%06d", i), At: at, Kind: "visit", Channel: Direct}
		byAddress[row["ip"]] = append(byAddress[row["ip"]], touch)
	}
	var out []string
	for address, touches := range byAddress {
		end := Conversion{ID: "end", EventID: "zzz", Name: "end", At: touches[len(touches)-1].At}
		path := rules.Paths(touches, []Conversion{end}, nil)[0]
		for n := 1; n <= path.Summary.Sessions; n++ {
			in := slices.DeleteFunc(slices.Clone(path.Touches), func(s Step) bool { return s.Session != n })
			first, last := in[0].Touch.At.Time(), in[len(in)-1].Touch.At.Time()
			out = append(out, fmt.Sprintf("%s,%s,%s,%d,%d", address, first.Format(time.DateTime), last.Format(time.DateTime),
				int(last.Sub(first).Seconds())+1, len(in)))
		}
	}
	return out
}

// The demonstration shop of dbt-labs/snowplow: its trackers' session ids are what both campaign rules find from the
// events, among them a visit of forty seconds that a campaign cuts in two.
func TestPeerSnowplowSessions(t *testing.T) {
	dir := shareddata.Path(t, "dbtlabs_snowplow/event")
	rows := append(readTable(t, filepath.Join(dir, "sp_event.csv")), readTable(t, filepath.Join(dir, "sp_event_update.csv"))...)
	word := func(row map[string]string, columns ...string) string {
		for _, c := range columns {
			if w := row[c]; w != "NULL" && w != "internal" {
				return w
			}
		}
		return ""
	}
	touches, session := map[string][]Touch{}, map[string]string{}
	for _, row := range rows {
		touch := Touch{EventID: row["event_id"], At: readTime(t, "2006-01-02 15:04:05.000", row["collector_tstamp"])}
		if touch.Activity = row["event"] == "page_ping"; !touch.Activity {
			touch.Kind, touch.Channel = "visit", Direct
			touch.Source, touch.Medium = word(row, "mkt_source", "refr_source"), word(row, "mkt_medium", "refr_medium")
			touch.Campaign, touch.Keyword, touch.Creative = word(row, "mkt_campaign"), word(row, "mkt_term"), word(row, "mkt_content")
			if touch.Source != "" {
				touch.Channel = touch.Medium
			}
		}
		session[touch.EventID] = row["domain_sessionid"]
		touches[row["domain_userid"]] = append(touches[row["domain_userid"]], touch)
	}
	for _, name := range []string{UA, Matomo} {
		rules := Defaults()
		rules.SessionRules = name
		pairs := 0
		for user, events := range touches {
			order := merged(events)
			s := rules.sessions()
			number := make([]int32, len(order))
			for i, e := range order {
				number[i] = s.next(e.At, e)
			}
			for i, a := range order {
				for j, b := range order {
					if same := session[a.EventID] == session[b.EventID]; same != (number[i] == number[j]) {
						t.Errorf("%s: %s: events at %s and %s in one session: %v, want %v", name, user, a.At, b.At, !same, same)
					}
					pairs++
				}
			}
		}
		if pairs == 0 {
			t.Errorf("%s: nothing was compared", name)
		}
	}
}

// The integration test of snowplow/dbt-snowplow-fractribution: visits with channels, conversions within thirty days.
func TestPeerFractributionPaths(t *testing.T) {
	dir := shareddata.Path(t, "snowplow_fractribution/expected")
	table := func(name string) []map[string]string {
		return readTable(t, filepath.Join(dir, "snowplow_fractribution_"+name+"_expected.csv"))
	}
	touches := map[string][]Touch{}
	for i, row := range table("sessions_by_customer_id") {
		customer := row["customer_id"]
		touches[customer] = append(touches[customer], Touch{EventID: fmt.Sprint(i), Kind: "visit", Channel: row["channel"],
			At: readTime(t, time.DateTime, row["visit_start_tstamp"])})
	}
	got, want := map[string]string{}, map[string]string{}
	for _, row := range table("conversions_by_customer_id") {
		customer := row["customer_id"]
		conversion := Conversion{ID: "c", EventID: "c", Name: "purchase", At: readTime(t, "2006-01-02 15:04:05.000", row["conversion_tstamp"])}
		var channels []string
		for _, step := range Defaults().Paths(touches[customer], []Conversion{conversion}, nil)[0].Touches {
			channels = append(channels, step.Touch.Channel)
		}
		got[customer] = strings.Join(channels, " > ")
	}
	for _, row := range table("paths_to_conversion") {
		want[row["customer_id"]] = row["path"]
	}
	if len(want) != 6 || !maps.Equal(got, want) {
		t.Errorf("paths\n got %v\nwant %v", got, want)
	}
}

// Impressions and conversions of July 2018: every conversion row is the last touch of its journey and ends it. The totals
// by channel are published for first, last and linear.
func TestPeerJuly2018Totals(t *testing.T) {
	rows := readTable(t, shareddata.Path(t, "july2018/attribution_data.csv"))
	rules := Defaults()
	rules.Lookback.Default = 60 * 24 * time.Hour
	rules.Conversions = map[string]ConversionRule{"sale": {Reset: true}}
	touches, conversions := map[string][]Touch{}, map[string][]Conversion{}
	for i, row := range rows {
		customer, id, at := row["customer_id"], fmt.Sprintf("%06d", i), readTime(t, time.RFC3339, row["time"])
		touches[customer] = append(touches[customer], Touch{EventID: id, At: at, Kind: "impression", Channel: row["channel"]})
		if row["conversion"] == "1" {
			conversions[customer] = append(conversions[customer], Conversion{ID: id, EventID: id, Name: "sale", At: at})
		}
	}
	paths := 0
	first, last, linear := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for customer := range conversions {
		for _, p := range rules.Paths(touches[customer], conversions[customer], nil) {
			paths++
			n := len(p.Touches)
			first[p.Touches[0].Touch.Channel]++
			last[p.Touches[n-1].Touch.Channel]++
			for _, step := range p.Touches {
				linear[step.Touch.Channel] += 1 / float64(n)
			}
		}
	}
	if paths != 1838 {
		t.Errorf("%d conversions, want 1838", paths)
	}
	for channel, want := range map[string][3]float64{
		"Facebook":       {569, 561, 532.2776},
		"Instagram":      {226, 237, 234.6260},
		"Online Display": {220, 233, 210.0265},
		"Online Video":   {222, 350, 309.5611},
		"Paid Search":    {601, 457, 551.5088},
	} {
		got := [3]float64{first[channel], last[channel], math.Round(linear[channel]*1e4) / 1e4}
		if got != want {
			t.Errorf("%s: first, last, linear %v, want %v", channel, got, want)
		}
	}
}
