package channels

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Pattern is one word of a condition. Letter case never counts. It is one of
//
//	google      the value is this word; "" matches a touch that has no value
//	google*     a * stands for any characters, also none; "*" alone matches every touch that has a value
//	/^cp[cm]$/  between slashes, a regular expression (RE2) that is found somewhere in the value
//
// The zero Pattern is the word "".
type Pattern struct {
	text   string // as written
	regexp *regexp.Regexp
}

// Patterns are the patterns of one condition.
type Patterns []Pattern

// MaxPattern is the longest pattern, in bytes.
const MaxPattern = 1024

// ParsePattern reads a pattern.
func ParsePattern(text string) (Pattern, error) {
	if len(text) > MaxPattern {
		return Pattern{}, errors.New("must be at most 1024 bytes")
	}
	p := Pattern{text: text}
	if len(text) < 2 || text[0] != '/' || text[len(text)-1] != '/' {
		return p, nil
	}
	re, err := regexp.Compile("(?i:" + text[1:len(text)-1] + ")")
	if err != nil {
		var fault *syntax.Error
		if errors.As(err, &fault) {
			return Pattern{}, errors.New("not a regular expression: " + fault.Code.String() + ": " + fault.Expr)
		}
		return Pattern{}, errors.New("not a regular expression")
	}
	p.regexp = re
	return p, nil
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// UnmarshalText makes a Pattern of what a rule list says.
func (p *Pattern) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePattern(string(text))
	return err
}

// MarshalText is the reverse.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

func (p Pattern) isGlob() bool { return p.regexp == nil && strings.Contains(p.text, "*") }

// matcher is Patterns made ready: words are looked up, globs and expressions tried one after the other.
type matcher struct {
	any     bool // no patterns: every value is right
	words   map[string]bool
	globs   []string // in lower case
	regexps []*regexp.Regexp
}

func newMatcher(patterns Patterns) matcher {
	m := matcher{any: len(patterns) == 0, words: map[string]bool{}}
	for _, p := range patterns {
		switch {
		case p.regexp != nil:
			m.regexps = append(m.regexps, p.regexp)
		case p.isGlob():
			m.globs = append(m.globs, fold(p.text))
		default:
			m.words[fold(p.text)] = true
		}
	}
	return m
}

// matches reports whether a pattern matches value, which is in lower case.
func (m *matcher) matches(value string) bool {
	if m.any || m.words[value] {
		return true
	}
	return value != "" && m.matchesLong(value)
}

// matchesHost is matches for a host: a word matches its subdomains too, so that facebook.com stands for m.facebook.com.
func (m *matcher) matchesHost(host string) bool {
	if m.matches(host) {
		return true
	}
	for {
		_, parent, ok := strings.Cut(host, ".")
		if !ok {
			return false
		}
		if m.words[parent] && parent != "" {
			return true
		}
		host = parent
	}
}

func (m *matcher) matchesLong(value string) bool {
	for _, g := range m.globs {
		if globMatches(g, value) {
			return true
		}
	}
	for _, re := range m.regexps {
		if re.MatchString(value) {
			return true
		}
	}
	return false
}

// globMatches matches from the left and lets each * take as little as possible; when that fails it lets the last * take
// one more. An earlier * never needs to take more, so the time is at most the product of both lengths.
func globMatches(glob, value string) bool {
	g, v := 0, 0
	star, taken := -1, 0 // place of the last *, and where the text after it was tried
	for v < len(value) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, taken = g, v
			g++
		case g < len(glob) && glob[g] == value[v]:
			g++
			v++
		case star >= 0:
			taken++
			g, v = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
