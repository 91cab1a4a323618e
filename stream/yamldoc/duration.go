package yamldoc

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Day is 24 hours. Durations know no calendar: a day of 23 or 25 hours is not their business.
const Day = 24 * time.Hour

var errDuration = errors.New("must be a duration such as 50ms, 30m, 12h or 7d")

// ParseDuration reads a duration as time.ParseDuration does and knows days too: "30d", "1d12h", "90m", "50ms". Days are
// whole and come first. A bare number is refused, since its unit would be a guess; "0" is no exception.
func ParseDuration(s string) (time.Duration, error) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits == len(s) || s[digits] != 'd' {
		return parseClock(s)
	}
	days, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil || days > math.MaxInt64/int64(Day) {
		return 0, errDuration
	}
	total := time.Duration(days) * Day
	rest := s[digits+1:]
	if rest == "" {
		return total, nil
	}
	clock, err := parseClock(rest)
	if err != nil || clock < 0 || rest[0] == '+' || clock > math.MaxInt64-total {
		return 0, errDuration
	}
	return total + clock, nil
}

func parseClock(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || s == "0" || s == "+0" || s == "-0" {
		return 0, errDuration
	}
	return d, nil
}

// FormatDuration writes d so that ParseDuration reads it back: 30d, 1d12h, 1h30m, 50ms.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if d < 0 {
		return d.String()
	}
	var b strings.Builder
	if days := d / Day; days > 0 {
		b.WriteString(strconv.FormatInt(int64(days), 10) + "d")
		d %= Day
	}
	if d == 0 {
		return b.String()
	}
	clock := d.String()
	if strings.HasSuffix(clock, "m0s") {
		clock = strings.TrimSuffix(clock, "0s")
	}
	if strings.HasSuffix(clock, "h0m") {
		clock = strings.TrimSuffix(clock, "0m")
	}
	b.WriteString(clock)
	return b.String()
}
