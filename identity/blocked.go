package identity

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// blockedWords are the values that say "nobody" in place of an identifier, whatever their letter case. Trackers and
// spreadsheets send them when they have no value; as identifiers they would make one customer of thousands of people.
var blockedWords = []string{
	"", "-1", "null", "none", "nil", "nan", "undefined", "anonymous", "guest", "unknown", "true", "false", "id", "email",
	"distinct_id", "distinctid", "not_authenticated", "[object Object]",
}

// blocklist decides which values never link. It does not change after newBlocklist.
type blocklist struct {
	words    map[string]bool // folded
	longest  int             // bytes of the longest word
	patterns []*regexp.Regexp
}

// newBlocklist adds the values and patterns of the settings to blockedWords. alias gives the normal forms that a value
// could have, so that a number blocked as "(415) 555-2671" is also blocked when an event writes it as "+14155552671".
// The error names every fault by its place in the list: a value or a pattern can itself be personal data.
func newBlocklist(values, patterns []string, alias func(string) []string) (*blocklist, error) {
	b := &blocklist{words: make(map[string]bool)}
	for _, w := range blockedWords {
		b.add(w)
	}
	var faults []error
	for i, v := range values {
		if !utf8.ValidString(v) {
			faults = append(faults, fmt.Errorf("blocked value %d: not UTF-8", i+1))
			continue
		}
		v = trim(v)
		b.add(v)
		for _, form := range alias(v) {
			b.add(form)
		}
	}
	for i, p := range patterns {
		re, err := compileWhole(p)
		if err != nil {
			faults = append(faults, fmt.Errorf("blocked pattern %d: %w", i+1, err))
			continue
		}
		b.patterns = append(b.patterns, re)
	}
	return b, errors.Join(faults...)
}

func (b *blocklist) add(word string) {
	folded := string(appendFolded(nil, word, len(word)))
	b.words[folded] = true
	b.longest = max(b.longest, len(folded))
}

// compileWhole compiles a pattern that has to match the whole value. The pattern is compiled alone first: text such as
// "a)|(b" must not get out of the group around it.
func compileWhole(pattern string) (*regexp.Regexp, error) {
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
		var bad *syntax.Error
		if errors.As(err, &bad) {
			return nil, errors.New(bad.Code.String())
		}
		return nil, errors.New("not a regular expression")
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// has reports whether a trimmed value is blocked: it is only zeros and dashes, a word of the list in any letter case, or
// a pattern of the settings matches all of it.
func (b *blocklist) has(value string) bool {
	if onlyZerosAndDashes(value) || b.hasWord(value) {
		return true
	}
	for _, p := range b.patterns {
		if p.MatchString(value) {
			return true
		}
	}
	return false
}

func (b *blocklist) hasWord(value string) bool {
	var space [64]byte
	folded := appendFolded(space[:0], value, b.longest)
	return len(folded) <= b.longest && b.words[string(folded)]
}

func onlyZerosAndDashes(value string) bool {
	for i := range len(value) {
		if value[i] != '0' && value[i] != '-' {
			return false
		}
	}
	return true
}

// appendFolded appends value with letter case removed (Unicode simple folding: the smallest rune of each orbit), and
// stops soon after limit bytes: what is longer than the longest word is no word, however long it goes on.
func appendFolded(dst []byte, value string, limit int) []byte {
	for _, r := range value {
		if len(dst) > limit {
			return dst
		}
		dst = utf8.AppendRune(dst, fold(r))
	}
	return dst
}

func fold(r rune) rune {
	if r < utf8.RuneSelf {
		// The only ASCII runes that have a case; the smallest of their orbit is the capital.
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
