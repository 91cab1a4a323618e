package channels

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"tributary/schemas"
	"tributary/stream/yamldoc"
)

var word = regexp.MustCompile(`(\w+)=("[^"]*"|\S+)`)

func parseTouch(t testing.TB, text string) schemas.Touch {
	var touch schemas.Touch
	fields := map[string]*string{"source": &touch.Source, "medium": &touch.Medium, "campaign": &touch.Campaign,
		"referrer": &touch.Referrer, "click_id": &touch.ClickID, "kind": &touch.Kind}
	for _, m := range word.FindAllStringSubmatch(text, -1) {
		field, ok := fields[m[1]]
		if !ok {
			t.Fatalf("%q: no touch has a %s", text, m[1])
		}
		*field = strings.Trim(m[2], `"`)
	}
	return touch
}

func TestStandard(t *testing.T) {
	mapping, err := New(Standard())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("testdata/standard.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cases := 0
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		says, want, ok := strings.Cut(line, "=> ")
		if !ok {
			t.Fatalf("testdata/standard.txt:%d: no => in it", number)
		}
		touch := parseTouch(t, says)
		if got := mapping.Channel(&touch); got != want {
			t.Errorf("testdata/standard.txt:%d: %s is %s, want %s", number, says, got, want)
		}
		cases++
	}
	if cases < 60 {
		t.Errorf("only %d cases were read", cases)
	}
}

func rulesOf(t testing.TB, text string) []Rule {
	var file struct {
		Rules []Rule `yaml:"rules"`
	}
	if _, err := yamldoc.Decode("rules.yaml", []byte(text), &file); err != nil {
		t.Fatal(err)
	}
	return file.Rules
}

func TestFirstMatchWins(t *testing.T) {
	mapping, err := New(rulesOf(t, `rules:
- {channel: brand, when: {medium: cpc, campaign: ["brand*", "/marke(n)?name/"]}}
- {channel: search, when: {medium: [cpc, ppc]}}
- {channel: own, when: {referrer_host: shop.example.com}}
- {channel: tagged, when: {source: "*", medium: ""}}
- {channel: year, when: {campaign: 2024}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for says, want := range map[string]string{
		"medium=cpc campaign=Brand-DE":               "brand",
		"medium=CPC campaign=2024-Markenname":        "brand",
		"medium=cpc campaign=spring":                 "search",
		"medium=ppc campaign=brand":                  "search",
		"referrer=https://pay.shop.example.com/done": "own",
		"referrer=https://myshop.example.com/":       "direct",
		"source=flyer":                               "tagged",
		"source=flyer medium=print":                  "direct",
		"campaign=2024":                              "year",
		"":                                           "direct",
	} {
		touch := parseTouch(t, says)
		if got := mapping.Channel(&touch); got != want {
			t.Errorf("%q is %s, want %s", says, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	_, err := New([]Rule{{}, {Channel: " x", When: When{Source: Patterns{{}}}}, {Channel: "ok"}, {Channel: strings.Repeat("x", 65)}})
	want := `rule 1: channel "": must be 1 to 64 bytes without spaces at its ends
rule 2: channel " x": must be 1 to 64 bytes without spaces at its ends
rule 3: when: must have a condition; what no rule matches is direct anyway
rule 4: channel "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": must be 1 to 64 bytes without spaces at its ends`
	if fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	for text, want := range map[string]string{
		"/(/":                     "not a regular expression: missing closing ): (?i:()",
		"/[z-a]/":                 "not a regular expression: invalid character class range: z-a",
		strings.Repeat("x", 1025): "must be at most 1024 bytes",
	} {
		if _, err := ParsePattern(text); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

// The naive twin tries every way to cut the value.
func naiveGlob(glob, value string) bool {
	if glob == "" {
		return value == ""
	}
	if glob[0] != '*' {
		return value != "" && glob[0] == value[0] && naiveGlob(glob[1:], value[1:])
	}
	for cut := 0; cut <= len(value); cut++ {
		if naiveGlob(glob[1:], value[cut:]) {
			return true
		}
	}
	return false
}

func TestGlobsAgainstNaive(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	text := func(alphabet string) string {
		b := make([]byte, r.IntN(9))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	matched := 0
	for range 100_000 {
		glob, value := text("ab**"), text("ab")
		got, want := globMatches(glob, value), naiveGlob(glob, value)
		if got != want {
			t.Fatalf("glob %q, value %q: %v, want %v", glob, value, got, want)
		}
		if got {
			matched++
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matched", matched)
	}
}

func FuzzHostOf(f *testing.F) {
	for _, referrer := range []string{"https://user:pw@www.Example.com.:443/a?b#c", "//x.y", "[::1]:80", "a@b:c", "android-app://com.x/", "http://[::1]/"} {
		f.Add(referrer)
	}
	f.Fuzz(func(t *testing.T, referrer string) {
		host := hostOf(referrer)
		if strings.ContainsAny(host, "/?#@") {
			t.Errorf("host of %q is %q", referrer, host)
		}
	})
}

func BenchmarkStandard(b *testing.B) {
	mapping, err := New(Standard())
	if err != nil {
		b.Fatal(err)
	}
	for _, says := range []string{"kind=visit", "source=google medium=cpc campaign=spring", "referrer=https://blog.example.com/ten-best-shoes"} {
		touch := parseTouch(b, says)
		b.Run(mapping.Channel(&touch), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mapping.Channel(&touch)
			}
		})
	}
}
