package local_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tributary/identity"
	"tributary/schemas/shareddata"
	"tributary/stream/ingest"
	"tributary/stream/population"
	"tributary/stream/settings"
)

// These tests measure what limits on neighbours do, on populations of which the truth is known. The table in
// identity/README.md is theirs.

// crowd is a population with the truth about it: who each event belongs to.
type crowd struct {
	name     string
	messages [][]identity.Message // of each event
	owners   []uint64
}

// add lets an event of somebody go through ingest.
func (c *crowd) add(t testing.TB, in *ingest.Ingest, event []byte, owner uint64) {
	r := in.Record(event, clock)
	if r.Refusal != nil {
		t.Fatal(r.Refusal)
	}
	c.messages, c.owners = append(c.messages, r.Messages), append(c.owners, owner)
}

// crowds have one difficulty each, far more of it than usual.
func crowds(t testing.TB, in *ingest.Ingest) (all []crowd) {
	plain := population.Default()
	plain.Customers, plain.Duplicates, plain.Families, plain.CallCentre = 2000, 0, 0, 0
	add := func(name string, change func(*population.Config)) {
		config := plain
		change(&config)
		c := crowd{name: name}
		for record := range config.Records() {
			c.add(t, in, record.Value, record.Customer)
		}
		all = append(all, c)
	}
	add("alone", func(*population.Config) {})
	add("call centre", func(c *population.Config) { c.CallCentre = 0.2 })
	add("family phones", func(c *population.Config) { c.Families = 0.2 })
	add("family devices", func(c *population.Config) { c.Devices = 0.2 })
	add("shop tablets", func(c *population.Config) { c.Tablets = 0.2 })
	return all
}

// joined compares the customers that came out with the people that there are, by pairs of events.
type joined struct{ right, wrong, missed float64 }

func (j joined) precision() float64 { return j.right / (j.right + j.wrong) }
func (j joined) recall() float64    { return j.right / (j.right + j.missed) }

func (j joined) String() string { return fmt.Sprintf("%.3f / %.3f", j.precision(), j.recall()) }

// join runs the events through the protocol, and compares.
func (c *crowd) join(limits identity.Limits) joined {
	machine, rows := identity.NewMachine(limits), identity.NewMemory()
	var effects identity.Effects
	for _, messages := range c.messages {
		for todo := slices.Clip(messages); len(todo) > 0; todo = todo[1:] {
			effects.Reset()
			machine.Step(rows, &todo[0], &effects)
			todo = append(todo, effects.Send...)
		}
	}
	customers, people := map[identity.ID]float64{}, map[uint64]float64{}
	type both struct {
		customer identity.ID
		person   uint64
	}
	matches := map[both]float64{}
	for i, messages := range c.messages {
		people[c.owners[i]]++
		if root := rootOf(rows, messages[0].IDs); root != identity.None {
			customers[root]++
			matches[both{root, c.owners[i]}]++
		}
	}
	right := pairs(matches)
	return joined{right: right, wrong: pairs(customers) - right, missed: pairs(people) - right}
}

// pairs is how many pairs there are in all groups.
func pairs[K comparable](groups map[K]float64) (sum float64) {
	for _, n := range groups {
		sum += n * (n - 1) / 2
	}
	return sum
}

// rootOf is the customer of an event with these identifiers; None if all are shared.
func rootOf(rows identity.Rows, ids []identity.ID) identity.ID {
	for _, id := range ids {
		n := rows.Node(id)
		if n.Shared {
			continue
		}
		for !n.Root() {
			id = n.Parent.ID
			n = rows.Node(id)
		}
		return id
	}
	return identity.None
}

// variant is the limits of a line of the table.
type variant struct {
	name string
	set  func(*settings.Limits)
}

func variants() []variant {
	return []variant{
		{"none", func(*settings.Limits) {}},
		{"`phone: {any: 30}`", func(l *settings.Limits) { l.Phone.Any = 30 }},
		{"`phone: {any: 5}`", func(l *settings.Limits) { l.Phone.Any = 5 }},
		{"`phone: {customer_id: 5}`", func(l *settings.Limits) { l.Phone.CustomerID = 5 }},
		{"`phone: {email: 8}`", func(l *settings.Limits) { l.Phone.Email = 8 }},
		{"`phone: {email: 1}`", func(l *settings.Limits) { l.Phone.Email = 1 }},
		{"`anonymous_id: {any: 50}`", func(l *settings.Limits) { l.AnonymousID.Any = 50 }},
		{"`anonymous_id: {user_id: 3}`", func(l *settings.Limits) { l.AnonymousID.UserID = 3 }},
		{"`anonymous_id: {user_id: 1}`", func(l *settings.Limits) { l.AnonymousID.UserID = 1 }},
		{"`anonymous_id: {email: 5}`", func(l *settings.Limits) { l.AnonymousID.Email = 5 }},
		{"`anonymous_id: {email: 1}`", func(l *settings.Limits) { l.AnonymousID.Email = 1 }},
		{"the defaults", func(l *settings.Limits) { *l = settings.Default().Identity.Limits }},
	}
}

const limitsPage = "../../identity/README.md"

// The defaults find out what many people share and cost little where nothing is shared. -rewrite writes the table.
func TestLimits(t *testing.T) {
	all := crowds(t, configOf(t, settings.Default(), 1).Ingest)
	var b strings.Builder
	b.WriteString("| limits |")
	for _, c := range all {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(all)) + "\n")
	for _, v := range variants() {
		s := settings.Default()
		s.Identity.Limits = settings.Limits{}
		v.set(&s.Identity.Limits)
		fmt.Fprintf(&b, "| %s |", v.name)
		for _, c := range all {
			fmt.Fprintf(&b, " %v |", c.join(s.IdentityLimits()))
		}
		b.WriteString("\n")
	}
	page, err := os.ReadFile(limitsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(page), "<!-- limits -->\n")
	table, after, found := strings.Cut(rest, "<!-- end of limits -->\n")
	switch {
	case !found:
		t.Fatalf("%s has no place for the table", limitsPage)
	case *rewrite:
		page = []byte(before + "<!-- limits -->\n" + b.String() + "<!-- end of limits -->\n" + after)
		if err := os.WriteFile(limitsPage, page, 0o644); err != nil {
			t.Fatal(err)
		}
	case table != b.String():
		t.Errorf("the table in %s is another one now (-rewrite writes it):\n%s", limitsPage, &b)
	}
}

// TestRestaurants measures on the restaurants of Fodor's and Zagat's, which belong to others. The figures are those of the page.
func TestRestaurants(t *testing.T) {
	f, err := os.Open(shareddata.Path(t, "restaurants_fz/restaurant.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var c crowd
	in := configOf(t, settings.Default(), 1).Ingest
	classes := map[string]uint64{}
	for i, line := range lines[1:] {
		phone := strings.ReplaceAll(line[3], "/", "-")
		class := strings.Trim(line[5], " '")
		if _, known := classes[class]; !known {
			classes[class] = uint64(len(classes))
		}
		c.add(t, in, fmt.Appendf(nil, `{"event_id":"%d","type":"identify","occurred_at":1,"identifiers":{"phone":%q,"anonymous_id":"%d"}}`, i, phone, i), classes[class])
	}
	if len(classes) != 752 {
		t.Errorf("%d restaurants, want 752", len(classes))
	}
	for _, want := range []struct {
		most int // phone.any
		joined
	}{
		{0, joined{108, 14, 4}},
		{30, joined{108, 14, 4}},
		{5, joined{108, 14, 4}},
		{3, joined{106, 10, 6}},
		{2, joined{104, 3, 8}},
		{1, joined{1, 0, 111}},
	} {
		s := settings.Default()
		s.Identity.Limits = settings.Limits{Phone: settings.Neighbours{Any: want.most}}
		if got := c.join(s.IdentityLimits()); got != want.joined {
			t.Errorf("phone.any %d: %v right, %v wrong, %v missed, want %v, %v and %v", want.most, got.right, got.wrong, got.missed, want.right, want.wrong, want.missed)
		}
	}
}
