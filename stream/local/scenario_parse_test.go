package local_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
	"tributary/stream/settings"
)

// story is one scenario: what is above its ---- and below.
type story struct {
	file           string
	line           int // where it begins
	question, want string
	settings       *settings.Settings
	events         []arrival // in the written order
	ordered        bool      // no other order is played
	timed          bool      // the input has a watermark
}

// arrival is an event that arrives, as JSON, or what an operator unlinks.
type arrival struct {
	event    []byte
	replayed bool
	unlinked []schemas.Identifier
}

// parseStories reads a file of stories with empty lines between them. Errors name file and line.
func parseStories(file, text string) ([]*story, error) {
	var stories []*story
	var faults []error
	line := 1
	for _, block := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		s := &story{file: file, line: line}
		var found bool
		if s.question, s.want, found = strings.Cut(block, "\n----\n"); !found {
			faults = append(faults, fmt.Errorf("%s:%d: a scenario without ---- and an answer", file, line))
		} else if err := s.parse(); err != nil {
			faults = append(faults, err)
		}
		stories = append(stories, s)
		line += strings.Count(block, "\n") + 2
	}
	return stories, errors.Join(faults...)
}

// defaultModels keep the answers short where a scenario names no models.
const defaultModels = "models: [{type: first_touch}, {type: last_touch}, {type: linear}]"

const settingsWord = "settings "

var blank = strings.Repeat(" ", len(settingsWord))

func (s *story) parse() error {
	// The settings stand in the text where they stand in the file, so that their faults name the right place.
	yaml := make([]string, s.line-1)
	var faults []error
	lines := strings.Split(s.question, "\n")
	for _, line := range lines {
		setting := ""
		if rest, ok := strings.CutPrefix(line, settingsWord); ok {
			setting = blank + rest
		}
		yaml = append(yaml, setting)
	}
	if !slices.ContainsFunc(yaml, func(line string) bool { return strings.HasPrefix(line, blank+"models:") }) {
		yaml = append(yaml, blank+defaultModels)
	}
	loaded, err := settings.Load(settings.Input{File: s.file, Text: []byte(strings.Join(yaml, "\n"))})
	if err != nil {
		return err
	}
	s.settings = &loaded.Settings
	for i, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, settingsWord) {
			continue
		}
		switch line {
		case "timed":
			s.timed = true
			fallthrough
		case "ordered":
			s.ordered = true
			continue
		}
		if names, ok := strings.CutPrefix(line, "unlink "); ok {
			unlinked, err := s.unlinked(names)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s:%d: %w", s.file, s.line+i, err))
			}
			s.events = append(s.events, arrival{unlinked: unlinked})
			continue
		}
		line, replayed := strings.CutPrefix(line, "replay ")
		event, err := s.event(line, len(s.events)+1)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", s.file, s.line+i, err))
		}
		s.events = append(s.events, arrival{event: event, replayed: replayed})
	}
	return errors.Join(faults...)
}

// unlinked are the identifiers of a line.
func (s *story) unlinked(line string) (all []schemas.Identifier, err error) {
	w, err := wordsOf("unlink " + line)
	if err != nil {
		return nil, err
	}
	for typ, values := range w.identifiers(s.settings) {
		for _, value := range values {
			all = append(all, schemas.Identifier{Type: typ, Value: value})
		}
	}
	if len(all) == 0 || len(w.plain)+len(w.named) > 0 {
		return nil, errors.New("only identifiers can be unlinked")
	}
	return all, nil
}

// event is the JSON of an event's line.
func (s *story) event(line string, n int) ([]byte, error) {
	if strings.HasPrefix(line, "{") {
		return []byte(line), nil
	}
	w, err := wordsOf(line)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(schemas.EventTypes, schemas.EventType(w.verb)) {
		return nil, fmt.Errorf("%q is no type of event", w.verb)
	}
	e := map[string]any{"event_id": fmt.Sprintf("e%02d", n), "type": w.verb}
	if id, ok := w.take("event"); ok {
		e["event_id"] = id
	}
	said, _ := w.take("t")
	at, err := timeOf(said)
	if err != nil {
		return nil, err
	}
	e["occurred_at"] = at
	if consent, ok := w.take("consent"); ok {
		e["consent"] = map[string]bool{"attribution": consent == "true"}
	}
	switch schemas.EventType(w.verb) {
	case schemas.TypeTouch:
		e["touch"] = w.touch(w.bare())
	case schemas.TypeConversion:
		e["conversion"] = w.conversion()
		w.ownTouch(e)
	case schemas.TypeCost:
		w.ownTouch(e)
	case schemas.TypeRefund:
		e["refund"] = w.refund()
	}
	if ids := w.identifiers(s.settings); len(ids) > 0 {
		e["identifiers"] = ids
	}
	if len(w.plain)+len(w.named) > 0 {
		return nil, fmt.Errorf("words not understood: %s", strings.Join(append(w.plain, byName(w.named)...), " "))
	}
	return json.Marshal(e)
}

// words is one line of a scenario: a verb, plain words and name=value words. What is read is taken off.
type words struct {
	verb  string
	plain []string
	named map[string][]string
}

// wordsOf splits a line at blanks that are not between quotes.
func wordsOf(line string) (*words, error) {
	quoted := false
	fields := strings.FieldsFunc(line, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ' ' && !quoted
	})
	if quoted {
		return nil, errors.New("a quote that does not end")
	}
	w := &words{verb: fields[0], named: map[string][]string{}}
	for _, f := range fields[1:] {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			w.plain = append(w.plain, strings.ReplaceAll(f, `"`, ""))
			continue
		}
		w.named[name] = append(w.named[name], strings.ReplaceAll(value, `"`, ""))
	}
	return w, nil
}

// bare is the next plain word; empty if there is none.
func (w *words) bare() string {
	if len(w.plain) == 0 {
		return ""
	}
	word := w.plain[0]
	w.plain = w.plain[1:]
	return word
}

func (w *words) take(name string) (string, bool) {
	values, ok := w.named[name]
	if !ok || len(values) > 1 {
		return "", false // said twice: it stays and is not understood
	}
	delete(w.named, name)
	return values[0], true
}

// put moves a word into a part of the event.
func (w *words) put(part map[string]string, name string) {
	if value, ok := w.take(name); ok {
		part[name] = value
	}
}

func (w *words) touch(kind string) map[string]string {
	t := map[string]string{}
	if kind != "" {
		t["kind"] = kind
	}
	for _, name := range []string{"kind", "channel", "source", "medium", "campaign", "campaign_id", "ad_id", "creative", "keyword",
		"placement", "referrer", "click_id"} {
		w.put(t, name)
	}
	return t
}

// ownTouch is the touch of an event that need not have one.
func (w *words) ownTouch(e map[string]any) {
	if touch := w.touch(""); len(touch) > 0 {
		e["touch"] = touch
	}
}

func (w *words) conversion() map[string]string {
	c := map[string]string{"name": w.bare()}
	w.put(c, "id")
	w.amount(c, "value")
	return c
}

func (w *words) refund() map[string]string {
	r := map[string]string{"conversion_id": w.bare()}
	w.amount(r, "amount")
	return r
}

func (w *words) amount(part map[string]string, member string) {
	for _, name := range []string{member, "currency"} {
		if word := w.bare(); word != "" {
			part[name] = word
		}
	}
}

// identifiers takes the words that are named like identifier types.
func (w *words) identifiers(s *settings.Settings) map[string][]string {
	types := []string{"user_id", "customer_id", "email", "phone", "device_id", "anonymous_id"}
	for _, t := range s.Identity.Types {
		types = append(types, t.Name)
	}
	ids := map[string][]string{}
	for _, name := range types {
		if values, ok := w.named[name]; ok {
			ids[name] = values
			delete(w.named, name)
		}
	}
	return ids
}

// timeOf is a time of 1 March 2026 (10:00), of 2026 (03-05T10:00) or as RFC 3339 has it, as an event writes it.
func timeOf(word string) (string, error) {
	for prefix, layout := range map[string]string{"2026-03-01T": "15:04", "2026-": "01-02T15:04"} {
		for _, seconds := range []string{"", ":05"} {
			if _, err := time.Parse(layout+seconds, word); err == nil {
				return prefix + word + [...]string{":00Z", "Z"}[len(seconds)/3], nil
			}
		}
	}
	if _, err := schemas.ParseTime(word); err != nil {
		return "", fmt.Errorf("t=%s: not a time", word)
	}
	return word, nil
}

// said is a time in the shortest form that timeOf reads.
func said(at schemas.Millis) string {
	layout := "01-02T15:04"
	if at.Time().Year() != 2026 {
		return at.String()
	}
	if at.Time().Format("01-02") == "03-01" {
		layout = "15:04"
	}
	if at%60_000 != 0 {
		layout += ":05"
	}
	return at.Time().Format(layout)
}

// A mistake in a scenario is named with its file and line.
func TestScenarioFaults(t *testing.T) {
	for text, want := range map[string]string{
		"touch t=10:00 click":                                                    `s.txt:1: a scenario without ---- and an answer`,
		"a\n----\nb\n\n# No answer.\n----":                                       "s.txt:1: \"a\" is no type of event\ns.txt:5: a scenario without ---- and an answer",
		"# Sentence.\nsale t=10:00 100\n----\nanswer":                            `s.txt:2: "sale" is no type of event`,
		"touch t=25:00 click\n----\nanswer":                                      `s.txt:1: t=25:00: not a time`,
		"touch click\n----\nanswer":                                              `s.txt:1: t=: not a time`,
		"touch t=10:00 t=11:00\n----\nanswer":                                    `s.txt:1: t=: not a time`,
		"touch t=10:00 click chanel=x more words\n----\nanswer":                  `s.txt:1: words not understood: more words chanel`,
		"touch t=10:00 channel=x channel=y\n----\nanswer":                        `s.txt:1: words not understood: channel`,
		"touch t=10:00 email=\"ann\n----\nanswer":                                `s.txt:1: a quote that does not end`,
		"unlink ann t=10:00\n----\nanswer":                                       `s.txt:1: only identifiers can be unlinked`,
		"# Sentence.\nsettings touch_unit: visit\ntouch t=10:00\n----\nanswer":   `s.txt:2:22: touch_unit: visit: must be touch or session`,
		"identify t=10:00 email=a@b\n----\nx\n\n\nsettings lookbac: 3d\n----\nx": `s.txt:6:10: unknown key "lookbac", did you mean "lookback"?`,
	} {
		_, err := parseStories("s.txt", text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// The example of the README is a story like the others.
func TestScenarioReadme(t *testing.T) {
	page, err := os.ReadFile("testdata/scenarios/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var example []string
	for _, line := range strings.Split(string(page), "\n") {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			example = append(example, code)
		}
	}
	stories, err := parseStories("README.md", strings.Join(example, "\n"))
	if err != nil || len(stories) != 1 {
		t.Fatalf("%d stories: %v", len(stories), err)
	}
	if got := stories[0].play(t); got != stories[0].want {
		t.Errorf("got:\n%s\nwant:\n%s", got, stories[0].want)
	}
}
