package population

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
)

// The bytes of a seed never change: a figure that names seed and version can be checked for ever.
func TestSameBytesForEver(t *testing.T) {
	c := Default()
	c.Broken = 0.01
	hash := sha256.New()
	for r := range c.Records() {
		fmt.Fprintf(hash, "%d %s %s\n", r.Arrival, r.Key, r.Value)
	}
	for p := range c.Persons() {
		hash.Write(p.AppendJSON(nil))
	}
	const want = "ae0c72f06c5325553e247a9948e1be1c4ed015a26f779ac5c6fbb59f08cbe2c7"
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		t.Errorf("the population of seed 1 has changed: %s, want %s", got, want)
	}
}

// seen is what a population's records say.
type seen struct {
	records, duplicates, broken, late int
	events                            map[string]schemas.Event
	customer                          map[string]uint64 // by event id
	byType                            map[schemas.EventType]int
}

func read(t *testing.T, c Config) seen {
	t.Helper()
	s := seen{events: map[string]schemas.Event{}, customer: map[string]uint64{}, byType: map[schemas.EventType]int{}}
	first := map[string]string{}
	var last schemas.Millis
	for r := range c.Records() {
		s.records++
		if r.Arrival < last {
			t.Fatalf("record %d arrives before the one before it", s.records)
		}
		last = r.Arrival
		if len(r.Key) == 0 {
			t.Fatalf("%s has no key", r.Value)
		}
		e, err := schemas.DecodeEvent(r.Value)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "occurred_at: bad_time") {
				t.Fatalf("%s: %v", r.Value, err)
			}
			s.broken++
			continue
		}
		if e.Ignored > 0 {
			t.Fatalf("%s has members that the contract does not know", r.Value)
		}
		delay := time.Duration(r.Arrival-e.OccurredAt) * time.Millisecond
		if delay < 0 || delay > c.MaxDelay {
			t.Fatalf("%s is %v under way", r.Value, delay)
		}
		if e.OccurredAt < schemas.MillisOf(c.Start) || e.OccurredAt >= schemas.Millis(c.endOf()) {
			t.Fatalf("%s is outside of the period", r.Value)
		}
		if before, ok := first[e.ID]; ok {
			s.duplicates++
			if before != string(r.Value) {
				t.Fatalf("%s has come before as %s", r.Value, before)
			}
			continue
		}
		first[e.ID] = string(r.Value)
		if delay >= time.Minute {
			s.late++
		}
		s.events[e.ID], s.customer[e.ID] = e, r.Customer
		s.byType[e.Type]++
	}
	return s
}

func TestRecordsAndTruthAgree(t *testing.T) {
	c := Default()
	c.Customers, c.Broken = 3000, 0.01
	s := read(t, c)
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	normal, err := identity.NewNormalizer(identity.Rules{DefaultRegion: "US"}, keys)
	if err != nil {
		t.Fatal(err)
	}
	events, persons, conversions, merged, refunded := 0, 0, 0, 0, 0
	owners := map[string][]uint64{} // of phone numbers
	names := map[string]int{}
	for p := range c.Persons() {
		if p.Customer != uint64(persons) {
			t.Fatalf("person %d is told after %d others", p.Customer, persons)
		}
		persons++
		var truth []identity.ID
		for typ, values := range p.Identifiers {
			for _, v := range values {
				truth, _ = normal.IDs([]schemas.Identifier{{Type: typ, Value: v}}, truth)
			}
		}
		for _, phone := range p.Identifiers["phone"] {
			owners[phone] = append(owners[phone], p.Customer)
		}
		if len(p.Identifiers["anonymous_id"]) > 1 && len(p.Identifiers["email"]) > 0 {
			merged++
		}
		for _, id := range p.Events {
			e, ok := s.events[id]
			if !ok || s.customer[id] != p.Customer {
				t.Fatalf("event %s of person %d did not arrive as hers", id, p.Customer)
			}
			got, outcome := normal.IDs(e.Identifiers, nil)
			if outcome.Count(identity.Kept) != len(e.Identifiers) || len(got) == 0 {
				t.Fatalf("event %s has identifiers that are dropped: %d of %d kept", id, outcome.Count(identity.Kept), len(e.Identifiers))
			}
			for _, g := range got {
				if !slices.Contains(truth, g) {
					t.Fatalf("event %s has an identifier that is not the person's", id)
				}
			}
			events++
		}
		for _, conv := range p.Conversions {
			conversions++
			names[conv.Name]++
			e := s.events[conv.EventID]
			if e.Conversion == nil || e.Conversion.ID != conv.ID || e.Conversion.Name != conv.Name || e.OccurredAt.String() != conv.At {
				t.Fatalf("conversion %+v arrived as %+v", conv, e)
			}
			if conv.Value != conv.NetValue {
				refunded++
			}
			for _, id := range conv.Touches {
				if touch := s.events[id]; touch.Touch == nil || touch.OccurredAt > e.OccurredAt || s.customer[id] != p.Customer {
					t.Fatalf("conversion %s cannot come from touch %s", conv.ID, id)
				}
			}
			if (e.Touch != nil) != slices.Contains(conv.Touches, conv.EventID) {
				t.Fatalf("conversion %s and its own touch disagree", conv.ID)
			}
		}
	}
	if persons != c.Customers || events != len(s.events) {
		t.Errorf("%d persons with %d events, of %d and %d", persons, events, c.Customers, len(s.events))
	}
	families, largest := 0, 0
	for _, people := range owners {
		if len(people) == 2 {
			families++
		}
		largest = max(largest, len(people))
	}
	about := func(what string, got int, low, high float64) {
		t.Logf("%s: %d", what, got)
		if float64(got) < low || float64(got) > high {
			t.Errorf("%s: %d, want %.0f to %.0f", what, got, low, high)
		}
	}
	n, people := float64(len(s.events)), float64(c.Customers)
	about("events", len(s.events), 6*people, 20*people)
	about("duplicates", s.duplicates, 0.015*n, 0.025*n)
	about("broken", s.broken, 0.007*n, 0.013*n)
	about("late", s.late, 0.02*n, 0.04*n)
	about("leads", names["lead"], 0.05*people, 0.6*people)
	about("bookings", names["booking"], 0.01*people, 0.1*people)
	about("purchases", names["purchase"], 0.1*people, 0.8*people)
	about("people with several cookies and an address", merged, 0.1*people, 0.6*people)
	about("families on one number", families, 10, 0.06*people)
	about("people on the call centre's number", largest, 3, 0.01*people)
	about("refunded conversions", refunded, 3, 0.1*float64(conversions))
	for _, typ := range []schemas.EventType{schemas.TypeTouch, schemas.TypeActivity, schemas.TypeIdentify, schemas.TypeConversion, schemas.TypeRefund} {
		about(string(typ), s.byType[typ], 5, n)
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, b := Default(), Default()
	b.Seed = 2
	if reflect.DeepEqual(read(t, a).events, read(t, b).events) {
		t.Error("two seeds give one population")
	}
}

// All numbers of all area codes are numbers for those who check them.
func TestPhoneNumbersAreValid(t *testing.T) {
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	normal, err := identity.NewNormalizer(identity.Rules{DefaultRegion: "US"}, keys)
	if err != nil {
		t.Fatal(err)
	}
	numbers := []string{callCentreNumber}
	for i := range uint64(len(areaCodes)) {
		for _, line := range []uint64{0, 1, 99, 4321, 9999} {
			p := person{phoneIndex: i + line*uint64(len(areaCodes))}
			numbers = append(numbers, p.phone())
		}
	}
	distinct := map[string]bool{}
	for _, number := range numbers {
		distinct[number] = true
		var first []identity.ID
		for way := range uint8(5) {
			ids, _ := normal.IDs([]schemas.Identifier{{Type: "phone", Value: string(appendPhone(nil, number, way))}}, nil)
			if way == 0 {
				first = ids
			}
			if len(ids) != 1 || ids[0] != first[0] {
				t.Errorf("%s is not the number %s", appendPhone(nil, number, way), number)
			}
		}
	}
	if len(distinct) != len(numbers) {
		t.Errorf("%d of %d numbers are different", len(distinct), len(numbers))
	}
}

func TestSmallAndFullShares(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Customers, c.Days = 1, 1 },
		func(c *Config) { c.Customers = 1; c.Families = 1 },
		func(c *Config) {
			c.Customers, c.Duplicates, c.Late, c.Families, c.CallCentre, c.Callers, c.Refunds, c.Broken = 200, 1, 1, 1, 1, 1, 1, 1
		},
		func(c *Config) {
			c.Customers, c.Duplicates, c.Late, c.Families, c.CallCentre, c.Callers, c.Refunds, c.Broken = 200, 0, 0, 0, 0, 0, 0, 0
		},
		func(c *Config) { c.Customers, c.MaxDelay = 200, time.Minute },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		s := read(t, c)
		if s.duplicates != int(c.Duplicates)*len(s.events) && (c.Duplicates == 0 || c.Duplicates == 1) || len(s.events) == 0 {
			t.Errorf("%+v gives %d events and %d duplicates", c, len(s.events), s.duplicates)
		}
		if c.Broken == 1 && s.broken != len(s.events) {
			t.Errorf("%d of %d records are broken", s.broken, len(s.events))
		}
		people := 0
		for range c.Persons() {
			people++
		}
		if people != c.Customers {
			t.Errorf("%d people of %d", people, c.Customers)
		}
	}
}

func TestStoppingEarly(t *testing.T) {
	n := 0
	for range Default().Records() {
		if n++; n == 10 {
			break
		}
	}
	for range Default().Persons() {
		break
	}
}

func TestValidate(t *testing.T) {
	err := Config{Refunds: math.NaN(), Late: 1.5, Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}.Validate()
	want := `customers: 0: must be 1 to 50000000
days: 0: must be 1 to 3650
start: year 1: must be 1971 to 9900
max delay: 0s: must be 1m to 365 days
late: 1.5: must be 0 to 1
refunds: NaN: must be 0 to 1`
	if fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// Whatever the order in which people appear, those waiting are sorted by arrival: the heap against sorting.
func TestHeapAgainstSorting(t *testing.T) {
	r := random{42}
	var h heap
	var all []event
	for i := range 1000 {
		e := event{arrival: r.below(50), person: uint32(r.below(5)), number: uint16(i)}
		h.push(e)
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b event) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	for i, want := range all {
		if got := h.pop(); got != want {
			t.Fatalf("number %d is %+v, want %+v", i, got, want)
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	c := Default()
	c.Customers = 50_000
	w := bufio.NewWriterSize(io.Discard, 1<<16)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for r := range c.Records() {
			w.Write(r.Value)
			w.WriteByte('\n')
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(n)/float64(b.N), "events")
}

// A family's browser has two people, a shop's tablet many, and nobody else shares one.
func TestSharedBrowsers(t *testing.T) {
	for _, share := range []struct {
		name         string
		change       func(*Config)
		least, most  int // people of the browser that most people use
		shared, upTo int // browsers of several people
	}{
		{"none", func(*Config) {}, 1, 1, 0, 0},
		{"devices", func(c *Config) { c.Devices = 0.2 }, 2, 2, 100, 300},
		{"tablets", func(c *Config) { c.Tablets = 0.2 }, 10, 100, 4, 4},
	} {
		c := Default()
		c.Customers = 2000
		share.change(&c)
		people := map[string]int{}
		for p := range c.Persons() {
			for _, cookie := range p.Identifiers["anonymous_id"] {
				people[cookie]++
			}
		}
		shared, largest := 0, 0
		for _, n := range people {
			largest = max(largest, n)
			if n > 1 {
				shared++
			}
		}
		if largest < share.least || largest > share.most || shared < share.shared || shared > share.upTo {
			t.Errorf("%s: %d browsers of several people, up to %d of them", share.name, shared, largest)
		}
	}
}
