package journey

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
)

var rewrite = flag.Bool("rewrite", false, "write the answers of the scenarios in testdata as they come out now")

// TestScenarios plays the files of testdata. README.md there says how to read them.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	line := 1
	for _, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		question, want, found := strings.Cut(block, "\n----\n")
		if !found {
			t.Fatalf("%s:%d: a scenario without ----", file, line)
		}
		s, err := parseScenario(question)
		if err != nil {
			t.Fatalf("%s:%d: %v", file, line, err)
		}
		got := s.play(t)
		if got != want && !*rewrite {
			t.Errorf("%s:%d:\n%s\n----\ngot:\n%s\nwant:\n%s", file, line, question, got, want)
		}
		out = append(out, question+"\n----\n"+got)
		line += strings.Count(block, "\n") + 2
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type scenario struct {
	journeyCase
	said map[string]string // event id to its time as the file has it
}

func (s *scenario) play(t *testing.T) string {
	paths := s.rules.Paths(s.touches, s.conversions, nil)
	if got, want := flatten(paths), flatten(naivePaths(s.rules, s.touches, s.conversions)); !reflect.DeepEqual(got, want) {
		t.Errorf("the naive twin disagrees:\n got %+v\ntwin %+v", got, want)
	}
	touches := slices.Concat(s.touches, s.touches)
	slices.Reverse(touches)
	conversions := slices.Clone(s.conversions)
	slices.Reverse(conversions)
	if got, want := flatten(s.rules.Paths(touches, conversions, nil)), flatten(paths); !reflect.DeepEqual(got, want) {
		t.Errorf("backwards and twice:\n got %+v\nwant %+v", got, want)
	}

	var lines []string
	for _, p := range paths {
		lines = append(lines, s.print(p)...)
	}
	return strings.Join(lines, "\n")
}

func (s *scenario) print(p Path) []string {
	head := p.Conversion.Name + " "
	if p.Conversion.ID != p.Conversion.EventID {
		head += p.Conversion.ID + " "
	}
	head += s.said[p.Conversion.EventID] + ": "
	if p.Verdict != Counted {
		return []string{head + p.Verdict.String()}
	}
	if p.Summary == (Summary{}) {
		return []string{head + "no touch"}
	}
	first := ""
	for _, t := range s.touches {
		if t.At == p.Summary.FirstTouchAt {
			first = s.said[t.EventID]
		}
	}
	lines := []string{fmt.Sprintf("%s%s in %s from %s", head, count(p.Summary.Touches, "touch", "touches"),
		count(p.Summary.Sessions, "session", "sessions"), first)}
	for i, step := range p.Touches {
		word := step.Touch.Channel + " " + s.said[step.Touch.EventID]
		if i > 0 && p.Touches[i-1].Session == step.Session {
			lines[len(lines)-1] += ", " + word
		} else {
			lines = append(lines, fmt.Sprintf("  session %d: %s", step.Session, word))
		}
	}
	return lines
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func parseScenario(text string) (*scenario, error) {
	s := &scenario{journeyCase{rules: Defaults()}, map[string]string{}}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.parseLine(line, fmt.Sprintf("line%03d", i)); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	return s, s.rules.Validate()
}

func (s *scenario) parseLine(line, id string) error {
	l := parseWords(line)
	switch l.verb {
	case "sessions":
		l.duration("timeout", &s.rules.SessionTimeout)
		l.text("rules", &s.rules.SessionRules)
		if zone, ok := l.take("timezone"); ok {
			s.rules.Timezone, l.err = time.LoadLocation(zone)
		}
	case "touch_unit":
		s.rules.TouchUnit = l.bare()
	case "lookback":
		l.duration("default", &s.rules.Lookback.Default)
		for kind := range maps.Clone(l.named) {
			var d time.Duration
			l.duration(kind, &d)
			if s.rules.Lookback.ByKind == nil {
				s.rules.Lookback.ByKind = map[string]time.Duration{}
			}
			s.rules.Lookback.ByKind[kind] = d
		}
	case "conversion":
		var rule ConversionRule
		name := l.bare()
		l.text("occurrence", &rule.Occurrence)
		l.duration("lookback", &rule.Lookback)
		if reset, ok := l.take("reset"); ok {
			rule.Reset = reset == "true"
		}
		if s.rules.Conversions == nil {
			s.rules.Conversions = map[string]ConversionRule{}
		}
		s.rules.Conversions[name] = rule
	case "touch", "activity":
		l.text("event", &id)
		at := s.time(l, id)
		s.touches = append(s.touches, l.touch(id, at, l.verb == "activity"))
	default:
		l.text("event", &id)
		s.conversion(l, id)
	}
	return l.rest()
}

func (s *scenario) conversion(l *words, event string) {
	c := Conversion{ID: event, EventID: event, Name: l.verb, At: s.time(l, event)}
	l.text("id", &c.ID)
	c.Value = l.minor(l.bare())
	c.Net = c.Value
	c.Currency = l.bare()
	if refund, ok := l.take("refunded"); ok {
		c.Net = max(0, c.Value-l.minor(refund))
		c.Refunded = c.Value > 0 && c.Net == 0
	}
	s.conversions = append(s.conversions, c)
	if len(l.plain) > 0 {
		s.touches = append(s.touches, l.touch(event, c.At, false))
	}
}

// time reads t=, a time of 1 March 2026 or a date and time, in the scenario's time zone if it says no other.
func (s *scenario) time(l *words, event string) schemas.Millis {
	said, _ := l.take("t")
	s.said[event] = said
	full := said
	if !strings.Contains(said, "T") {
		full = "2026-03-01T" + said
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00"} {
		if at, err := time.ParseInLocation(layout, full, s.rules.Timezone); err == nil {
			return schemas.MillisOf(at)
		}
	}
	l.err = errors.Join(l.err, fmt.Errorf("t=%s: not a time", said))
	return 0
}

// words is one line of a scenario: a verb, plain words and name=value words. What is read is taken off.
type words struct {
	line  string
	verb  string
	plain []string
	named map[string]string
	err   error
}

func parseWords(line string) *words {
	fields := strings.Fields(line)
	l := &words{line: line, verb: fields[0], named: map[string]string{}}
	for _, f := range fields[1:] {
		if name, value, ok := strings.Cut(f, "="); ok {
			l.named[name] = value
		} else {
			l.plain = append(l.plain, f)
		}
	}
	return l
}

func (l *words) bare() string {
	if len(l.plain) == 0 {
		l.err = errors.Join(l.err, errors.New("a word is missing"))
		return ""
	}
	word := l.plain[0]
	l.plain = l.plain[1:]
	return word
}

func (l *words) take(name string) (string, bool) {
	value, ok := l.named[name]
	delete(l.named, name)
	return value, ok
}

func (l *words) text(name string, to *string) {
	if value, ok := l.take(name); ok {
		*to = value
	}
}

func (l *words) duration(name string, to *time.Duration) {
	value, ok := l.take(name)
	if !ok {
		return
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		n, err := strconv.Atoi(days)
		*to, l.err = time.Duration(n)*24*time.Hour, errors.Join(l.err, err)
		return
	}
	d, err := time.ParseDuration(value)
	*to, l.err = d, errors.Join(l.err, err)
}

func (l *words) minor(amount string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(amount, ".", ""), 10, 64)
	l.err = errors.Join(l.err, err)
	return n
}

func (l *words) touch(id string, at schemas.Millis, activity bool) Touch {
	t := Touch{EventID: id, At: at, Activity: activity, Content: bytes.Clone([]byte(l.line))}
	if activity {
		return t
	}
	t.Kind, t.Channel = l.bare(), Direct
	for name, to := range map[string]*string{"channel": &t.Channel, "source": &t.Source, "medium": &t.Medium,
		"campaign": &t.Campaign, "campaign_id": &t.CampaignID, "ad_id": &t.AdID, "creative": &t.Creative,
		"keyword": &t.Keyword, "placement": &t.Placement} {
		l.text(name, to)
	}
	return t
}

func (l *words) rest() error {
	if len(l.plain)+len(l.named) > 0 {
		l.err = errors.Join(l.err, fmt.Errorf("words not understood: %v %v", l.plain, l.named))
	}
	return l.err
}
