package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"tributary/schemas"
	"tributary/stream/population"
)

func TestGenerateDefaults(t *testing.T) {
	var cmd generateCommand
	parser, err := kong.New(&cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	got, err := cmd.config()
	if err != nil || !reflect.DeepEqual(got, population.Default()) {
		t.Errorf("without flags it is %+v, %v; want %+v", got, err, population.Default())
	}
}

func TestGenerate(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	status, out, errs := tributary(t, "", nil, "generate", "--customers=50", "--seed=7", "--duplicates=0", "--truth", truth)
	if status != done || errs != "" {
		t.Fatalf("status %d, %q", status, errs)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(out) {
		e, err := schemas.DecodeEvent([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ids[e.ID] = true
	}
	text, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	people, known := 0, 0
	for line := range strings.Lines(string(text)) {
		var p population.Person
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		people++
		for _, id := range p.Events {
			if !ids[id] {
				t.Errorf("event %s of person %d is not among the events", id, p.Customer)
			}
			known++
		}
	}
	if people != 50 || known != len(ids) {
		t.Errorf("%d people with %d events, want 50 with %d", people, known, len(ids))
	}

	file := filepath.Join(t.TempDir(), "events.jsonl")
	if status, out, errs := tributary(t, "", nil, "generate", "--customers=50", "--seed=7", "--duplicates=0", "--limit=20", "--out", file); status != done || out != "" {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out, string(first)) || strings.Count(string(first), "\n") != 20 {
		t.Errorf("--limit=20 does not write the first 20 records:\n%s", first)
	}
}
