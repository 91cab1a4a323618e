package journey

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"tributary/schemas"
)

// A random journey is small and cramped, so that equal times, gaps of exactly the timeout and touches on the edge of a
// lookback are common. Times are whole minutes but for a few; the timeout is a few minutes, lookbacks are tens.

type journeyCase struct {
	rules       Rules
	touches     []Touch
	conversions []Conversion
}

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/St_Johns", "Asia/Beirut",
	"America/Havana", "Pacific/Apia", "Antarctica/Troll"}

// starts are times near which something happens in one of the zones: midnights and changes of the clock.
var starts = []string{"2026-03-01T23:40:00Z", "2026-03-29T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-24T23:00:00Z",
	"2026-03-08T06:40:00Z", "2026-11-01T05:30:00Z", "2026-11-01T04:30:00Z", "2005-10-30T02:10:00Z", "2026-03-28T21:50:00Z",
	"2011-12-30T09:45:00Z", "1970-01-01T00:10:00Z"}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func randomRules(rng *rand.Rand) Rules {
	minutes := func(from ...int) time.Duration { return time.Duration(pick(rng, from...)) * time.Minute }
	zone, err := time.LoadLocation(pick(rng, zones...))
	if err != nil {
		panic(err)
	}
	r := Rules{
		SessionTimeout: minutes(1, 5, 10, 30),
		SessionRules:   pick(rng, "", GA4, UA, UA, Matomo, Matomo),
		Timezone:       pick(rng, nil, zone, zone, zone),
		TouchUnit:      pick(rng, "", UnitTouch, UnitSession, UnitSession),
		Lookback:       Lookback{Default: minutes(3, 20, 60, 600)},
	}
	if rng.IntN(2) == 0 {
		r.Lookback.ByKind = map[string]time.Duration{"impression": minutes(1, 10, 90)}
	}
	if rng.IntN(2) == 0 {
		r.Memory = minutes(5, 60, 600)
	}
	if rng.IntN(4) > 0 {
		r.Conversions = map[string]ConversionRule{}
	}
	for _, name := range []string{"sale", "lead"} {
		if r.Conversions != nil && rng.IntN(3) > 0 {
			r.Conversions[name] = ConversionRule{
				Occurrence: pick(rng, "", Every, First),
				Lookback:   minutes(0, 0, 10, 120),
				Reset:      rng.IntN(2) == 0,
			}
		}
	}
	return r
}

func randomCase(rng *rand.Rand) journeyCase {
	start, err := time.Parse(time.RFC3339, pick(rng, starts...))
	if err != nil {
		panic(err)
	}
	c := journeyCase{rules: randomRules(rng)}
	span := pick(rng, 5, 40, 200, 1600)
	when := func() schemas.Millis {
		at := schemas.MillisOf(start).Add(time.Duration(rng.IntN(span)) * time.Minute)
		if rng.IntN(8) == 0 {
			at += schemas.Millis(rng.IntN(3) - 1)
		}
		return max(at, 1)
	}
	n, m := rng.IntN(pick(rng, 4, 12, 40)), 1+rng.IntN(pick(rng, 2, 5))
	event := func() string { return fmt.Sprintf("e%02d", rng.IntN(2*(n+m))) }
	for range n {
		c.touches = append(c.touches, randomTouch(rng, event(), when()))
	}
	for i := range m {
		conv := Conversion{ID: fmt.Sprintf("c%d", rng.IntN(10)*10+i), EventID: event(), At: when(),
			Name: pick(rng, "sale", "sale", "lead", "call"), Value: 100, Net: 100, Currency: "USD"}
		if rng.IntN(6) == 0 {
			conv.Net, conv.Refunded = 0, true
		}
		c.conversions = append(c.conversions, conv)
		if rng.IntN(3) == 0 {
			c.touches = append(c.touches, randomTouch(rng, conv.EventID, conv.At))
		}
	}
	return c
}

func randomTouch(rng *rand.Rand, id string, at schemas.Millis) Touch {
	t := Touch{EventID: id, At: at, Activity: rng.IntN(4) == 0}
	if !t.Activity {
		t.Kind = pick(rng, "click", "click", "impression")
		t.Channel = pick(rng, Direct, "search", "email")
		t.Source = pick(rng, "", "", "google")
		t.Medium = pick(rng, "", "", "cpc")
		t.Campaign = pick(rng, "", "", "spring", "Spring", "summer")
		t.CampaignID = pick(rng, "", "", "", "7")
		t.Keyword = pick(rng, "", "", "", "shoes")
		t.AdID = pick(rng, "", "", "", "", "9")
		t.Creative = pick(rng, "", "", "", "", "b")
	}
	t.Content = fmt.Appendf(nil, "%+v", t)
	return t
}

// flat is a path with its touches' values in place of pointers.
type flat struct {
	Conversion Conversion
	Verdict    Verdict
	Touches    []string
	Summary    Summary
}

func flatten(paths []Path) []flat {
	var out []flat
	for _, p := range paths {
		f := flat{Conversion: p.Conversion, Verdict: p.Verdict, Summary: p.Summary}
		for _, s := range p.Touches {
			f.Touches = append(f.Touches, fmt.Sprintf("session %d: %s %d %s", s.Session, s.Touch.EventID, s.Touch.At, s.Touch.Content))
		}
		out = append(out, f)
	}
	return out
}

func (c journeyCase) fail(t *testing.T, seed uint64, what string, got, want any) {
	t.Helper()
	t.Fatalf("seed %d: %s\nrules %+v in %v\ntouches %+v\nconversions %+v\n got %+v\nwant %+v",
		seed, what, c.rules, c.rules.Timezone, c.touches, c.conversions, got, want)
}

var seedFlag = flag.Uint64("seed", 0, "play the one random case of this seed instead of new ones")

// randomCases plays n new random cases. A case that fails prints the seed that plays it again: go test -run Name -seed N.
func randomCases(t *testing.T, n int, play func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase)) {
	if testing.Short() {
		n /= 10
	}
	base := uint64(time.Now().UnixNano())
	if *seedFlag != 0 {
		n, base = 1, *seedFlag
	}
	for i := range n {
		seed := base + uint64(i)
		rng := rand.New(rand.NewPCG(seed, 1))
		play(t, seed, rng, randomCase(rng))
	}
	t.Logf("%d cases from seed %d", n, base)
}

func TestPathsEqualTheNaiveTwin(t *testing.T) {
	steps, sessions, verdicts := 0, 0, map[Verdict]int{}
	randomCases(t, 60_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		if err := c.rules.Validate(); err != nil {
			t.Fatalf("seed %d: rules of the test: %v", seed, err)
		}
		got := c.rules.Paths(c.touches, c.conversions, nil)
		want := naivePaths(c.rules, c.touches, c.conversions)
		if !reflect.DeepEqual(flatten(got), flatten(want)) {
			c.fail(t, seed, "paths", flatten(got), flatten(want))
		}
		for _, p := range got {
			steps, sessions = steps+len(p.Touches), sessions+p.Summary.Sessions
			verdicts[p.Verdict]++
		}
	})
	t.Logf("%d steps, %d sessions, verdicts %v", steps, sessions, verdicts)
}

func TestOrderOfArrivalAndRepeatsChangeNothing(t *testing.T) {
	randomCases(t, 20_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		want := flatten(c.rules.Paths(c.touches, c.conversions, nil))
		touches, conversions := slices.Clone(c.touches), slices.Clone(c.conversions)
		for range rng.IntN(5) {
			if len(touches) > 0 {
				touches = append(touches, pick(rng, touches...))
			}
		}
		rng.Shuffle(len(touches), func(i, j int) { touches[i], touches[j] = touches[j], touches[i] })
		rng.Shuffle(len(conversions), func(i, j int) { conversions[i], conversions[j] = conversions[j], conversions[i] })
		before, beforeConversions := slices.Clone(touches), slices.Clone(conversions)

		got := flatten(c.rules.Paths(touches, conversions, nil))
		if !reflect.DeepEqual(got, want) {
			c.fail(t, seed, "shuffled", got, want)
		}
		if !reflect.DeepEqual(touches, before) || !reflect.DeepEqual(conversions, beforeConversions) {
			c.fail(t, seed, "the input was changed", touches, before)
		}
	})
}

func TestWantPicksAmongTheSamePaths(t *testing.T) {
	randomCases(t, 10_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		some := map[string]bool{}
		for _, conv := range c.conversions {
			some[conv.ID] = rng.IntN(2) == 0
		}
		want := slices.DeleteFunc(flatten(c.rules.Paths(c.touches, c.conversions, nil)), func(f flat) bool {
			return !some[f.Conversion.ID]
		})
		got := flatten(c.rules.Paths(c.touches, c.conversions, func(id string) bool { return some[id] }))
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			c.fail(t, seed, "wanted paths", got, want)
		}
	})
}

// stored is what a store keeps: one touch an event id.
func stored(touches []Touch) []Touch {
	var out []Touch
	for _, t := range merged(touches) {
		out = append(out, *t)
	}
	return out
}

func one(c journeyCase, id string) flat {
	return flatten(c.rules.Paths(c.touches, c.conversions, func(i string) bool { return i == id }))[0]
}

func TestTheWindowIsEnough(t *testing.T) {
	left := 0
	randomCases(t, 20_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		c.touches = stored(c.touches)
		for _, conv := range c.conversions {
			from, to := c.rules.Window(conv)
			if reach := conv.At.Add(-c.rules.Reach()); from < reach {
				c.fail(t, seed, "the window is wider than Reach", from, reach)
			}
			part := c
			outside := func(at schemas.Millis) bool { return at < from || at > to }
			part.touches = slices.DeleteFunc(slices.Clone(c.touches), func(t Touch) bool {
				return outside(t.At) && rng.IntN(8) > 0 // more than the window does no harm
			})
			part.conversions = slices.DeleteFunc(slices.Clone(c.conversions), func(o Conversion) bool {
				return outside(o.At) && c.rules.Conversions[o.Name].Occurrence != First
			})
			left += len(c.touches) - len(part.touches)
			if got, want := one(part, conv.ID), one(c, conv.ID); !reflect.DeepEqual(got, want) {
				c.fail(t, seed, "path of "+conv.ID+" from its window", got, want)
			}
		}
	})
	if left == 0 {
		t.Error("no window left a touch out: the test shows nothing")
	}
	t.Logf("%d touches left out", left)
}

func TestWhatIsNotAffectedStays(t *testing.T) {
	spared, changed := 0, 0
	randomCases(t, 20_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		c.touches = stored(c.touches)
		if len(c.touches) == 0 {
			return
		}
		i := rng.IntN(len(c.touches))
		gone := c.touches[i]
		less := c
		less.touches = slices.Delete(slices.Clone(c.touches), i, i+1)
		for _, conv := range c.conversions {
			same := reflect.DeepEqual(one(less, conv.ID), one(c, conv.ID))
			affected := c.rules.Affected(gone.At, conv)
			if !affected && !same {
				c.fail(t, seed, "path of "+conv.ID+" without "+gone.EventID, one(less, conv.ID), one(c, conv.ID))
			}
			if !affected {
				spared++
			}
			if !same {
				changed++
			}
		}
	})
	if spared == 0 || changed == 0 {
		t.Error("nothing spared or nothing changed: the test shows nothing")
	}
	t.Logf("%d spared, %d changed", spared, changed)
}

func TestWhatAConversionDoesNotAffectStays(t *testing.T) {
	spared, changed, uncoupled := 0, 0, 0
	randomCases(t, 30_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		c.touches = stored(c.touches)
		if name := pick(rng, "", "sale", "lead"); name != "" && c.rules.Conversions != nil {
			c.rules.Conversions[name] = ConversionRule{Occurrence: First, Reset: true} // the farthest reach of all
		}
		i := rng.IntN(len(c.conversions))
		gone := c.conversions[i]
		less := c
		less.conversions = slices.Delete(slices.Clone(c.conversions), i, i+1)
		refunded := c
		refunded.conversions = slices.Clone(c.conversions)
		refunded.conversions[i].Net, refunded.conversions[i].Refunded = 0, !gone.Refunded
		for _, conv := range less.conversions {
			want := one(c, conv.ID)
			got := one(less, conv.ID)
			same := reflect.DeepEqual(got, want)
			affected := c.rules.AffectedBy(gone, conv)
			if !affected && !same {
				c.fail(t, seed, "path of "+conv.ID+" without "+gone.ID, got, want)
			}
			if !affected {
				spared++
			}
			if !same {
				changed++
			}
			if !c.rules.Coupled() {
				uncoupled++
				if affected != c.rules.Affected(gone.At, conv) {
					c.fail(t, seed, "uncoupled, yet not like an activity", affected, !affected)
				}
			}
			if got := one(refunded, conv.ID); !reflect.DeepEqual(got, want) {
				c.fail(t, seed, "path of "+conv.ID+" with a refund of "+gone.ID, got, want)
			}
		}
	})
	if spared == 0 || changed == 0 || uncoupled == 0 {
		t.Error("nothing spared, changed or uncoupled: the test shows nothing")
	}
	t.Logf("%d spared, %d changed, %d uncoupled", spared, changed, uncoupled)
}

// A walk that starts at a session's first event numbers the rest as one that came from the beginning: nothing is
// remembered across a session's end.
func TestSessionsForgetWhatCameBefore(t *testing.T) {
	randomCases(t, 20_000, func(t *testing.T, seed uint64, rng *rand.Rand, c journeyCase) {
		events := merged(c.touches)
		all := make([]int32, len(events))
		s := c.rules.sessions()
		for i, e := range events {
			all[i] = s.next(e.At, e)
		}
		for i := range events {
			if i > 0 && all[i] == all[i-1] {
				continue
			}
			s := c.rules.sessions()
			for j := i; j < len(events); j++ {
				if got, want := s.next(events[j].At, events[j]), all[j]-all[i]+1; got != want {
					c.fail(t, seed, fmt.Sprintf("session of event %d when starting at %d", j, i), got, want)
				}
			}
		}
	})
}

func TestCalendarAgreesWithFormat(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		c := calendar{zone: zone}
		at := schemas.Millis(1)
		for range 20_000 {
			y, m, d := at.Time().In(zone).Date()
			want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
			if got := c.day(at); got != want {
				t.Fatalf("seed %d: %s in %s: day %d, want %d", seed, at, name, got, want)
			}
			at += schemas.Millis(rng.IntN(48 * 60 * 60 * 1000))
			if rng.IntN(50) == 0 {
				at = schemas.Millis(1 + rng.Int64N(at.Time().UnixMilli()))
			}
		}
	}
}
