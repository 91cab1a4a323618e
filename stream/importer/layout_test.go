package importer

import (
	"fmt"
	"testing"
	"time"
)

func TestLayouts(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ layout, text, want string }{
		{"rfc3339", "2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00.000Z"},
		{"rfc3339", " 2026-03-01T10:00:00.25Z ", "2026-03-01T10:00:00.250Z"},
		{"unix", "1772359200", "2026-03-01T10:00:00.000Z"},
		{"unix", "1772359200.2509", "2026-03-01T10:00:00.250Z"},
		{"unix_ms", "1772359200250", "2026-03-01T10:00:00.250Z"},
		{"%d.%m.%Y %H:%M", "01.03.2026 10:00", "2026-03-01T09:00:00.000Z"},
		{"%d.%m.%Y %H:%M", "01.07.2026 10:00", "2026-07-01T08:00:00.000Z"},
		{"%Y-%m-%d %H:%M:%S", "2026-03-01 10:00:00.5", "2026-03-01T09:00:00.500Z"},
		{"%Y-%m-%dT%H:%M:%S%z", "2026-03-01T10:00:00-0500", "2026-03-01T15:00:00.000Z"},
		{"%m/%d/%y %I:%M %p", "03/01/26 10:00 PM", "2026-03-01T21:00:00.000Z"},
		{"%F", "2026-03-01", "2026-02-28T23:00:00.000Z"},
		{"%e %B %Y", "1 March 2026", "2026-02-28T23:00:00.000Z"},
		{"%Y%m%d%H%M%S", "20260301100000", "2026-03-01T09:00:00.000Z"},
		{"%Y-%j", "2026-060", "2026-02-28T23:00:00.000Z"},

		{"unix", "12x", "error: not a number of seconds or milliseconds since 1970"},
		{"unix", "-5", "error: not a number of seconds or milliseconds since 1970"},
		{"unix", "999999999999", "error: not between 1970 and 9999"},
		{"unix_ms", "0", "error: not between 1970 and 9999"},
		{"rfc3339", "2026-03-01T10:00:00", "error: bad_time: no zone"},
		{"%d.%m.%Y", "31.02.2026", "error: not a time in the form %d.%m.%Y"},
		{"%Y", "2026", "error: must be rfc3339, unix, unix_ms, or a pattern with a day, such as %Y-%m-%d %H:%M:%S"},
		{"yyyy-mm-dd", "", `error: "y" between the letters of the pattern is not supported`},
		{"%d %", "", "error: ends in %"},
		{"%Q", "", "error: %Q is not known; known are rfc3339, unix, unix_ms and %Y %y %m %d %e %b %B %a %A %j %H %I %M %S %p %z %F %T %R %D"},
	} {
		got := ""
		l, err := parseLayout(c.layout, berlin)
		if err == nil {
			at, parseErr := l.parse(c.text)
			got, err = at.String(), parseErr
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s in %q is %s, want %s", c.layout, c.text, got, c.want)
		}
	}
}

// Whatever is put side by side, a time written in a layout is read back: package time takes nothing for its own.
func TestLayoutsReadWhatTheyWrite(t *testing.T) {
	at := time.Date(2026, 11, 23, 17, 46, 58, 0, time.UTC)
	dates := []string{"%Y%m%d", "%d.%m.%Y", "%F", "%D", "%m/%d/%y", "%e-%b-%Y", "%A, %d %B %Y", "%a %b %e %Y", "%j/%Y"}
	times := []string{"%T", "%H%M%S", "%I:%M:%S %p", "%H-%M-%S", "%R:%S"}
	for _, date := range dates {
		for _, clock := range times {
			for _, between := range []string{" ", "T", "-", "", ", ", "+", "."} {
				for _, zone := range []string{"", "%z", " %z", "Z"} {
					l, err := parseLayout(date+between+clock+zone, time.UTC)
					if err != nil {
						t.Fatal(err)
					}
					text := at.Format(l.pattern)
					if got, err := l.parse(text); err != nil || got.Time() != at {
						t.Errorf("%s writes %q and reads %v, %v", fmt.Sprint(date, between, clock, zone), text, got, err)
					}
				}
			}
		}
	}
}
