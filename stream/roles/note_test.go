package roles

import (
	"testing"

	"tributary/schemas"
	"tributary/stream/watermark"
)

func TestNotes(t *testing.T) {
	known := source{Source: watermark.Source{Watermark: 1_767_225_600_000}, counts: SourceCounts{Received: 10, Refused: 1, Filtered: 2, Late: 3}}
	const note = "watermark/1 1767225600000 ledger/1 10 1 2 3"
	if got := known.note(); got != note {
		t.Errorf("the note is %q, want %q", got, note)
	}
	for text, want := range map[string]source{
		note:                               known,
		"watermark/1 1767225600000":        {Source: known.Source}, // of the first release
		" ledger/1 10 1 2 3":               {counts: known.counts},
		"":                                 {},
		"ledger/1 10 1 2 3":                {},
		"watermark/1 0 ledger/1 10 1 2":    {},
		"watermark/1 0 ledger/1 5 1 2 3":   {}, // more than it received
		"watermark/1 0 ledger/1 10 -1 2 3": {},
		"watermark/1 0 ledger/1 0 9223372036854775807 9223372036854775807 0": {},
		"watermark/1 0 ledger/2 10 1 2 3":                                    {},
	} {
		if got := sourceOf(text); got != want {
			t.Errorf("%q says %+v, want %+v", text, got, want)
		}
	}
}

// Whatever somebody writes beside an offset, what it says is possible, and is written and read again.
func FuzzNotes(f *testing.F) {
	f.Add("watermark/1 1767225600000 ledger/1 10 1 2 3")
	f.Fuzz(func(t *testing.T, note string) {
		s := sourceOf(note)
		if s.Watermark < 0 || s.Watermark > schemas.MaxMillis || s.counts.Journaled() < 0 || sourceOf(s.note()) != s {
			t.Errorf("%q says %+v, and that is %q", note, s, s.note())
		}
	})
}
