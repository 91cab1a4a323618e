package importer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/schemas"
	"tributary/stream/yamldoc"
)

// Each file of testdata is a list of scenarios: a sentence, a mapping, a file, and the events or errors that come out.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, scenario := range strings.Split(string(text), "\n====\n") {
			parts := strings.Split(scenario, "\n----\n")
			name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(parts[0]), "# "), "\n")
			t.Run(name, func(t *testing.T) {
				if len(parts) != 3 {
					t.Fatalf("%d parts, want sentence and mapping, file, answer", len(parts))
				}
				got := play(parts[0], parts[1])
				if want := strings.TrimSpace(parts[2]); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// play imports a file and writes what came out, one line each.
func play(mapping, file string) string {
	m, err := ParseMapping("mapping.yaml", []byte(mapping))
	if err != nil {
		return messages(err)
	}
	file = strings.NewReplacer(`\xff`, "\xff", `\r`, "\r", `\ufeff`, "\ufeff", `\t`, "\t").Replace(file)
	var b strings.Builder
	summary, err := m.Import(context.Background(), "exports/data.csv", strings.NewReader(file), func(_, value []byte) error {
		b.Write(value)
		b.WriteByte('\n')
		return nil
	}, Options{KeepErrors: 100})
	for _, e := range summary.Errors {
		fmt.Fprintln(&b, strings.TrimPrefix(e.Error(), "exports/"))
	}
	if err != nil {
		fmt.Fprintln(&b, strings.TrimPrefix(err.Error(), "exports/"))
	}
	if summary.Passed > 0 {
		fmt.Fprintln(&b, summary.Passed, "rows passed over")
	}
	return strings.TrimSpace(b.String())
}

func messages(err error) string {
	var faults yamldoc.Faults
	if !errors.As(err, &faults) {
		return err.Error()
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i], _, _ = strings.Cut(f.Error(), "\n")
	}
	return strings.Join(lines, "\n")
}

const simple = `event_id: "{id}"
occurred_at: {value: "{at}"}
identifiers: {user_id: "{user}"}
touch: {kind: click}
`

func mustMapping(t testing.TB, text string) *Mapping {
	t.Helper()
	m, err := ParseMapping("mapping.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStrictEndsAtTheFirstRow(t *testing.T) {
	m := mustMapping(t, simple)
	events := 0
	summary, err := m.Import(context.Background(), "data.csv", strings.NewReader("id,at,user\n1,2026-03-01T10:00:00Z,u\n2,never,u\n3,2026-03-01T10:00:00Z,u\n"),
		func(_, _ []byte) error { events++; return nil }, Options{Strict: true})
	if events != 1 || summary.Events != 1 || summary.Refused != 1 || fmt.Sprint(err) != `data.csv:3:3: column "at": occurred_at: not an RFC 3339 time` {
		t.Errorf("%d events, %+v, %v", events, summary, err)
	}
}

func TestSinkAndContextEndTheImport(t *testing.T) {
	m := mustMapping(t, simple)
	full := errors.New("disk full")
	_, err := m.Import(context.Background(), "data.csv", strings.NewReader("id,at,user\n1,2026-03-01T10:00:00Z,u\n"), func(_, _ []byte) error { return full }, Options{})
	if !errors.Is(err, full) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rows := "id,at,user\n" + strings.Repeat("1,2026-03-01T10:00:00Z,u\n", 5000)
	summary, err := m.Import(ctx, "data.csv", strings.NewReader(rows), func(_, _ []byte) error { return nil }, Options{})
	if !errors.Is(err, context.Canceled) || summary.Rows > 2000 {
		t.Errorf("%v after %d rows", err, summary.Rows)
	}
}

type broken struct{ after string }

func (b *broken) Read(p []byte) (int, error) {
	if b.after == "" {
		return 0, errors.New("disk gone")
	}
	n := copy(p, b.after)
	b.after = b.after[n:]
	return n, nil
}

func TestReaderFails(t *testing.T) {
	m := mustMapping(t, simple)
	for _, before := range []string{"", "id,at,user\n", "id,at,user\n1,\"x"} {
		_, err := m.Import(context.Background(), "data.csv", &broken{before}, func(_, _ []byte) error { return nil }, Options{})
		if err == nil || err.Error() != "data.csv: disk gone" {
			t.Errorf("after %q: %v", before, err)
		}
	}
}

func TestProgressAndSummary(t *testing.T) {
	m := mustMapping(t, simple)
	text := "id,at,user,note\n" + strings.Repeat("1,2026-03-01T10:00:00Z,u,\n", 25_000) + "1,x,u,\n"
	var seen []Progress
	summary, err := m.Import(context.Background(), "data.csv", strings.NewReader(text), func(key, _ []byte) error {
		if string(key) != "u" {
			t.Fatalf("key %q", key)
		}
		return nil
	}, Options{Progress: func(p Progress) { seen = append(seen, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[1].Rows != 20_000 || seen[1].Bytes < 16+25*19_000 || seen[1].Bytes > int64(len(text)) {
		t.Errorf("progress %+v", seen)
	}
	if summary.Bytes != int64(len(text)) || summary.Rows != 25_001 || summary.Events != 25_000 || summary.Refused != 1 || summary.Types["touch"] != 25_000 ||
		len(summary.Errors) != 0 || fmt.Sprint(summary.Columns) != "[note]" {
		t.Errorf("summary %+v", summary)
	}
}

// Whatever a file holds: a row is an event, passed over or refused; and what comes out can be read.
func FuzzImport(f *testing.F) {
	mapping := `event_id: "{id}-{row}"
occurred_at: {value: "{at}", layout: unix_ms}
identifiers: {user_id: "{user}", email: ["{mail}", "{user}@example.com"]}
touch: {kind: "{kind}", cost: "{v}", currency: USD}
conversion: {when: {kind: sale}, name: purchase, value: "{v}", currency: "{c}"}
only: {kind: [sale, click]}
`
	m := mustMapping(f, mapping)
	head := "id,at,user,mail,kind,v,c\n"
	f.Add(head + "1,1772359200000,u,Ann@example.com,click,0.4,\n2,1772359200000,,,sale,\"9,5\",USD\n")
	f.Add("\ufeff" + head + "\"a\nb\",1772359200000,u,,sale,1e3,JPY\r\n\"open,1\n3,1,u,,click,,\n")
	f.Add(head + "\"\"\"\",1,u\x00,,sale,1,EUR\n\xff,2,,,sale,1,EUR")
	f.Fuzz(func(t *testing.T, text string) {
		events := 0
		summary, err := m.Import(context.Background(), "data.csv", strings.NewReader(text), func(key, value []byte) error {
			events++
			if len(key) == 0 {
				t.Errorf("no key for %s", value)
			}
			if _, err := schemas.DecodeEvent(value); err != nil {
				t.Errorf("%s: %v", value, err)
			}
			return nil
		}, Options{KeepErrors: 10})
		if summary.Rows != summary.Events+summary.Refused+summary.Passed || summary.Events != events {
			t.Errorf("%+v does not add up, with %d events", summary, events)
		}
		if err == nil && summary.Bytes != int64(len(text)) {
			t.Errorf("%d of %d bytes were read", summary.Bytes, len(text))
		}
	})
}

func FuzzMapping(f *testing.F) {
	f.Add(simple)
	f.Add("csv: {delimiter: tab, columns: [a, b], decimal: \",\"}\nevent_id: \"{{{a}}}\"\noccurred_at: {value: \"{b}\", layout: \"%d.%m.%Y %H:%M\", zone: Europe/Berlin}\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMapping("mapping.yaml", []byte(text))
		if err != nil {
			_ = err.Error()
			return
		}
		names, _ := m.columns()
		for i, n := range names {
			names[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
		}
		file := strings.Join(names, string(m.comma)) + "\n" + strings.Join(names, string(m.comma)) + "\n"
		m.Import(context.Background(), "data.csv", strings.NewReader(file), func(_, _ []byte) error { return nil }, Options{})
	})
}

func BenchmarkImport(b *testing.B) {
	m := mustMapping(b, `event_id: "{customer}-{row}"
occurred_at: {value: "{time}"}
identifiers: {customer_id: "{customer}"}
touch: {kind: "{kind}", channel: "{channel}"}
conversion: {when: {sale: "1"}, name: purchase, value: "{value}", currency: USD}
`)
	var text strings.Builder
	text.WriteString("customer,time,kind,sale,value,channel\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "A%06d,2018-07-22T20:40:41Z,impression,%d,%d,Online Display\n", i/7, i%33/32, i%50)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Import(context.Background(), "x", strings.NewReader(text.String()), func(_, _ []byte) error { return nil }, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "rows/s")
}
