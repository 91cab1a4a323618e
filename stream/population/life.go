package population

// Milliseconds.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// deed is what an event is.
type deed uint8

const (
	touch      deed = iota // a touch of the campaign
	activity               // a page view
	identify               // signing in, or the CRM's record of a person
	conversion             // of the name
	call                   // a booking by phone: a conversion that is a touch of the campaign too
	refund                 // of the conversion
)

// ids are the identifiers that an event carries, as a set.
type ids uint8

const (
	withCookie ids = 1 << iota
	withDevice
	withEmail
	withPhone
	withUser
	withCRM
)

// event is one thing that happens, small because many wait for their arrival. Texts are made when it is written.
type event struct {
	at, arrival int64 // milliseconds since 1970
	person      uint32
	number      uint16 // of the person's events
	deed        deed
	ids         ids
	browser     uint8
	way         uint8 // in which e-mail and phone are written
	campaign    uint8
	name        uint8 // of the conversion: index of conversionNames
	conversion  uint8 // its number among the person's conversions
	copy        uint8 // 0: the record itself; 1: its duplicate; 2: its broken twin
	cents       int32 // value or amount
}

var conversionNames = [...]string{"lead", "booking", "purchase"}

const (
	lead = iota
	booking
	purchase
)

const maxConversions = 64

// life is a person's events in the making.
type life struct {
	*Config
	person
	random
	end    int64 // nothing happens after it
	events []event

	emailKnown  bool // she gave her address, so newsletters reach her
	conversions uint8
}

// lifeOf invents the life that begins at start and appends its events to buffer. None is before start; a refund stands
// before events that come earlier. Only the arrival is still open.
func (c *Config) lifeOf(index uint64, start int64, buffer []event) (person, []event) {
	r := randomOf(c.Seed, index)
	p := c.personOf(index, &r)
	l := life{Config: c, person: p, random: r, events: buffer, end: c.endOf()}
	l.live(start)
	return p, l.events
}

func (c *Config) endOf() int64 { return c.Start.UnixMilli() + int64(c.Days)*day }

// live goes from visit to visit.
func (l *life) live(t int64) {
	caller := l.chance(l.Callers)
	for visits := int64(0); t < l.end && visits < 60; visits++ {
		t = l.visit(t, visits)
		bought := l.maybeBuy(&t, visits)
		if caller && l.chance(0.3) {
			t += hour + l.skewed(2*day)
			l.callIn(t)
			caller = false
		}
		switch {
		case bought && !l.chance(0.4), !bought && l.chance(0.22):
			return
		case bought:
			t += 2*day + l.skewed(40*day)
		default:
			t += hour + l.skewed(9*day)
		}
		if l.emailKnown && l.chance(0.35) {
			l.add(t-l.between(10*minute, hour), event{deed: touch, campaign: newsletterOpen, ids: withEmail})
		}
	}
}

// visit is one session: perhaps an advertisement seen before, the click that begins it, some pages, perhaps a sign-in or a
// form. It returns the time of its end.
func (l *life) visit(t, visits int64) int64 {
	browser := uint8(0)
	if visits > 0 && l.chance(0.5) {
		browser = uint8(l.below(int64(l.browsers)))
	}
	who := withCookie
	if l.app && browser == 0 && l.chance(0.4) {
		who |= withDevice
	}
	here := func(e event) { e.browser, e.ids = browser, e.ids|who; l.add(t, e) }
	if l.chance(0.3) {
		here(event{deed: touch, campaign: uint8(firstImpression + l.below(impressions))})
		t += second + l.skewed(3*hour)
	}
	entrance := l.entrance(visits)
	if entrance == newsletterClick {
		here(event{deed: touch, campaign: entrance, ids: withEmail})
	} else {
		here(event{deed: touch, campaign: entrance})
	}
	for range l.between(0, 3) {
		t += 5*second + l.skewed(8*minute)
		here(event{deed: activity})
	}
	if l.account && l.chance(0.3) {
		t += 5*second + l.below(minute)
		who |= withUser
		carries := ids(0)
		if l.chance(0.7) {
			carries, l.emailKnown = withEmail, true
		}
		here(event{deed: identify, ids: carries | l.phoneWithChance(0.4)})
	}
	if !l.emailKnown && l.chance(0.07) {
		t += 20*second + l.below(2*minute)
		l.emailKnown = true
		l.convert(t, event{deed: conversion, name: lead, browser: browser, ids: who | withEmail | l.phoneWithChance(0.3)})
	}
	return t + 10*second
}

// maybeBuy ends a visit with a purchase, the more likely the more visits there were. It moves t to the end of the order.
func (l *life) maybeBuy(t *int64, visits int64) bool {
	if len(l.events) == 0 || !l.chance(float64(60+20*min(visits, 6))/1000) {
		return false
	}
	last := l.events[len(l.events)-1]
	*t += minute + l.skewed(10*minute)
	carries := last.ids&(withCookie|withDevice) | withEmail | l.phoneWithChance(0.6)
	if l.account {
		carries |= withUser
	}
	l.emailKnown = true
	bought := l.convert(*t, event{deed: conversion, name: purchase, browser: last.browser, ids: carries, cents: l.price()})
	if l.chance(0.6) {
		*t += minute + l.skewed(hour)
		l.add(*t, event{deed: identify, ids: withCRM | withEmail | l.phoneWithChance(0.8)})
		if bought != nil && l.chance(l.Refunds) {
			l.takeBack(*t+day+l.skewed(20*day), *bought)
		}
	}
	return true
}

// price is 5 to some hundred dollars.
func (l *life) price() int32 { return int32(500 + l.skewed(20_000) + l.skewed(20_000)) }

// takeBack refunds a purchase; every third one wholly.
func (l *life) takeBack(t int64, bought event) {
	cents := bought.cents
	if !l.chance(0.33) {
		cents = 100 + int32(l.below(int64(cents-100)))
	}
	l.add(t, event{deed: refund, ids: withCRM, name: bought.name, conversion: bought.conversion, cents: cents})
}

// callIn is a call that ends with a booking. Six of ten callers dial the number that the page shows to their cookie.
func (l *life) callIn(t int64) {
	if !l.hasPhone {
		return
	}
	e := event{deed: call, name: booking, campaign: phoneCall, ids: withPhone, cents: l.price()}
	if l.chance(0.6) {
		e.ids |= withCookie
	}
	if l.callCentre { // the centre knows its own number only
		e.ids |= withCRM
	}
	l.convert(t, e)
}

func (l *life) phoneWithChance(p float64) ids {
	if l.hasPhone && l.chance(p) {
		return withPhone
	}
	return 0
}

// convert adds a conversion, unless the person has the most that she can have. It returns a copy of it, or nil.
func (l *life) convert(t int64, e event) *event {
	if l.conversions == maxConversions || t >= l.end {
		return nil
	}
	e.conversion = l.conversions
	l.conversions++
	l.add(t, e)
	return &e
}

// add appends an event if the period is not over.
func (l *life) add(t int64, e event) {
	if t >= l.end || len(l.events) >= 1<<16-1 {
		return
	}
	e.at, e.person, e.number, e.way = t, uint32(l.index), uint16(len(l.events)), uint8(l.next())
	l.events = append(l.events, e)
}
