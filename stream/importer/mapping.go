package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine
	"unicode/utf8"

	"tributary/schemas"
	"tributary/stream/yamldoc"
)

// Mapping says how a row becomes an event. It comes from ParseMapping and does not change.
type Mapping struct {
	CSV         format                `yaml:"csv"`
	Only        condition             `yaml:"only"` // rows that count; others are passed over
	EventID     template              `yaml:"event_id"`
	Type        template              `yaml:"type"` // not set: what the row's parts make it, see typeOf
	OccurredAt  moment                `yaml:"occurred_at"`
	Identifiers map[string][]template `yaml:"identifiers"`
	Touch       touch                 `yaml:"touch"`
	Conversion  conversion            `yaml:"conversion"`
	Refund      refund                `yaml:"refund"`
	Consent     consent               `yaml:"consent"`

	comma     byte
	layout    layout
	templates []named // all templates, by path in the event
	types     []string
}

// format is how the file is written.
type format struct {
	Delimiter string   `yaml:"delimiter"` // one character, or "tab"; not set: a comma
	Columns   []string `yaml:"columns"`   // names of the columns, for a file without a header
	Decimal   string   `yaml:"decimal"`   // the decimal point of amounts: "." if not set, or ","
	Thousands string   `yaml:"thousands"` // what stands between groups of digits; dropped
}

// moment is the time of the event.
type moment struct {
	Value  template `yaml:"value"`
	Layout string   `yaml:"layout"`
	Zone   string   `yaml:"zone"`
}

// condition holds for a row if each of the columns has one of its words. Without columns it always holds.
type condition map[string][]string

type touch struct {
	When       condition `yaml:"when"`
	Kind       template  `yaml:"kind"`
	Channel    template  `yaml:"channel"`
	Source     template  `yaml:"source"`
	Medium     template  `yaml:"medium"`
	Campaign   template  `yaml:"campaign"`
	CampaignID template  `yaml:"campaign_id"`
	AdID       template  `yaml:"ad_id"`
	Creative   template  `yaml:"creative"`
	Keyword    template  `yaml:"keyword"`
	Placement  template  `yaml:"placement"`
	Referrer   template  `yaml:"referrer"`
	ClickID    template  `yaml:"click_id"`
	Cost       template  `yaml:"cost"`
	Currency   template  `yaml:"currency"`
}

type conversion struct {
	When     condition `yaml:"when"`
	Name     template  `yaml:"name"`
	ID       template  `yaml:"id"`
	Value    template  `yaml:"value"`
	Currency template  `yaml:"currency"`
}

type refund struct {
	When         condition `yaml:"when"`
	ConversionID template  `yaml:"conversion_id"`
	Amount       template  `yaml:"amount"`
	Currency     template  `yaml:"currency"`
}

type consent struct {
	Attribution template `yaml:"attribution"` // true or false, yes or no, 1 or 0
}

// named is a template and its place in the event, such as "touch.kind" or "identifiers.phone".
type named struct {
	path     string
	template template
}

// ParseMapping reads a mapping file. The error is yamldoc.Faults with everything that is wrong with it.
func ParseMapping(name string, text []byte) (*Mapping, error) {
	m := new(Mapping)
	doc, err := yamldoc.Decode(name, text, m)
	var faults yamldoc.Faults
	if err != nil {
		faults = err.(yamldoc.Faults)
	}
	known := map[string]bool{}
	for _, f := range faults {
		known[f.Path] = true
	}
	refuse := func(path, format string, args ...any) {
		if !known[path] {
			faults = append(faults, doc.Fault(path, fmt.Sprintf(format, args...)))
		}
	}
	m.compileFormat(refuse)
	m.compileTime(refuse)
	m.compileTemplates()
	m.check(doc, refuse)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

type refuser func(path, format string, args ...any)

func (m *Mapping) compileFormat(refuse refuser) {
	m.comma = ','
	switch d := m.CSV.Delimiter; {
	case d == "tab":
		m.comma = '\t'
	case len(d) == 1 && d[0] < utf8.RuneSelf && d != `"` && d != "\n" && d != "\r":
		m.comma = d[0]
	case d != "":
		refuse("csv.delimiter", "must be one character of ASCII, or tab")
	}
	if d := m.CSV.Decimal; d != "" && d != "." && d != "," {
		refuse("csv.decimal", `must be "." or ","`)
	}
	if d := m.CSV.Thousands; utf8.RuneCountInString(d) > 1 || d != "" && d == m.decimal() {
		refuse("csv.thousands", "must be one character, and not the decimal point")
	}
	for i, name := range m.CSV.Columns {
		if slices.Index(m.CSV.Columns, name) < i {
			refuse("csv.columns", "%q stands twice", name)
		}
	}
}

func (m *Mapping) decimal() string {
	if m.CSV.Decimal == "" {
		return "."
	}
	return m.CSV.Decimal
}

func (m *Mapping) compileTime(refuse refuser) {
	zone := time.UTC
	if name := m.OccurredAt.Zone; name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			refuse("occurred_at.zone", "must be the IANA name of a time zone, such as Europe/Berlin or UTC")
			zone = time.UTC
		}
	}
	text := m.OccurredAt.Layout
	if text == "" {
		text = "rfc3339"
	}
	l, err := parseLayout(text, zone)
	switch {
	case err != nil:
		refuse("occurred_at.layout", "%v", err)
	case l.hasZone && m.OccurredAt.Zone != "":
		refuse("occurred_at.zone", "has no effect: the layout says the zone itself")
	case !l.hasZone && m.OccurredAt.Zone == "":
		refuse("occurred_at", "must have a zone, since the layout has none")
	}
	m.layout = l
}

// compileTemplates lists the templates with their places in the event.
func (m *Mapping) compileTemplates() {
	yamldoc.Walk(m, func(leaf yamldoc.Leaf) {
		path := leaf.Path
		if path == "occurred_at.value" {
			path = "occurred_at"
		}
		switch v := leaf.Value.Interface().(type) {
		case template:
			if !v.isZero() {
				m.templates = append(m.templates, named{path, v})
			}
		case []template:
			for _, t := range v {
				m.templates = append(m.templates, named{path, t})
			}
		}
	})
}

// check finds what is missing and what can never be right.
func (m *Mapping) check(doc *yamldoc.Document, refuse refuser) {
	need := func(path string, t template) {
		if t.isZero() {
			refuse(path, "must be set")
		}
	}
	need("event_id", m.EventID)
	need("occurred_at.value", m.OccurredAt.Value)
	for _, name := range sortedKeys(m.Identifiers) {
		if len(m.Identifiers[name]) == 0 {
			refuse("identifiers."+name, "must be set")
		}
	}
	for _, t := range schemas.EventTypes {
		m.types = append(m.types, string(t))
	}
	if m.Type.isConstant() && !m.Type.isZero() && !slices.Contains(m.types, m.Type.text) {
		refuse("type", "must be one of %s", strings.Join(m.types, ", "))
	}
	if doc.Has("conversion") {
		need("conversion.name", m.Conversion.Name)
	}
	if doc.Has("refund") {
		need("refund.conversion_id", m.Refund.ConversionID)
		need("refund.amount", m.Refund.Amount)
	}
	if doc.Has("conversion") && doc.Has("refund") && len(m.Conversion.When) == 0 && len(m.Refund.When) == 0 && m.Type.isZero() {
		refuse("refund", "must have a when, or conversion must: both cannot be in one event")
	}
}

// columns are the columns that the mapping names, in its own order, each with the place in the mapping that names it first.
func (m *Mapping) columns() (names, places []string) {
	add := func(column, place string) {
		if column != "" && !slices.Contains(names, column) {
			names, places = append(names, column), append(places, place)
		}
	}
	for _, t := range m.templates {
		for _, p := range t.template.parts {
			add(p.column, t.path)
		}
	}
	for _, c := range []struct {
		place string
		when  condition
	}{{"only", m.Only}, {"touch.when", m.Touch.When}, {"conversion.when", m.Conversion.When}, {"refund.when", m.Refund.When}} {
		for _, column := range sortedKeys(c.when) {
			add(column, c.place)
		}
	}
	return names, places
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
