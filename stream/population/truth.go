package population

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"

	"tributary/schemas"
)

// Person is the truth about one person: what a perfect observer would know.
type Person struct {
	Customer    uint64              `json:"customer"`
	Identifiers map[string][]string `json:"identifiers"` // by type, in normal form, those that appear in events
	Events      []string            `json:"events"`      // event ids, in order of time
	Conversions []Conversion        `json:"conversions"`
}

// Conversion is what led to one conversion.
type Conversion struct {
	ID       string   `json:"conversion_id"`
	Name     string   `json:"name"`
	EventID  string   `json:"event_id"`
	At       string   `json:"occurred_at"`
	Value    string   `json:"value"`     // USD
	NetValue string   `json:"net_value"` // less what was taken back
	Touches  []string `json:"touches"`   // event ids of all of the person's touches up to it, in order of (time, id)
}

// Persons are the people of the population in the order of their appearance. c must be valid.
func (c Config) Persons() iter.Seq[Person] {
	return func(yield func(Person) bool) {
		var buffer []event
		for index := range uint64(c.Customers) {
			var p person
			p, buffer = c.lifeOf(index, c.beginning(index), buffer[:0])
			if !yield(c.truth(&p, buffer)) {
				return
			}
		}
	}
}

// truth sorts the events by time, so it changes them.
func (c *Config) truth(p *person, events []event) Person {
	id := func(e *event) string { return string(c.appendEventID(nil, p.index, e.number)) }
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(id(&a), id(&b)))
	})
	t := Person{Customer: p.index, Identifiers: map[string][]string{}, Events: []string{}, Conversions: []Conversion{}}
	for i := range events {
		e := &events[i]
		t.Events = append(t.Events, id(e))
		c.addIdentifiers(&t, p, e)
		if e.deed != conversion && e.deed != call {
			continue
		}
		won := Conversion{ID: conversionID(id(e), e), Name: conversionNames[e.name], EventID: id(e), At: schemas.Millis(e.at).String(),
			Value: string(appendMoney(nil, e.cents)), Touches: []string{}}
		net := e.cents
		for j := range events {
			other := &events[j]
			switch {
			case other.deed == refund && other.conversion == e.conversion:
				net -= other.cents
			case (other.deed == touch || other.deed == call) && other.at <= e.at:
				won.Touches = append(won.Touches, id(other))
			}
		}
		won.NetValue = string(appendMoney(nil, max(net, 0)))
		t.Conversions = append(t.Conversions, won)
	}
	return t
}

func conversionID(eventID string, e *event) string {
	if e.name == lead {
		return eventID
	}
	return string(appendConversionID(nil, conversionNames[e.name], uint64(e.person), e.conversion))
}

func (c *Config) addIdentifiers(t *Person, p *person, e *event) {
	add := func(bit ids, typ string, value []byte) {
		if e.ids&bit != 0 && !slices.Contains(t.Identifiers[typ], string(value)) {
			t.Identifiers[typ] = append(t.Identifiers[typ], string(value))
		}
	}
	add(withCookie, "anonymous_id", c.appendCookie(nil, p, e.browser))
	add(withDevice, "device_id", c.appendDevice(nil, p))
	add(withEmail, "email", p.appendEmail(nil, 0))
	add(withUser, "user_id", p.appendUserID(nil))
	add(withCRM, "customer_id", p.appendCustomerID(nil))
	if e.ids&withPhone != 0 {
		add(withPhone, "phone", []byte(p.phoneOn(e)))
	}
}

// AppendJSON appends the person as one line of JSON without a line end.
func (t Person) AppendJSON(dst []byte) []byte {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(dst, text...)
}
