package importer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tributary/schemas"
)

// layout reads times. It is "rfc3339", "unix" (seconds, also with decimals), "unix_ms", or a pattern of strftime's letters
// such as "%d.%m.%Y %H:%M:%S".
type layout struct {
	text    string // as written
	kind    layoutKind
	pattern string // for package time
	zone    *time.Location
	hasZone bool // the text itself says the zone
}

type layoutKind uint8

const (
	byPattern layoutKind = iota
	rfc3339
	unixSeconds
	unixMillis
)

// letters are strftime's and what package time has for them.
var letters = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06",
	'%': "%",
}

func parseLayout(text string, zone *time.Location) (layout, error) {
	l := layout{text: text, zone: zone, hasZone: true}
	switch text {
	case "rfc3339":
		l.kind = rfc3339
		return l, nil
	case "unix":
		l.kind = unixSeconds
		return l, nil
	case "unix_ms":
		l.kind = unixMillis
		return l, nil
	}
	l.hasZone = false
	var pattern strings.Builder
	day := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '%' {
			// Package time would take digits and letters of fixed text for its own; only marks are safe.
			if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' && c != 'T' && c != 'Z' || c >= 'a' && c <= 'z' || c == '_' {
				return layout{}, fmt.Errorf("%q between the letters of the pattern is not supported", string(c))
			}
			pattern.WriteByte(c)
			continue
		}
		i++
		if i == len(text) {
			return layout{}, errors.New("ends in %")
		}
		word, ok := letters[text[i]]
		if !ok {
			return layout{}, fmt.Errorf("%%%c is not known; known are rfc3339, unix, unix_ms and %%Y %%y %%m %%d %%e %%b %%B %%a %%A %%j %%H %%I %%M %%S %%p %%z %%F %%T %%R %%D", text[i])
		}
		day = day || strings.ContainsRune("dejFD", rune(text[i]))
		l.hasZone = l.hasZone || text[i] == 'z'
		pattern.WriteString(word)
	}
	if !day {
		return layout{}, errors.New("must be rfc3339, unix, unix_ms, or a pattern with a day, such as %Y-%m-%d %H:%M:%S")
	}
	l.pattern = pattern.String()
	return l, nil
}

// parse reads a time. A local time that a clock change repeats is taken as the one that package time takes.
func (l *layout) parse(text string) (schemas.Millis, error) {
	text = strings.TrimSpace(text)
	switch l.kind {
	case rfc3339:
		return schemas.ParseTime(text)
	case unixSeconds:
		return epoch(text, 1000)
	case unixMillis:
		return epoch(text, 1)
	}
	t, err := time.ParseInLocation(l.pattern, text, l.zone)
	if err != nil {
		return 0, fmt.Errorf("not a time in the form %s", l.text)
	}
	return inRange(t.UnixMilli())
}

func inRange(ms int64) (schemas.Millis, error) {
	if ms <= 0 || schemas.Millis(ms) > schemas.MaxMillis {
		return 0, errors.New("not between 1970 and 9999")
	}
	return schemas.Millis(ms), nil
}

// epoch reads a decimal number of units of so many milliseconds; what is below a millisecond is cut.
func epoch(text string, unit int64) (schemas.Millis, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole, 10, 50)
	if err != nil || strings.Trim(fraction, "0123456789") != "" {
		return 0, errors.New("not a number of seconds or milliseconds since 1970")
	}
	ms := int64(n) * unit
	for _, digit := range fraction {
		unit /= 10
		ms += int64(digit-'0') * unit
	}
	return inRange(ms)
}
