package journey

import (
	"bytes"
	"cmp"
	"slices"
	"sort"

	"tributary/schemas"
)

// Consent is a customer's word on attribution: it holds from At on, until the next.
type Consent struct {
	EventID string
	At      schemas.Millis
	Granted bool
	Content []byte // as of a Touch
}

// Permitted splits touches by whether consent held when they were made. Until a customer's first word it holds; of two
// words at one time a withdrawal counts; and a touch whose sender said that the person agreed (Consented) is permitted
// whatever was said before. Both may come in any order and repeat; of two with one event id the one with the smaller
// (At, Content) counts, and without consents the touches are returned as they are.
//
// What is withheld is as if it had never been: it neither earns credit nor keeps a session alive.
func Permitted(touches []Touch, consents []Consent) (permitted, withheld []Touch) {
	if len(consents) == 0 {
		return touches, nil
	}
	words := inTime(consents)
	for _, t := range merged(touches) {
		n := sort.Search(len(words), func(i int) bool { return words[i].At > t.At })
		if t.Consented || n == 0 || words[n-1].Granted {
			permitted = append(permitted, *t)
		} else {
			withheld = append(withheld, *t)
		}
	}
	return permitted, withheld
}

// inTime returns the consents that count, by time, the withdrawals of a time last.
func inTime(consents []Consent) []Consent {
	words := slices.Clone(consents)
	slices.SortFunc(words, func(a, b Consent) int {
		return cmp.Or(cmp.Compare(a.At, b.At), bytes.Compare(a.Content, b.Content))
	})
	seen := make(map[string]struct{}, len(words))
	words = slices.DeleteFunc(words, func(c Consent) bool {
		_, again := seen[c.EventID]
		seen[c.EventID] = struct{}{}
		return again
	})
	slices.SortStableFunc(words, func(a, b Consent) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(withdrawal(a), withdrawal(b)))
	})
	return words
}

func withdrawal(c Consent) int {
	if c.Granted {
		return 0
	}
	return 1
}
