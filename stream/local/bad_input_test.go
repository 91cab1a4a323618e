package local_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/ingest"
	"tributary/stream/local"
	"tributary/stream/settings"
)

// badRecord is a record that is refused, and why.
type badRecord struct {
	sentence string
	value    []byte
	field    string
	reason   schemas.Reason
}

// badRecords are those of testdata/bad_input.txt, those of the contract, and the ones that no line of a text can hold.
func badRecords(t testing.TB) []badRecord {
	bad := readBadRecords(t, "testdata/bad_input.txt")
	bad = append(bad, readBadRecords(t, "../../schemas/testdata/refusals.txt")...)
	return append(bad,
		badRecord{"A tombstone.", nil, "", schemas.ReasonTombstone},
		badRecord{"An empty record.", []byte{}, "", schemas.ReasonTombstone})
}

// repeated is ${TEXT*N} in a file of records.
var repeated = regexp.MustCompile(`\$\{(.+?)\*([0-9]+)\}`)

// readBadRecords reads paragraphs of three lines: a sentence, a record, the field and the reason.
func readBadRecords(t testing.TB, path string) (bad []badRecord) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i, line := range strings.Split(string(text)+"\n", "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			lines = append(lines, repeated.ReplaceAllStringFunc(line, func(s string) string {
				parts := repeated.FindStringSubmatch(s)
				n, _ := strconv.Atoi(parts[2])
				if plain, err := strconv.Unquote(`"` + parts[1] + `"`); err == nil {
					parts[1] = plain
				}
				return strings.Repeat(parts[1], n)
			}))
		case len(lines) == 3:
			says := strings.Fields(lines[2])
			bad = append(bad, badRecord{lines[0], []byte(lines[1]), strings.TrimPrefix(says[0], "-"), schemas.Reason(says[1])})
			lines = nil
		case len(lines) > 0:
			t.Fatalf("%s:%d: a paragraph of %d lines, want 3", path, i+1, len(lines))
		}
	}
	return bad
}

// check says whether the record was refused for the right reason, with a text that tells nothing of what stood in it.
func (b badRecord) check(t *testing.T, r ingest.Result) {
	if r.Refusal == nil || len(r.Messages) > 0 || r.Filtered != "" {
		t.Errorf("%s Not refused: %.200s", b.sentence, b.value)
		return
	}
	if r.Refusal.Reason != b.reason || r.Refusal.Field != b.field {
		t.Errorf("%s %v, want %s: %s", b.sentence, r.Refusal, b.field, b.reason)
	}
	if leak := leaked(b.value, r.Refusal.Error()); leak != "" {
		t.Errorf("%s The refusal repeats %q: %v", b.sentence, leak, r.Refusal)
	}
}

var (
	quoted    = regexp.MustCompile(`"([^"]{3,})"`)
	digits    = regexp.MustCompile(`[0-9]{4,}`)
	plainWord = regexp.MustCompile(`^[a-z_]+$`)
)

// leaked finds something of the record in the text that should not be there: a part of Ann's address or number, a text of
// the record that is no plain word, or a number.
func leaked(record []byte, text string) string {
	text = strings.ToLower(text)
	suspects := []string{"ann@", "bob@", "example.com", "555-2671", "5552671"}
	record = record[:min(len(record), 4096)]
	for _, q := range quoted.FindAllSubmatch(record, -1) {
		if word := strings.ToLower(string(q[1])); !plainWord.MatchString(word) {
			suspects = append(suspects, word)
		}
	}
	for _, n := range digits.FindAll(record, -1) {
		suspects = append(suspects, string(n))
	}
	for _, s := range suspects {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

// goodEvent is the i-th of the touches that lead to Ann's order; order is the order itself.
func goodEvent(i int) []byte {
	return fmt.Appendf(nil, `{"event_id":"g%03d","type":"touch","occurred_at":"2026-03-01T09:00:00Z","identifiers":{"email":"ann@example.com"},`+
		`"touch":{"kind":"click","channel":"search"}}`, i)
}

var order = []byte(`{"event_id":"o1","type":"conversion","occurred_at":"2026-03-02T09:00:00Z","identifiers":{"phone":"+14155552671","email":"ann@example.com"},` +
	`"conversion":{"name":"purchase","id":"order-1","value":"99.90","currency":"USD"}}`)

// Among good events every bad record is refused for its reason, and all good ones are applied: nothing else is lost, and
// the ledger adds up.
func TestBadInput(t *testing.T) {
	bad := badRecords(t)
	p, out, end := newPipeline(t)
	refused := map[schemas.Reason]int64{}
	for i, b := range bad {
		b.check(t, p.Event(b.value, clock))
		refused[b.reason]++
		if r := p.Event(goodEvent(i), clock); r.Refusal != nil {
			t.Errorf("refused after %q: %v", b.sentence, r.Refusal)
		}
	}
	p.Event(order, clock)
	end()
	if !maps.Equal(p.Counts.Refused, refused) {
		t.Errorf("refused %v, want %v", p.Counts.Refused, refused)
	}
	checkOnlyGood(t, p, out, len(bad))
}

// The same as a file: a bad line costs that line only, and is named by its number.
func TestBadLines(t *testing.T) {
	var bad []badRecord
	for _, b := range badRecords(t) {
		if len(b.value) > 0 { // an empty line is no record
			bad = append(bad, b)
		}
	}
	for name, lineEnd := range map[string]string{"line feed": "\n", "carriage return and line feed": "\r\n"} {
		var file bytes.Buffer
		for i, b := range bad {
			file.Write(b.value)
			file.WriteString(lineEnd + lineEnd) // an empty line between any two
			file.Write(goodEvent(i))
			file.WriteString(lineEnd)
		}
		file.Write(order) // without an end
		p, out, end := newPipeline(t)
		lines := 0
		err := p.Feed(context.Background(), clock,
			func(each func(local.Line) error) error { return local.ReadLines("events.jsonl", &file, each) },
			func(l local.Line, r ingest.Result) {
				i := l.Number / 3
				switch wanted := l.Number%3 == 1 && i < len(bad); {
				case wanted:
					bad[i].check(t, r)
				case r.Refusal != nil:
					t.Errorf("%v: %v", l, r.Refusal)
				}
				lines++
			})
		if err != nil {
			t.Fatal(err)
		}
		end()
		if want := 2*len(bad) + 1; lines != want {
			t.Errorf("%s: %d lines, want %d", name, lines, want)
		}
		checkOnlyGood(t, p, out, len(bad))
	}
}

// newPipeline is a pipeline by the defaults; end finishes it.
func newPipeline(t testing.TB) (p *local.Pipeline, out *reader, end func()) {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	out = newReader(t)
	p = local.New(configOf(t, settings.Default(), 16), store, out)
	return p, out, func() {
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
	}
}

// checkOnlyGood says whether n touches and the order, and nothing else, came through.
func checkOnlyGood(t *testing.T, p *local.Pipeline, out *reader, n int) {
	l := p.Ledger
	if !l.Settled() || l.Refused != int64(n) || l.Applied != int64(n+1) || l.Received != int64(2*n+1) {
		t.Errorf("ledger %+v, want %d refused and %d applied", l, n, n+1)
	}
	if ids := slices.Collect(maps.Keys(out.Newest)); len(ids) != 1 || ids[0] != "order-1" {
		t.Fatalf("conversions %v, want order-1", ids)
	}
	a := out.Newest["order-1"]
	if len(a.Touches) != n || a.Conversion.NetValue.String() != "99.90" || a.Conversion.EventID != "o1" {
		t.Errorf("%d touches, want %d: %s", len(a.Touches), n, a.Encode(nil))
	}
}
