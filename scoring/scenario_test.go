package scoring

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
)

// TestScenarios plays the stories of testdata, whose language testdata/README.md describes.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 1
		for block := range strings.SplitSeq(string(text), "\n\n") {
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(file), line), func(t *testing.T) { playStory(t, block) })
			line += strings.Count(block, "\n") + 2
		}
	}
}

func playStory(t *testing.T, block string) {
	happened, expected, ok := strings.Cut(block, "\n----\n")
	if !ok {
		t.Fatal("no line of dashes")
	}
	s := readStory(t, happened)
	checked := 0
	for line := range strings.Lines(expected) {
		name, want, _ := strings.Cut(strings.TrimSpace(line), ":")
		if got := s.credit(t, name); got != strings.TrimSpace(want) {
			t.Errorf("%s\n got %s\nwant %s", name, got, strings.TrimSpace(want))
		}
		checked++
	}
	if checked == 0 {
		t.Error("expects nothing")
	}
}

// story is one sale and what came before it.
type story struct {
	path  Path
	net   schemas.Money
	specs map[string]Spec
}

func readStory(t *testing.T, text string) story {
	t.Helper()
	s := story{specs: map[string]Spec{}}
	var touches [][]string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "model" && len(words) > 2:
			s.specs[words[1]] = readModel(t, words[1], words[2:])
		case words[0] == "touch" && len(words) == 4:
			touches = append(touches, words[1:])
		case words[0] == "sale" && len(words) >= 3:
			s.readSale(t, words[1:])
		default:
			t.Fatalf("not understood: %s", line)
		}
	}
	for _, words := range touches {
		at := s.when(t, words[0])
		if n := len(s.path.Touches); n > 0 && s.path.Touches[n-1].At > at || at > s.path.ConvertedAt {
			t.Fatalf("touch %v is out of order", words)
		}
		s.path.Touches = append(s.path.Touches, Touchpoint{At: at, Kind: words[1], Channel: words[2]})
	}
	return s
}

func (s *story) readSale(t *testing.T, words []string) {
	t.Helper()
	net, rounded, err := schemas.ParseAmount(words[0], words[1])
	if err != nil || rounded {
		t.Fatalf("sale %v: %v", words, err)
	}
	s.net = net
	at := "2026-03-01T12:00Z"
	if len(words) == 3 {
		at = words[2]
	}
	s.path.ConvertedAt = s.when(t, at)
}

func readModel(t *testing.T, name string, settings []string) Spec {
	t.Helper()
	spec := Spec{Name: name}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		switch key {
		case "type":
			spec.Type = value
		case "half_life":
			spec.HalfLife = span(t, value)
		case "granularity":
			spec.Granularity = value
		case "timezone":
			spec.Timezone = value
		case "first":
			spec.First = value
		case "last":
			spec.Last = value
		default:
			t.Fatalf("model %s: unknown setting %s", name, key)
		}
	}
	return spec
}

// when reads a time, or a time before the sale: -1d12h.
func (s *story) when(t *testing.T, word string) schemas.Millis {
	t.Helper()
	if !strings.Contains(word, "T") {
		return s.path.ConvertedAt.Add(-span(t, strings.TrimPrefix(word, "-")))
	}
	at, err := time.Parse("2006-01-02T15:04Z07:00", word)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.MillisOf(at)
}

// span reads a duration that may begin with days: 7d, 1d12h30m.
func span(t *testing.T, word string) time.Duration {
	t.Helper()
	days, rest, ok := strings.Cut(word, "d")
	if !ok {
		days, rest = "0", word
	}
	n, err := strconv.Atoi(days)
	if err != nil {
		t.Fatal(err)
	}
	if rest == "" {
		rest = "0s"
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n)*24*time.Hour + d
}

// credit is what the named model gives, in the words of the stories.
func (s *story) credit(t *testing.T, name string) string {
	t.Helper()
	spec, ok := s.specs[name]
	if !ok {
		spec = Spec{Type: name}
	}
	var parts []string
	for i, c := range Score([]Named{{name, build(t, spec)}}, s.path, s.net.Minor) {
		value := schemas.Money{Minor: c.Value, Currency: s.net.Currency}
		parts = append(parts, fmt.Sprintf("%s %s %d.%06d", s.path.Touches[i].Channel, value, c.Share/schemas.WholeShare, c.Share%schemas.WholeShare))
	}
	return strings.Join(parts, ", ")
}
