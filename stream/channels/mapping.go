package channels

import (
	"errors"
	"fmt"
	"strings"

	"tributary/schemas"
)

// Direct is the channel of a touch that no rule knows.
const Direct = "direct"

// MaxName is the longest name of a channel, in bytes.
const MaxName = 64

// Rule gives Channel to the touches for which When holds.
type Rule struct {
	Channel string `yaml:"channel"`
	When    When   `yaml:"when"`
}

// When is a list of conditions that must all hold. A condition holds if one of its patterns matches the touch's value; a
// condition without patterns is none.
type When struct {
	Source       Patterns `yaml:"source"`
	Medium       Patterns `yaml:"medium"`
	Campaign     Patterns `yaml:"campaign"`
	ReferrerHost Patterns `yaml:"referrer_host"` // the referrer's host; a plain word also matches its subdomains
	ClickID      Patterns `yaml:"click_id"`      // the kind of click id, what stands before the colon: gclid
	Kind         Patterns `yaml:"kind"`          // the touch's kind: email_click
}

func (w *When) empty() bool {
	return len(w.Source)+len(w.Medium)+len(w.Campaign)+len(w.ReferrerHost)+len(w.ClickID)+len(w.Kind) == 0
}

// Mapping is a checked list of rules. It may be used by many goroutines.
type Mapping struct {
	rules []compiled
}

// compiled is a rule whose patterns are sorted for matching.
type compiled struct {
	channel                                       string
	source, medium, campaign, clickID, kind, host matcher
}

// New makes a mapping of rules, tried in their order. The error joins everything that is wrong with them.
func New(rules []Rule) (*Mapping, error) {
	m := &Mapping{rules: make([]compiled, 0, len(rules))}
	var faults []error
	for i, r := range rules {
		if err := r.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("rule %d: %w", i+1, err))
			continue
		}
		m.rules = append(m.rules, compiled{
			channel: r.Channel,
			source:  newMatcher(r.When.Source), medium: newMatcher(r.When.Medium), campaign: newMatcher(r.When.Campaign),
			clickID: newMatcher(r.When.ClickID), kind: newMatcher(r.When.Kind), host: newMatcher(r.When.ReferrerHost),
		})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return m, nil
}

// Validate says what is wrong with one rule, or nil.
func (r Rule) Validate() error {
	switch {
	case strings.TrimSpace(r.Channel) != r.Channel || r.Channel == "" || len(r.Channel) > MaxName:
		return fmt.Errorf("channel %.80q: must be 1 to %d bytes without spaces at its ends", r.Channel, MaxName)
	case r.When.empty():
		return errors.New("when: must have a condition; what no rule matches is direct anyway")
	}
	return nil
}

// Channel is the channel of t by the first rule that matches. What t.Channel says does not count.
func (m *Mapping) Channel(t *schemas.Touch) string {
	v := valuesOf(t)
	for i := range m.rules {
		if m.rules[i].matches(&v) {
			return m.rules[i].channel
		}
	}
	return Direct
}

// values are a touch's values as patterns see them: trimmed, in lower case, the referrer cut down to its host and the
// click id to its kind.
type values struct {
	source, medium, campaign, clickID, kind, host string
}

func valuesOf(t *schemas.Touch) values {
	clickID, _, ok := strings.Cut(t.ClickID, ":")
	if !ok {
		clickID = ""
	}
	return values{source: fold(t.Source), medium: fold(t.Medium), campaign: fold(t.Campaign),
		clickID: fold(clickID), kind: fold(t.Kind), host: hostOf(t.Referrer)}
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func (c *compiled) matches(v *values) bool {
	return c.medium.matches(v.medium) && c.source.matches(v.source) && c.clickID.matches(v.clickID) &&
		c.kind.matches(v.kind) && c.campaign.matches(v.campaign) && c.host.matchesHost(v.host)
}

// hostOf is the host of a referrer in lower case, without user, port and the dot of a fully qualified name. A referrer
// without a scheme begins with its host. What has no host, such as "/cart", gives none.
func hostOf(referrer string) string {
	host := strings.TrimSpace(referrer)
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	host = strings.TrimPrefix(host, "//")
	if end := strings.IndexAny(host, "/?#\\"); end >= 0 {
		host = host[:end]
	}
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
