package yamldoc

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

type upper string

func (u *upper) UnmarshalText(text []byte) error {
	if strings.ToUpper(string(text)) != string(text) {
		return errors.New("must be upper case")
	}
	*u = upper(text)
	return nil
}

type shop struct {
	Name    string             `yaml:"name"`
	Open    bool               `yaml:"open"`
	Floors  int                `yaml:"floors"`
	Share   float64            `yaml:"share"`
	Wait    time.Duration      `yaml:"wait"`
	Words   []string           `yaml:"words"`
	Country upper              `yaml:"country"`
	Till    till               `yaml:"till"`
	Tills   []till             `yaml:"tills"`
	ByName  map[string]till    `yaml:"by_name"`
	Limits  map[string]float64 `yaml:"limits"`
	hidden  int
}

type till struct {
	Kind  string        `yaml:"kind"`
	Wait  time.Duration `yaml:"wait"`
	Codes []upper       `yaml:"codes"`
}

func (t *till) SetDefaults() { t.Kind = "cash" }

func TestDecode(t *testing.T) {
	text := `
name: 2024            # numbers are text where text is wanted
open: true
floors: 3
share: 0.25
wait: 1d12h
words: one
country: DE
till: {wait: 50ms}
tills:
  - {wait: 1m, codes: [A, B]}
  - kind: card
    codes: C
by_name:
  north: {}
  south: &south {kind: card, wait: 7d}
  east: *south
limits: {a: 1, b: 2.5}
`
	var got shop
	got.Words = []string{"default", "words"}
	got.Till.Kind = "kept"
	doc, err := Decode("shop.yaml", []byte(text), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := shop{Name: "2024", Open: true, Floors: 3, Share: 0.25, Wait: 36 * time.Hour, Words: []string{"one"}, Country: "DE",
		Till:  till{Kind: "kept", Wait: 50 * time.Millisecond},
		Tills: []till{{"cash", time.Minute, []upper{"A", "B"}}, {"card", 0, []upper{"C"}}},
		ByName: map[string]till{"north": {Kind: "cash"}, "south": {Kind: "card", Wait: 7 * Day},
			"east": {Kind: "card", Wait: 7 * Day}},
		Limits: map[string]float64{"a": 1, "b": 2.5}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for path, place := range map[string]string{"name": "shop.yaml:2", "till.wait": "shop.yaml:9", "tills[1].kind": "shop.yaml:12",
		"by_name.south.wait": "shop.yaml:16", "till.kind": ""} {
		if doc.Place(path) != place {
			t.Errorf("Place(%q) = %q, want %q", path, doc.Place(path), place)
		}
	}
	fault := doc.Fault("tills[1].wait", "is missing")
	if fault.Line != 12 || fault.Path != "tills[1].wait" {
		t.Errorf("a fault of an absent value stands at %d:%d, want the line of its list entry", fault.Line, fault.Column)
	}
}

func TestEmptyDocumentsChangeNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n"} {
		got := shop{Name: "kept"}
		if _, err := Decode("shop.yaml", []byte(text), &got); err != nil || got.Name != "kept" {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// Each case is a document and the whole text of the error.
var faultCases = []struct{ name, text, want string }{
	{"every fault at once, in order of the text", `name: [a]
opne: true
floors: three
till:
  wait: 5
  knd: card
tills: [{codes: [A, b]}]
name: again
`, `shop.yaml:1:7: name: must be text
  1 | name: [
    |       ^
shop.yaml:2:1: unknown key "opne", did you mean "open"?
  2 | opne
    | ^
shop.yaml:3:9: floors: must be a whole number
  3 | floors: three
    |         ^
shop.yaml:5:9: till.wait: must be a duration such as 50ms, 30m, 12h or 7d
  5 |   wait: 5
    |         ^
shop.yaml:6:3: till: unknown key "knd", did you mean "kind"?
  6 |   knd
    |   ^
shop.yaml:7:21: tills[0].codes[1]: must be upper case
  7 | tills: [{codes: [A, b
    |                     ^
shop.yaml:8:1: key "name" is given twice
  8 | name
    | ^`},
	{"a secret in the wrong place is not repeated", `till: {password: hunter2, wait: x}
`, `shop.yaml:1:8: till: unknown key "password"
  1 | till: {password
    |        ^
shop.yaml:1:33: till.wait: must be a duration such as 50ms, 30m, 12h or 7d
  1 | till: {password: *******, wait: x
    |                                 ^`},
	{"syntax", "name: [a\nopen: true\n", `shop.yaml:2:1: ',' or ']' must be specified
  2 | open
    | ^`},
	{"not a mapping", "just words", `shop.yaml:1:1: must be a mapping, key: value
  1 | just words
    | ^`},
	{"a list where a mapping is wanted", "till: [1]", `shop.yaml:1:7: till: must be a mapping, key: value
  1 | till: [
    |       ^`},
	{"a mapping where a list is wanted", "tills: {kind: x}", `shop.yaml:1:8: tills: must be a list
  1 | tills: {
    |        ^`},
	{"no value", "floors:\nwords:\n", `shop.yaml:1:1: floors: must be a whole number
  1 | floors
    | ^
shop.yaml:2:1: words: must be a list
  2 | words
    | ^`},
	{"a quoted number", `floors: "3"`, `shop.yaml:1:9: floors: must be a whole number
  1 | floors: "3"
    |         ^`},
	{"no number", "share: .nan\nfloors: 99999999999999999999\n", `shop.yaml:1:8: share: must be a number
  1 | share: .nan
    |        ^
shop.yaml:2:9: floors: must be a whole number
  2 | floors: 99999999999999999999
    |         ^`},
	{"tag", "name: !!str x", `shop.yaml:1:7: name: tags are not supported
  1 | name: !!str
    |       ^`},
	{"merge key", "till:\n  <<: {kind: x}\n", `shop.yaml:2:3: till: a key must be plain text
  2 |   <<
    |   ^`},
	{"unknown alias", "till: *t", `shop.yaml:1:7: till: no anchor of this name stands above
  1 | till: *
    |       ^`},
	{"two documents", "name: a\n---\nname: b\n", `shop.yaml:3:1: more than one document`},
	{"not UTF-8", "name: \xff\n", `shop.yaml: not valid UTF-8`},
	{"too large", strings.Repeat("#", MaxBytes+1), `shop.yaml: 262145 bytes, more than 262144`},
}

func TestFaults(t *testing.T) {
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			var s shop
			_, err := Decode("shop.yaml", []byte(c.text), &s)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// Many aliases of many aliases would grow without end if each were expanded.
func TestAliasesAreCounted(t *testing.T) {
	var b strings.Builder
	b.WriteString("words: &w [" + strings.Repeat("x,", 999) + "x]\nby_name:\n")
	for i := range 200 {
		fmt.Fprintf(&b, "  n%d: {codes: *w}\n", i)
	}
	text := strings.ReplaceAll(b.String(), "x", "X")
	var s shop
	_, err := Decode("shop.yaml", []byte(text), &s)
	if err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
		t.Errorf("error is %.200v", err)
	}
}

func TestFaultsAreCapped(t *testing.T) {
	var s shop
	_, err := Decode("shop.yaml", []byte("limits: {"+strings.Repeat("a: x, ", 5000)+"}"), &s)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != maxFaults+1 {
		t.Errorf("%d faults, want %d and one that says that more follow", len(faults), maxFaults)
	}
}

func TestSet(t *testing.T) {
	cases := []struct{ path, text, want string }{
		{"name", "a, b: {c}", "Name:a, b: {c} "},
		{"open", "true", "Open:true"},
		{"floors", "7", "Floors:7"},
		{"wait", "90m", "Wait:1h30m0s"},
		{"words", "a, b", "Words:[a b]"},
		{"words", "", "Words:[]"},
		{"words", `["a, b", c]`, "Words:[a, b c]"},
		{"till.kind", "card", "Till:{Kind:card"},
		{"tills", "[{wait: 1m}]", "Tills:[{Kind:cash Wait:1m0s"},
		{"by_name.east.wait", "1s", "east:{Kind:cash Wait:1s"},
		{"by_name.north.wait", "1s", "north:{Kind:old Wait:1s"},
		{"limits", "{a: 2}", "Limits:map[a:2]"},
		{"limits.b", "2", "Limits:map[b:2]"},
		{"floor", "1", `error: unknown key "floor", did you mean "floors"?`},
		{"till.kin", "1", `error: unknown key "till.kin", did you mean "kind"?`},
		{"floors.x", "1", `error: "floors" has no keys of its own`},
		{"floors", "many", `error: must be a whole number`},
		{"tills", "[{wait: x}]", `error: [0].wait: must be a duration such as 50ms, 30m, 12h or 7d`},
		{"tills", "", `error: must be a list`},
		{"limits", "{", `error: `},
		{"country", "de", `error: must be upper case`},
	}
	for _, c := range cases {
		north := map[string]till{"north": {Kind: "old"}}
		s := shop{ByName: north}
		got := ""
		if err := Set(&s, c.path, c.text); err != nil {
			got = "error: " + err.Error()
		} else {
			got = fmt.Sprintf("%+v", s)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("Set(%q, %q) gives %s, want %s", c.path, c.text, got, c.want)
		}
		if north["north"].Wait != 0 {
			t.Errorf("Set(%q) changed a map that it did not own", c.path)
		}
	}
}

func TestWalkAndPatterns(t *testing.T) {
	s := shop{Tills: []till{{}, {}}, ByName: map[string]till{"b": {}, "a": {}}}
	var paths, seen []string
	Walk(&s, func(l Leaf) {
		paths = append(paths, l.Path)
		seen = append(seen, l.Pattern)
	})
	want := "name open floors share wait words country till.kind till.wait till.codes " +
		"tills[0].kind tills[0].wait tills[0].codes tills[1].kind tills[1].wait tills[1].codes " +
		"by_name.a.kind by_name.a.wait by_name.a.codes by_name.b.kind by_name.b.wait by_name.b.codes limits"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("paths\ngot  %s\nwant %s", got, want)
	}
	want = "name open floors share wait words country till.kind till.wait till.codes " +
		"tills[].kind tills[].wait tills[].codes by_name.*.kind by_name.*.wait by_name.*.codes limits.*"
	if got := strings.Join(Patterns(&s), " "); got != want {
		t.Errorf("patterns\ngot  %s\nwant %s", got, want)
	}
	if seen[10] != "tills[].kind" {
		t.Errorf("pattern of %s is %s", paths[10], seen[10])
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"50ms": 50 * time.Millisecond, "30m": 30 * time.Minute, "7d": 7 * Day, "400d": 400 * Day, "1d12h": 36 * time.Hour,
		"1h30m": 90 * time.Minute, "0s": 0, "0d": 0, "1d1ms": Day + time.Millisecond, "-5m": -5 * time.Minute, "106751d": 106751 * Day,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
		if back, err := ParseDuration(FormatDuration(want)); err != nil || back != want {
			t.Errorf("%v is written %q, which is %v, %v", want, FormatDuration(want), back, err)
		}
	}
	for _, text := range []string{"", "0", "5", "d", "5 d", "1.5d", "-1d", "1d-2h", "1d+2h", "12h1d", "5y", "106752d", "106751d24h", "99999999999999999999d"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q is accepted as %v", text, d)
		}
	}
	for d, want := range map[time.Duration]string{30 * Day: "30d", 36 * time.Hour: "1d12h", 90 * time.Minute: "1h30m", 0: "0s",
		time.Hour: "1h", 1500 * time.Millisecond: "1.5s", 10 * time.Minute: "10m", 20 * time.Second: "20s", time.Hour + 30*time.Second: "1h0m30s"} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v is written %q, want %q", int64(d), got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range faultCases {
		f.Add(c.text[:min(len(c.text), 200)])
	}
	f.Add("a: &a [*a]\nb: {? x : y}\n- c\n|\n  text\n")
	f.Fuzz(func(t *testing.T, text string) {
		var s shop
		doc, err := Decode("shop.yaml", []byte(text), &s)
		if doc == nil {
			t.Fatal("no document")
		}
		if err != nil {
			_ = err.Error()
			return
		}
		Walk(&s, func(l Leaf) { doc.Place(l.Path) })
	})
}
