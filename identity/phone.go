package identity

import (
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers/v2"
)

// maxPhoneBytes bounds what is given to the parser, whose time grows with the length: 0.13 ms for the worst text of this
// length. It is far above any number that a person writes, with "tel:", spaces and an extension.
const maxPhoneBytes = 128

// phoneCacheEntries is the size of one of the two generations of the cache: 7 MB in all with numbers of usual length, 14 MB
// with the longest that are let in.
const phoneCacheEntries = 1 << 15

// international is the region in which only numbers with their country code can be read.
const international = "ZZ"

// parsePhone reads a telephone number as someone in the region would dial it and writes it in E.164 ("+14155552671").
// An extension is left out: E.164 has none. Not ok: no number, or one that its country does not have.
func parsePhone(raw, region string) (e164 string, ok bool) {
	if len(raw) > maxPhoneBytes {
		return "", false
	}
	// Versions of the parser before 2.0.4 panicked on some hostile texts. One such value must not stop the service each
	// time that it is read again: it is no telephone number.
	defer func() {
		if recover() != nil {
			e164, ok = "", false
		}
	}()
	number, err := phonenumbers.Parse(raw, region)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}

// phoneCache keeps what parsePhone said of the numbers seen lately, since parsing takes 10 µs and more. It holds two
// generations: a full young one becomes the old one, whose entries are forgotten unless they were asked for again. So it
// holds at most 2·limit entries and needs no list of uses. Safe for concurrent use.
type phoneCache struct {
	mu         sync.Mutex
	limit      int
	young, old map[string]string // raw → E.164; "" for no number
}

func newPhoneCache(limit int) *phoneCache {
	return &phoneCache{limit: limit, young: make(map[string]string), old: make(map[string]string)}
}

// parse is parsePhone, remembered. One cache serves one region.
func (c *phoneCache) parse(raw, region string) (e164 string, ok bool) {
	if len(raw) > maxPhoneBytes {
		return "", false
	}
	if e164, hit := c.get(raw); hit {
		return e164, e164 != ""
	}
	e164, ok = parsePhone(raw, region)
	c.put(raw, e164)
	return e164, ok
}

func (c *phoneCache) get(raw string) (e164 string, hit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e164, hit = c.young[raw]; hit {
		return e164, true
	}
	if e164, hit = c.old[raw]; hit {
		c.keep(raw, e164)
	}
	return e164, hit
}

func (c *phoneCache) put(raw, e164 string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(raw, e164)
}

// keep needs mu.
func (c *phoneCache) keep(raw, e164 string) {
	if len(c.young) >= c.limit {
		clear(c.old)
		c.young, c.old = c.old, c.young
	}
	c.young[strings.Clone(raw)] = e164 // raw is often a part of a whole record, which must not be kept for it
}
