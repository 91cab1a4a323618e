package schemas

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

func TestParseTimeAgainstTimePackage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 5))
	for range 50_000 {
		at := time.UnixMilli(random.Int64N(int64(MaxMillis)) + 1).Add(time.Duration(random.Int64N(1e6))) // never before
		zone := time.FixedZone("", (random.IntN(2*1439)-1439)*60)
		text := at.In(zone).Format([]string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z07:00"}[random.IntN(2)])
		if len(text) < 20 || text[4] != '-' {
			continue // a year of five digits in that zone
		}
		m, err := ParseTime(text)
		if err != nil || m != MillisOf(at) {
			t.Fatalf("ParseTime(%s) = %s, %v; want %s", text, m, err, MillisOf(at))
		}
		if want := at.UTC().Format("2006-01-02T15:04:05.000Z"); m.String() != want {
			t.Fatalf("%d prints %s, want %s", m, m, want)
		}
		// One wrong byte: refused, or what the time package reads.
		i := random.IntN(len(text))
		wrong := text[:i] + string("0123456789:-+.TZ "[random.IntN(17)]) + text[i+1:]
		theirs, theirErr := time.Parse(time.RFC3339, wrong)
		ours, ourErr := ParseTime(wrong)
		switch {
		case ourErr == nil && theirErr == nil && ours == MillisOf(theirs):
		case ourErr == nil && theirErr != nil && wrong[17:19] == "60":
		case ourErr != nil && theirErr != nil:
		case ourErr != nil && (wrong[len(wrong)-5:len(wrong)-3] == "24" || wrong[len(wrong)-2:] == "60"):
			// The time package takes zones such as +24:00 and +01:60.
		case ourErr != nil && (MillisOf(theirs) <= 0 || MillisOf(theirs) > MaxMillis):
		default:
			t.Fatalf("ParseTime(%s) = %s, %v; the time package has %s, %v", wrong, ours, ourErr, theirs, theirErr)
		}
	}
}

func TestEveryDay(t *testing.T) {
	day := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; day.Year() < 10_000; n++ {
		year, month, dayOfMonth := dateOf(n)
		if year != day.Year() || month != int(day.Month()) || dayOfMonth != day.Day() || daysOf(year, month, dayOfMonth) != n {
			t.Fatalf("day %d is %d-%d-%d, want %s", n, year, month, dayOfMonth, day)
		}
		day = day.AddDate(0, 0, 1)
	}
}

func TestMillisString(t *testing.T) {
	for m, want := range map[Millis]string{
		0:             "",
		1:             "1970-01-01T00:00:00.001Z",
		-1:            "1969-12-31T23:59:59.999Z",
		1772359200250: "2026-03-01T10:00:00.250Z",
		MaxMillis:     "9999-12-31T23:59:59.999Z",
		MaxMillis + 1: "10000-01-01T00:00:00.000Z",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d prints %s, want %s", int64(m), got, want)
		}
	}
}

func TestParseTimeRefusesZones(t *testing.T) {
	for text, detail := range map[string]string{
		"2026-03-01T10:00:00":       noZone,
		"2026-03-01T10:00:00.5":     noZone,
		"2026-03-01T10:00:00+24:00": notATime,
		"2026-03-01T10:00:00+01:60": notATime,
		"2026-03-01T10:00:00+1:00":  notATime,
		"2026-03-01T10:00:00ZZ":     notATime,
		"":                          notATime,
	} {
		_, err := ParseTime(text)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Reason != ReasonBadTime || refusal.Detail != detail {
			t.Errorf("%s: %v, want %s", text, err, detail)
		}
	}
}
