package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/schemas/shareddata"
)

func TestImportJuly2018(t *testing.T) {
	events := filepath.Join(t.TempDir(), "events.jsonl")
	status, _, errs := tributary(t, "", nil, "import", "--mapping=testdata/july2018.mapping.yaml", "--out", events, shareddata.Path(t, "july2018/attribution_data.csv"))
	if want := "62483 rows: 62483 events (1838 conversion, 60645 touch), 0 refused, 0 passed over"; status != done || !strings.Contains(errs, want) {
		t.Errorf("status %d, %q, want %q", status, errs, want)
	}
}

const contacts = `event_id: "{file}-{row}"
occurred_at: {value: "{changed}"}
identifiers: {customer_id: "{crm}", email: "{mail}"}
`

func TestImport(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mapping := write("m.yaml", contacts)
	good := write("good.csv", "crm,mail,changed,note\n1,a@example.com,2026-03-01T10:00:00Z,x\n")
	bad := write("bad.csv", "crm,mail,changed\n1,a@example.com,yesterday\n2,b@example.com,2026-03-01T10:00:00Z\n,,2026-03-01T10:00:00Z\n")

	status, out, errs := tributary(t, "", nil, "import", "-m", mapping, good, bad)
	wantOut := `{"event_id":"good.csv-1","type":"identify","occurred_at":"2026-03-01T10:00:00.000Z","identifiers":{"customer_id":"1","email":"a@example.com"}}
{"event_id":"bad.csv-2","type":"identify","occurred_at":"2026-03-01T10:00:00.000Z","identifiers":{"customer_id":"2","email":"b@example.com"}}
`
	wantErrs := `tributary: columns that the mapping does not use: note
` + bad + `:2:17: column "changed": occurred_at: not an RFC 3339 time
` + bad + `:4:1: column "crm": no_identifier
tributary: 4 rows: 2 events (2 identify), 2 refused, 0 passed over
tributary: 2 of 4 rows gave no event
`
	if status != failed || out != wantOut || errs != wantErrs {
		t.Errorf("status %d\n%s\n%s\nwant\n%s\n%s", status, out, errs, wantOut, wantErrs)
	}

	status, out, errs = tributary(t, "", nil, "import", "-m", mapping, "--strict", bad, good)
	if status != failed || out != "" || !strings.Contains(errs, "bad.csv:2:17") || !strings.Contains(errs, "--strict") {
		t.Errorf("strict: status %d, %q, %q", status, out, errs)
	}

	status, _, errs = tributary(t, "", nil, "import", "-m", mapping, "--max-errors=1", bad)
	if status != failed || strings.Contains(errs, "no_identifier") || !strings.Contains(errs, "1 more errors are not shown") {
		t.Errorf("--max-errors: status %d, %q", status, errs)
	}

	status, out, errs = tributary(t, "crm,mail,changed\n7,,2026-03-01T10:00:00Z\n", nil, "import", "-m", mapping, "-")
	if status != done || !strings.Contains(out, `"customer_id":"7"`) {
		t.Errorf("standard input: status %d, %q, %q", status, out, errs)
	}

	status, _, errs = tributary(t, "", nil, "import", "-m", write("m2.yaml", "event_id: x\noccured_at: 1\n"), good)
	if status != failed || !strings.Contains(errs, `unknown key "occured_at", did you mean "occurred_at"?`) || !strings.Contains(errs, "  2 | occured_at\n    | ^") {
		t.Errorf("a damaged mapping: status %d, %q", status, errs)
	}
}
