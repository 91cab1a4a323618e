package population

import (
	"strconv"

	"tributary/schemas"
)

// writer turns events into records. Its buffers are used again for every record.
type writer struct{ key, value []byte }

func (s *stream) record(e event) Record {
	r := randomOf(s.Seed, uint64(e.person))
	p := s.personOf(uint64(e.person), &r)
	w := &s.writer
	w.value = s.appendEvent(w.value[:0], &p, &e)
	w.key = s.appendKey(w.key[:0], &p, &e)
	return Record{Key: w.key, Value: w.value, Arrival: schemas.Millis(e.arrival), Customer: p.index}
}

// appendKey writes what a sender would use as a key: the cookie if there is one. It is in no relation to the customer.
func (c *Config) appendKey(dst []byte, p *person, e *event) []byte {
	switch {
	case e.ids&withCookie != 0:
		return c.appendCookie(dst, p, e.browser)
	case e.ids&withCRM != 0:
		return p.appendCustomerID(dst)
	case e.ids&withEmail != 0:
		return p.appendEmail(dst, 0)
	}
	return c.appendEventID(dst, p.index, e.number)
}

// appendEvent writes the event in the native format.
func (c *Config) appendEvent(dst []byte, p *person, e *event) []byte {
	dst = append(dst, `{"event_id":"`...)
	dst = c.appendEventID(dst, p.index, e.number)
	dst = append(dst, `","type":"`...)
	dst = append(dst, [...]string{touch: "touch", activity: "activity", identify: "identify", conversion: "conversion", call: "conversion", refund: "refund"}[e.deed]...)
	dst = append(dst, `","occurred_at":"`...)
	layout := "2006-01-02T15:04:05.000Z"
	if e.copy == 2 {
		layout = layout[:len(layout)-1]
	}
	dst = schemas.Millis(e.at).Time().AppendFormat(dst, layout)
	dst = append(dst, `","identifiers":{`...)
	dst = c.appendIdentifiers(dst, p, e)
	dst = append(dst, '}')
	if e.deed == touch || e.deed == call {
		dst = c.appendTouch(dst, e)
	}
	switch e.deed {
	case conversion, call:
		dst = appendConversion(dst, e)
	case refund:
		dst = append(dst, `,"refund":{"conversion_id":"`...)
		dst = appendConversionID(dst, conversionNames[e.name], p.index, e.conversion)
		dst = append(dst, `","amount":"`...)
		dst = appendMoney(dst, e.cents)
		dst = append(dst, `","currency":"USD"}`...)
	}
	return append(dst, '}')
}

func (c *Config) appendIdentifiers(dst []byte, p *person, e *event) []byte {
	open := func(name string) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), `":"`...)
	}
	if e.ids&withCookie != 0 {
		open("anonymous_id")
		dst = append(c.appendCookie(dst, p, e.browser), '"')
	}
	if e.ids&withDevice != 0 {
		open("device_id")
		dst = append(c.appendDevice(dst, p), '"')
	}
	if e.ids&withEmail != 0 {
		open("email")
		dst = append(p.appendEmail(dst, e.way), '"')
	}
	if e.ids&withPhone != 0 {
		open("phone")
		dst = append(appendPhone(dst, p.phoneOn(e), e.way>>4), '"')
	}
	if e.ids&withUser != 0 {
		open("user_id")
		dst = append(p.appendUserID(dst), '"')
	}
	if e.ids&withCRM != 0 {
		open("customer_id")
		dst = append(p.appendCustomerID(dst), '"')
	}
	return dst
}

// phoneOn is the number that stands on an event: orders that the call centre writes have the centre's.
func (p *person) phoneOn(e *event) string {
	if p.callCentre && e.ids&withCRM != 0 {
		return callCentreNumber
	}
	return p.phone()
}

func (c *Config) appendTouch(dst []byte, e *event) []byte {
	how := campaigns[e.campaign]
	dst = append(append(dst, `,"touch":{`...), how.json...)
	draw := mix(c.Seed ^ uint64(e.person)<<16 ^ uint64(e.number) ^ 0xc11c)
	if how.clickID != "" {
		dst = append(append(append(dst, `,"click_id":"`...), how.clickID...), ':')
		dst = append(appendHex(dst, draw, 14), '"')
	}
	if how.cost > 0 {
		dst = append(dst, `,"cost":"`...)
		dst = appendMoney(dst, 1+int32(draw%uint64(how.cost)))
		dst = append(dst, `","currency":"USD"`...)
	}
	return append(dst, '}')
}

// appendConversion leaves out the id of a lead, as its senders do: it is the event's id then.
func appendConversion(dst []byte, e *event) []byte {
	dst = append(append(dst, `,"conversion":{"name":"`...), conversionNames[e.name]...)
	dst = append(dst, '"')
	if e.name != lead {
		dst = append(dst, `,"id":"`...)
		dst = append(appendConversionID(dst, conversionNames[e.name], uint64(e.person), e.conversion), '"')
	}
	if e.cents > 0 {
		dst = append(dst, `,"value":"`...)
		dst = append(appendMoney(dst, e.cents), `","currency":"USD"`...)
	}
	return append(dst, '}')
}

// appendMoney writes cents as dollars.
func appendMoney(dst []byte, cents int32) []byte {
	dst = strconv.AppendInt(dst, int64(cents/100), 10)
	return append(dst, '.', '0'+byte(cents/10%10), '0'+byte(cents%10))
}
