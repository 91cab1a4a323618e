package lane

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrChangelogLost says that rows which belong to what the group has consumed are no longer in the changelog: it was
// created anew, or lost its end. Going on would be going on without them.
var ErrChangelogLost = errors.New("the changelog has lost rows of what was consumed")

// mark is what a lane with state leaves in Kafka beside the committed offset of a partition: which topic holds the rows of what
// lies before that offset, and up to where. Without it nobody whose disk is empty too could tell a changelog that lost
// its records from one that never had any.
type mark struct {
	topic [16]byte
	next  int64
}

// markForm begins the text of a mark, which a blank ends.
const markForm = "c1:"

func (m mark) String() string {
	return markForm + base64.RawURLEncoding.EncodeToString(m.topic[:]) + ":" + strconv.FormatInt(m.next, 10) + " "
}

// cutMark parts the text beside an offset into the mark and the task's note. ok is false if there is no mark: an earlier
// release committed the offset, or somebody by hand.
func cutMark(text string) (m mark, note string, ok bool) {
	form, note, _ := strings.Cut(text, " ")
	topic, next, _ := strings.Cut(strings.TrimPrefix(form, markForm), ":")
	id, err := base64.RawURLEncoding.DecodeString(topic)
	if err != nil || len(id) != len(m.topic) || !strings.HasPrefix(form, markForm) {
		return mark{}, text, false
	}
	if m.next, err = strconv.ParseInt(next, 10, 64); err != nil || m.next < 0 {
		return mark{}, text, false
	}
	return mark{[16]byte(id), m.next}, note, true
}

// check compares a mark with the changelog as it is now.
func (m mark) check(topic [16]byte, now log) error {
	switch {
	case m.topic != topic:
		return fmt.Errorf("%w: the topic was created anew since", ErrChangelogLost)
	case m.next > now.end:
		return fmt.Errorf("%w: it reached offset %d, and ends at %d", ErrChangelogLost, m.next, now.end)
	}
	return nil
}
