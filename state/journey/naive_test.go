package journey

import (
	"bytes"
	"sort"
	"strings"
	"time"

	"tributary/schemas"
)

// naivePaths is the rules once more, as they read: nothing is remembered from one conversion, session or event to the
// next, everything is looked for among everything. It shares no code with Paths beyond the types.
func naivePaths(r Rules, touches []Touch, conversions []Conversion) []Path {
	journey := naiveJourney(touches, conversions)
	var paths []Path
	for _, e := range journey {
		if e.conversion != nil {
			paths = append(paths, naivePath(r, journey, e))
		}
	}
	return paths
}

type naiveEvent struct {
	at         schemas.Millis
	id         string
	touch      *Touch
	conversion *Conversion
}

func naiveBefore(a, b naiveEvent) bool { return a.at < b.at || a.at == b.at && a.id < b.id }

// naiveJourney is rule 2: deduplicated, in order. Touches stand before conversions with the same time and event id.
func naiveJourney(touches []Touch, conversions []Conversion) []naiveEvent {
	var all []naiveEvent
	for i := range touches {
		t := &touches[i]
		beaten := false
		for j := range touches {
			o := &touches[j]
			if o.EventID != t.EventID || i == j {
				continue
			}
			content := bytes.Compare(o.Content, t.Content)
			smaller := o.At < t.At || o.At == t.At && content < 0
			same := o.At == t.At && content == 0
			beaten = beaten || smaller || same && j < i
		}
		if !beaten {
			all = append(all, naiveEvent{at: t.At, id: t.EventID, touch: t})
		}
	}
	byID := append([]Conversion(nil), conversions...)
	sort.Slice(byID, func(i, j int) bool { return byID[i].ID < byID[j].ID })
	for i := range byID {
		all = append(all, naiveEvent{at: byID[i].At, id: byID[i].EventID, conversion: &byID[i]})
	}
	sort.SliceStable(all, func(i, j int) bool { return naiveBefore(all[i], all[j]) })
	return all
}

func naivePath(r Rules, journey []naiveEvent, me naiveEvent) Path {
	c := me.conversion
	if !naiveCounts(r, journey, c) {
		return Path{Conversion: *c, Verdict: NotFirstOccurrence}
	}
	if c.Refunded {
		return Path{Conversion: *c, Verdict: Refunded}
	}
	p := Path{Conversion: *c}
	sessionsSeen := map[int]int{}
	for i, e := range journey {
		if e.touch == nil || !naiveEligible(r, journey, me, e) {
			continue
		}
		start := naiveSessionStart(r, journey, i)
		if sessionsSeen[start] == 0 {
			sessionsSeen[start] = len(sessionsSeen) + 1
		}
		if p.Summary.FirstTouchAt == 0 {
			p.Summary.FirstTouchAt = e.at
		}
		p.Summary.Touches++
		p.Touches = append(p.Touches, Step{Touch: e.touch, Session: sessionsSeen[start]})
	}
	p.Summary.Sessions = len(sessionsSeen)
	if r.TouchUnit != "session" {
		return p
	}

	var kept []Step
	for n := 1; n <= p.Summary.Sessions; n++ {
		var first, firstNotDirect *Step
		for i := range p.Touches {
			s := &p.Touches[i]
			if s.Session == n && first == nil {
				first = s
			}
			if s.Session == n && firstNotDirect == nil && s.Touch.Channel != "direct" {
				firstNotDirect = s
			}
		}
		if firstNotDirect != nil {
			first = firstNotDirect
		}
		kept = append(kept, *first)
	}
	p.Touches = kept
	return p
}

// naiveCounts is the first half of rule 5.
func naiveCounts(r Rules, journey []naiveEvent, c *Conversion) bool {
	if r.Conversions[c.Name].Occurrence != "first" {
		return true
	}
	for _, e := range journey {
		o := e.conversion
		if o == nil || o.Name != c.Name {
			continue
		}
		if r.Memory > 0 && o.At < c.At.Add(-r.Memory) {
			continue
		}
		if o.At < c.At || o.At == c.At && o.ID < c.ID {
			return false
		}
	}
	return true
}

// naiveEligible is rule 3 and the second half of rule 5.
func naiveEligible(r Rules, journey []naiveEvent, me, e naiveEvent) bool {
	if e.touch.Activity {
		return false
	}
	rule := r.Conversions[me.conversion.Name]
	lookback := r.Lookback.Default
	if rule.Lookback > 0 {
		lookback = rule.Lookback
	}
	if d, ok := r.Lookback.ByKind[e.touch.Kind]; ok {
		lookback = d
	}
	if e.at > me.at || me.at.Time().Sub(e.at.Time()) > lookback {
		return false
	}
	if rule.Reset && naiveBefore(me, e) {
		return false
	}
	for _, other := range journey {
		resets := other.conversion != nil && r.Conversions[other.conversion.Name].Reset &&
			naiveCounts(r, journey, other.conversion)
		if resets && naiveBefore(other, me) && !naiveBefore(other, e) {
			return false
		}
	}
	return true
}

// naiveSessionStart returns the index of the event that began event i's session.
func naiveSessionStart(r Rules, journey []naiveEvent, i int) int {
	start := 0
	for j := 1; j <= i; j++ {
		if naiveOpens(r, journey, start, j) {
			start = j
		}
	}
	return start
}

// naiveOpens says whether event j opens a session when the running one began at start.
func naiveOpens(r Rules, journey []naiveEvent, start, j int) bool {
	e, before := journey[j], journey[j-1]
	if e.at.Time().Sub(before.at.Time()) > r.SessionTimeout {
		return true
	}
	if r.SessionRules != "ua" && r.SessionRules != "matomo" {
		return false
	}
	zone := r.Timezone
	if zone == nil {
		zone = time.UTC
	}
	if e.at.Time().In(zone).Format(time.DateOnly) != before.at.Time().In(zone).Format(time.DateOnly) {
		return true
	}

	if e.touch == nil || !naiveComesFrom(e.touch) {
		return false
	}
	var source *Touch
	for k := j - 1; k >= start; k-- {
		if t := journey[k].touch; t != nil && naiveComesFrom(t) {
			source = t
		}
	}
	if r.SessionRules == "ua" {
		return source == nil || naiveWords(source) != naiveWords(e.touch)
	}
	if source == nil {
		return false
	}
	name := func(t *Touch) string {
		if t.Campaign == "" {
			return strings.ToLower(t.CampaignID)
		}
		return strings.ToLower(t.Campaign)
	}
	if name(e.touch) == "" {
		return false
	}
	sameKeyword := e.touch.Keyword == "" || strings.ToLower(e.touch.Keyword) == strings.ToLower(source.Keyword)
	return name(e.touch) != name(source) || !sameKeyword
}

func naiveComesFrom(t *Touch) bool {
	if t.Activity {
		return false
	}
	if t.Campaign != "" || t.CampaignID != "" {
		return true
	}
	return t.Channel != "direct" && naiveWords(t) != [7]string{}
}

func naiveWords(t *Touch) [7]string {
	return [7]string{t.Source, t.Medium, t.Campaign, t.CampaignID, t.AdID, t.Creative, t.Keyword}
}
