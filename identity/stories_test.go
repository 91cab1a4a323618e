package identity

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the stories tell now")

// TestStories plays testdata/actors: what comes from outside stands above the line, what the actors then say to each other
// and how they end below it. Each input is played to its end before the next one comes.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/actors/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			above, below, _ := strings.Cut(string(text), "----\n")
			s, err := parseScenario(above)
			if err != nil {
				t.Fatal(err)
			}
			told := tell(t, s)
			if *update {
				if err := os.WriteFile(file, []byte(above+"----\n"+told), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if told != below {
				t.Errorf("told\n%s\nwant\n%s", told, below)
			}
		})
	}
}

// tell plays the scenario and writes every message under the input that it comes from.
func tell(t *testing.T, s *scenario) string {
	n := newNetwork(s, nil)
	var trace []string
	n.trace = &trace
	for i, in := range s.inputs {
		trace = append(trace, in.String())
		todo := []*Message{n.queues[i].messages[0]}
		for len(todo) > 0 {
			n.step(todo[0])
			send, emit := n.endBatch()
			for _, r := range emit {
				n.read(&n.reader, r)
			}
			todo = todo[1:]
			for k := range send {
				todo = append(todo, &send[k])
			}
		}
	}
	if wrong := checkEnd(n.world, n.reader); wrong != "" {
		t.Error(wrong)
	}
	return strings.Join(trace, "\n") + "\n" + n.ends()
}

// ends says how every identifier and conversion ended.
func (w *world) ends() string {
	var b strings.Builder
	for i := range w.s.identifiers {
		id := testIDs[i]
		n := w.rows.Node(id)
		fmt.Fprintf(&b, "%s:", refString(Ref{id, n.Gen}))
		if n.Shared {
			b.WriteString(" shared")
		}
		if n.Cut > 0 {
			fmt.Fprintf(&b, " forgotten up to %d", int64(n.Cut))
		}
		if !n.Root() {
			fmt.Fprintf(&b, " points to %s", refString(n.Parent))
		}
		for _, m := range w.rows.Members(id) {
			fmt.Fprintf(&b, " member %s", refString(m))
		}
		if facts := w.rows.Facts(id); len(facts) > 0 {
			fmt.Fprintf(&b, " touches")
			for _, f := range facts {
				fmt.Fprintf(&b, " @%d", int64(f.At))
			}
		}
		if kept := w.rows.Kept(id); len(kept) > 0 {
			fmt.Fprintf(&b, " keeps touches")
			for _, f := range kept {
				fmt.Fprintf(&b, " @%d", int64(f.At))
			}
		}
		for _, h := range w.rows.Helds(id) {
			fmt.Fprintf(&b, " token of %s, revision %d", h.Conversion, h.Revision)
		}
		for _, nb := range w.rows.Neighbours(id) {
			kind := "seen with"
			if nb.Link {
				kind = "linked with"
			}
			fmt.Fprintf(&b, ", %s %s @%d-%d", kind, initial(nb.ID), int64(nb.First), int64(nb.Last))
		}
		b.WriteByte('\n')
	}
	for i := range w.s.conversions {
		c, known := w.rows.Conversion(ConversionKeyOf(conversionName(i)))
		switch {
		case !known:
			continue
		case c.Erased > 0:
			fmt.Fprintf(&b, "%s: forgotten\n", conversionName(i))
		case c.Parked:
			fmt.Fprintf(&b, "%s: parked, revision %d\n", conversionName(i), c.Token.Revision)
		case c.Out:
			fmt.Fprintf(&b, "%s: its token is out\n", conversionName(i))
		default:
			fmt.Fprintf(&b, "%s: only refunds\n", conversionName(i))
		}
	}
	return b.String()
}

// parseScenario reads the language of scenario files: a line for each input, # before comments, and one line "world" for
// settings that are not the default. Identifiers and conversions are as many as are named.
func parseScenario(text string) (*scenario, error) {
	s := &scenario{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if world, ok := strings.CutPrefix(line, "world "); ok {
			for _, word := range strings.Fields(world) {
				if err := s.set(word); err != nil {
					return nil, err
				}
			}
			continue
		}
		in, err := parseInput(line)
		if err != nil {
			return nil, err
		}
		for _, i := range in.ids {
			s.identifiers = max(s.identifiers, i+1)
		}
		s.conversions = max(s.conversions, in.conversion+1)
		if in.kind == expire {
			s.rules.since = max(s.rules.since, in.at)
		}
		s.inputs = append(s.inputs, in)
	}
	if s.partitions == 0 {
		s.partitions = s.identifiers + s.conversions
	}
	return s, nil
}

func (s *scenario) set(word string) error {
	key, value, _ := strings.Cut(word, "=")
	into := map[string]any{"identifiers": &s.identifiers, "conversions": &s.conversions, "partitions": &s.partitions,
		"neighbours": &s.cap, "of": &s.alike.of, "with": &s.alike.with, "most": &s.alike.most, "chunk": &s.chunk, "kept": &s.kept, "oversize": &s.rules.oversize, "across": &s.rules.across, "refresh": &s.refresh}[key]
	if into == nil {
		return fmt.Errorf("unknown setting %s", key)
	}
	_, err := fmt.Sscan(value, into)
	return err
}

// TestRaces goes through every order of the scenarios in testdata/races.txt: each once had an order with another end.
func TestRaces(t *testing.T) {
	f, err := os.Open("testdata/races.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	title, text := "", ""
	play := func() {
		if text == "" {
			return
		}
		s, err := parseScenario(text)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(title, func(t *testing.T) {
			e := explore(s, nil, 30_000, false)
			if e.wrong != "" {
				e = explore(s, nil, 30_000, true)
				t.Errorf("%s\n%s%s", e.wrong, s, strings.Join(e.trace, "\n"))
			}
			t.Logf("%d states, %d ends, cut %v", e.states, e.ends, e.cut)
		})
		title, text = "", ""
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "":
			play()
		case strings.HasPrefix(line, "# ") && title == "":
			title = strings.TrimPrefix(line, "# ")
		case !strings.HasPrefix(line, "#"):
			text += line + "\n"
		}
	}
	play()
}
