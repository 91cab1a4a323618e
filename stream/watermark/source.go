package watermark

import (
	"strconv"
	"strings"
	"time"

	"tributary/schemas"
)

// Source is what is known of a source partition. It is a function of the partition's records alone, so every reader of them
// comes to the same.
type Source struct {
	Watermark schemas.Millis // no event is expected to be older any more; 0: there was none
}

// See notes an accepted event. Its time counts only up to the broker's, so that a sender whose clock is ahead doesn't
// make all the others late.
func (s *Source) See(event, record schemas.Millis, outOfOrderness time.Duration) {
	s.Watermark = max(s.Watermark, min(event, record).Add(-outOfOrderness))
}

// Age is how far an event is behind the watermark; 0 if it isn't.
func (s Source) Age(event schemas.Millis) time.Duration {
	return time.Duration(max(0, s.Watermark-event)) * time.Millisecond
}

// Late reports whether an event is too old to be applied.
func (s Source) Late(event schemas.Millis, allowed time.Duration) bool { return s.Age(event) > allowed }

// noteForm begins a note of this form.
const noteForm = "watermark/1 "

// Note is what to keep beside the offset up to which the partition was read.
func (s Source) Note() string { return noteForm + strconv.FormatInt(int64(s.Watermark), 10) }

// ParseNote is the inverse of Note. What is no note, such as what other programs write beside offsets, says nothing.
func ParseNote(note string) Source {
	digits, ok := strings.CutPrefix(note, noteForm)
	w, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || w < 0 || w > int64(schemas.MaxMillis) {
		return Source{}
	}
	return Source{Watermark: schemas.Millis(w)}
}
