package journey

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
	"time"

	"tributary/schemas"
)

// Paths returns the paths of the wanted conversions in the order of (At, EventID, ID); a nil want wants all. Touches and
// conversions are those of one customer, in any order; touches may repeat. Neither slice is changed, and the steps point
// into touches, so both must stay as they are for as long as the paths are used.
//
// The conversions that are not wanted still matter: they keep sessions alive, take the place of a first occurrence and
// start journeys anew. Window says which events may be left out.
func (r Rules) Paths(touches []Touch, conversions []Conversion, want func(id string) bool) []Path {
	convs := inOrder(conversions)
	wanted := 0
	for _, c := range convs {
		if want == nil || want(c.ID) {
			wanted++
		}
	}
	if wanted == 0 {
		return nil
	}

	t := timeline{rules: r, credit: r.credit(merged(touches), convs)}
	repeats := r.repeats(convs)
	paths := make([]Path, 0, wanted)
	for _, c := range convs {
		rule := r.Conversions[c.Name]
		first := !repeats[c]
		t.reach(c.place())
		if want == nil || want(c.ID) {
			paths = append(paths, t.path(c, rule, first))
		}
		if rule.Reset && first {
			t.reset = c.place()
		}
	}
	return paths
}

// inOrder returns the conversions in the order of (At, EventID, ID).
func inOrder(conversions []Conversion) []*Conversion {
	convs := make([]*Conversion, len(conversions))
	for i := range conversions {
		convs[i] = &conversions[i]
	}
	slices.SortFunc(convs, func(a, b *Conversion) int {
		if c := a.place().compare(b.place()); c != 0 {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return convs
}

// merged returns the touches in the order of (At, EventID), of those with one event id the one that wins.
func merged(touches []Touch) []*Touch {
	order := make([]*Touch, len(touches))
	for i := range touches {
		order[i] = &touches[i]
	}
	slices.SortFunc(order, func(a, b *Touch) int {
		if c := a.place().compare(b.place()); c != 0 {
			return c
		}
		return bytes.Compare(a.Content, b.Content)
	})
	seen := make(map[string]struct{}, len(order))
	return slices.DeleteFunc(order, func(t *Touch) bool {
		_, again := seen[t.EventID]
		seen[t.EventID] = struct{}{}
		return again // an earlier one in this order has the smaller (At, Content)
	})
}

// repeats returns the conversions of names that count once that have an earlier one of their name, by (At, ID), within the
// memory. The id rather than the event id settles equal times, so that stating a conversion again does not pass the place
// on. Refunds do not matter: what was taken back still was the first.
func (r Rules) repeats(convs []*Conversion) map[*Conversion]bool {
	var once []*Conversion
	for _, c := range convs {
		if r.Conversions[c.Name].Occurrence == First {
			once = append(once, c)
		}
	}
	if len(once) < 2 {
		return nil
	}
	slices.SortFunc(once, func(a, b *Conversion) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	repeated := make(map[*Conversion]bool)
	last := make(map[string]*Conversion)
	for _, c := range once {
		before := last[c.Name]
		last[c.Name] = c
		if before != nil && (r.Memory == 0 || before.At >= c.At-millis(r.Memory)) {
			repeated[c] = true
		}
	}
	return repeated
}

// candidate is a touch that can earn credit, with all that a conversion asks of it.
type candidate struct {
	touch    *Touch
	at       schemas.Millis
	lookback schemas.Millis // the kind's own, or -1
	session  int32
}

// credit walks all events in order and returns the touches that are no activities with their sessions. At one place the
// touch comes before its conversion; the sessions of touches would be the same the other way round.
func (r Rules) credit(touches []*Touch, convs []*Conversion) []candidate {
	s := r.sessions()
	out := make([]candidate, 0, len(touches))
	for _, t := range touches {
		for len(convs) > 0 && convs[0].place().compare(t.place()) < 0 {
			s.next(convs[0].At, nil)
			convs = convs[1:]
		}
		session := s.next(t.At, t)
		if t.Activity {
			continue
		}
		c := candidate{touch: t, at: t.At, lookback: -1, session: session}
		if d, ok := r.Lookback.ByKind[t.Kind]; ok {
			c.lookback = millis(d)
		}
		out = append(out, c)
	}
	return out
}

// timeline is a customer's creditable touches in order, and how far the walk over the conversions has come.
type timeline struct {
	rules  Rules
	credit []candidate
	start  int   // index of the first touch that no reset hides from the conversion at hand
	reset  place // of the latest reset, which hides nothing from a conversion at its own place
	steps  []Step
}

// reach moves on to the conversions at p.
func (t *timeline) reach(p place) {
	if t.reset.compare(p) < 0 {
		t.start = max(t.start, t.after(t.reset))
	}
}

// after returns the index of the first touch behind p.
func (t *timeline) after(p place) int {
	return sort.Search(len(t.credit), func(i int) bool { return t.credit[i].touch.place().compare(p) > 0 })
}

func (t *timeline) path(c *Conversion, rule ConversionRule, first bool) Path {
	p := Path{Conversion: *c}
	if !first {
		p.Verdict = NotFirstOccurrence
		return p
	}
	if c.Refunded {
		p.Verdict = Refunded
		return p
	}

	own := millis(t.rules.lookback(c.Name))
	from := c.At - millis(t.rules.farthest(c.Name))
	lo := max(t.start, sort.Search(len(t.credit), func(i int) bool { return t.credit[i].at >= from }))
	hi := t.end(c, rule)
	t.steps = slices.Grow(t.steps[:0], max(0, hi-lo))
	session := int32(0)
	for i := lo; i < hi; i++ {
		touch := &t.credit[i]
		lookback := touch.lookback
		if lookback < 0 {
			lookback = own
		}
		if c.At-touch.at > lookback {
			continue
		}
		if p.Summary.Touches == 0 {
			p.Summary.FirstTouchAt = touch.at
		}
		p.Summary.Touches++
		opens := touch.session != session // sessions count from 1
		if opens {
			session = touch.session
			p.Summary.Sessions++
		}
		t.keep(Step{touch.touch, p.Summary.Sessions}, opens)
	}
	if len(t.steps) > 0 {
		p.Touches = slices.Clone(t.steps)
	}
	return p
}

// end returns the index behind the last touch that c may see. A conversion sees the touches of its own millisecond; one
// that starts the journey anew leaves those that stand behind it to the next journey.
func (t *timeline) end(c *Conversion, rule ConversionRule) int {
	if rule.Reset {
		return t.after(c.place())
	}
	return sort.Search(len(t.credit), func(i int) bool { return t.credit[i].at > c.At })
}

// keep adds a step as the touch unit asks. Opens says that it is its session's first eligible touch.
func (t *timeline) keep(s Step, opens bool) {
	if t.rules.TouchUnit != UnitSession || opens {
		t.steps = append(t.steps, s)
		return
	}
	kept := &t.steps[len(t.steps)-1]
	if kept.Touch.Channel == Direct && s.Touch.Channel != Direct {
		*kept = s
	}
}

func millis(d time.Duration) schemas.Millis { return schemas.Millis(d.Milliseconds()) }
