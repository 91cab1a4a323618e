package roles

import (
	"fmt"
	"strings"

	"tributary/stream/ingest"
	"tributary/stream/watermark"
)

// SourceCounts say what became of the records of a source partition, from the first that the application read. All others
// were journaled. They are kept beside the committed offset, so they are as exact as that.
type SourceCounts struct {
	Received, Refused, Filtered, Late int64
}

// Journaled is how many went on to a journey.
func (c SourceCounts) Journaled() int64 { return c.Received - c.Refused - c.Filtered - c.Late }

func (c *SourceCounts) add(r *ingest.Result, late bool) {
	c.Received++
	switch {
	case r.Refusal != nil:
		c.Refused++
	case r.Filtered != "":
		c.Filtered++
	case late:
		c.Late++
	}
}

// countsForm begins the part of a note that holds counts.
const countsForm = " ledger/1 "

// note is what ingest keeps beside the offset of a source partition: how far its time has come, and what became of its
// records.
func (s *source) note() string {
	c := s.counts
	return s.Note() + countsForm + fmt.Sprintf("%d %d %d %d", c.Received, c.Refused, c.Filtered, c.Late)
}

// sourceOf is the inverse of note.
func sourceOf(note string) source {
	time, _, _ := strings.Cut(note, countsForm)
	return source{Source: watermark.ParseNote(time), counts: CountsOf(note)}
}

// CountsOf are the counts of a note. What is no note of this form, such as what other programs write beside offsets, says
// nothing.
func CountsOf(note string) (c SourceCounts) {
	_, counts, _ := strings.Cut(note, countsForm)
	if _, err := fmt.Sscanf(counts, "%d %d %d %d", &c.Received, &c.Refused, &c.Filtered, &c.Late); err != nil {
		return SourceCounts{}
	}
	if low, high := min(c.Refused, c.Filtered, c.Late), max(c.Refused, c.Filtered, c.Late); low < 0 || high > 1<<60 || c.Journaled() < 0 {
		return SourceCounts{}
	}
	return c
}
