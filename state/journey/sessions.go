package journey

import (
	"math"
	"strings"
	"time"

	"tributary/schemas"
)

// sessions numbers the sessions of one customer. Every event goes through next once, in the customer's order; the zero
// value with its rules set stands before the first event.
//
// What the walk remembers begins with the running session, so that it may start at any session's first event.
type sessions struct {
	timeout schemas.Millis // the longest gap inside a session
	splits  bool           // UA or Matomo: midnight and campaigns end sessions too
	changes func(source, touch *Touch) bool

	count  int32          // sessions so far, which is also the number of the running one
	last   schemas.Millis // time of the latest event
	day    int64          // local date of the latest event
	source *Touch         // the touch that brought the running session; nil: none, or not yet
	dates  calendar
}

func (r Rules) sessions() sessions {
	s := sessions{timeout: schemas.Millis(r.SessionTimeout.Milliseconds())}
	switch r.SessionRules {
	case UA:
		s.splits, s.changes = true, sourceChanged
	case Matomo:
		s.splits, s.changes = true, campaignChanged
	}
	s.dates.zone = r.Timezone
	if s.dates.zone == nil {
		s.dates.zone = time.UTC
	}
	return s
}

// next returns the number of the session that an event belongs to. Touch is nil for a conversion.
func (s *sessions) next(at schemas.Millis, touch *Touch) int32 {
	if !s.splits {
		if s.count == 0 || at-s.last > s.timeout {
			s.count++
		}
		s.last = at
		return s.count
	}

	day := s.dates.day(at)
	if s.count == 0 || at-s.last > s.timeout || day != s.day || s.changes(s.source, touch) {
		s.count++
		s.source = nil
	}
	if s.source == nil && touch != nil && touch.brings() {
		s.source = touch
	}
	s.last, s.day = at, day
	return s.count
}

// brings reports whether the touch says where the visitor came from: a campaign, or a source that is not direct.
func (t *Touch) brings() bool {
	if t.Activity {
		return false
	}
	return t.campaign() != "" || t.Channel != Direct &&
		(t.Source != "" || t.Medium != "" || t.AdID != "" || t.Creative != "" || t.Keyword != "")
}

// sourceChanged is the campaign rule of Universal Analytics: any change of the traffic source opens a new session, where
// the traffic source is utm_source, utm_medium, utm_campaign, utm_id, utm_term, utm_content and the ad's click id (Google
// Analytics help, "How a web session is defined in Universal Analytics"; announcement of 11 August 2011). A session that
// began without a source is left for one that has. A direct visit changes nothing. The ad stands in for its click id,
// which is not kept.
func sourceChanged(source, touch *Touch) bool {
	if touch == nil || !touch.brings() {
		return false
	}
	return source == nil || touch.Source != source.Source || touch.Medium != source.Medium ||
		touch.Campaign != source.Campaign || touch.CampaignID != source.CampaignID || touch.AdID != source.AdID ||
		touch.Creative != source.Creative || touch.Keyword != source.Keyword
}

// campaignChanged is the rule behind Matomo's create_new_visit_when_campaign_changes (plugins/Referrers/Columns:
// Campaign.shouldForceNewVisit and Base.isReferrerInformationNew): a campaign other than what brought the visit opens a
// new one; names and keywords are compared whatever their case, and no keyword means the same keyword. A visit that began
// without a source takes the first one that comes. Search engines, websites and social networks open none
// (create_new_visit_when_website_referrer_changes is off by default).
func campaignChanged(source, touch *Touch) bool {
	if source == nil || touch == nil || !touch.brings() || touch.campaign() == "" {
		return false
	}
	return !strings.EqualFold(touch.campaign(), source.campaign()) ||
		touch.Keyword != "" && !strings.EqualFold(touch.Keyword, source.Keyword)
}

// campaign is the campaign's name, or its id where it has no name.
func (t *Touch) campaign() string {
	if t.Campaign != "" {
		return t.Campaign
	}
	return t.CampaignID
}

// calendar numbers the local dates of a time zone. It looks the zone up once for each stretch without a clock change.
type calendar struct {
	zone     *time.Location
	from, to schemas.Millis // the stretch: from <= t < to
	offset   schemas.Millis // local time less UTC in it
}

const dayMillis = 24 * 60 * 60 * 1000

// day is the number of days from 1 January 1970 to at's local date.
func (c *calendar) day(at schemas.Millis) int64 {
	if at < c.from || at >= c.to {
		c.seek(at)
	}
	local := int64(at + c.offset)
	day := local / dayMillis
	if local%dayMillis < 0 {
		day--
	}
	return day
}

func (c *calendar) seek(at schemas.Millis) {
	t := at.Time().In(c.zone)
	_, seconds := t.Zone()
	c.offset = schemas.Millis(seconds) * 1000
	c.from, c.to = math.MinInt64, math.MaxInt64
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		c.from = schemas.MillisOf(start)
	}
	if !end.IsZero() {
		c.to = schemas.MillisOf(end)
	}
}
