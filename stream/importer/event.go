package importer

import (
	"bytes"
	"errors"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/schemas"
)

// event builds events from the rows of one file. Its buffers are used again for every row.
type event struct {
	mapping *Mapping
	file    string         // without its folders
	index   map[string]int // of the columns

	only, touchWhen, conversionWhen, refundWhen []test
	eventID, typ_, time                         bound
	identifiers                                 []member // one for each template, of one type next to each other
	touch, conversion, refund                   []member
	attribution                                 bound

	// The row under way.
	raw    []byte
	fields []field
	row    int
	text   []byte // of the template written last
	key    []byte
	value  []byte
	typ    string
	passed bool // `only` passes over the row

	misread *problem // an amount that is written otherwise than the mapping says
}

// problem is why a row gives no event, and the path in the event that is to blame.
type problem struct{ path, reason string }

// bound is a template whose columns are known by number.
type bound []boundPart

type boundPart struct {
	text   string
	column int // -1: none
	word   word
}

// member is a template of one part of the event.
type member struct {
	name   string // with quotes and colon: `"kind":`
	value  bound
	amount bool // a decimal number
	money  bool // the currency of the amount before it: nothing without that
}

// test is one column of a condition.
type test struct {
	column int
	words  [][]byte
}

func newEvent(m *Mapping, file string, index map[string]int) event {
	e := event{mapping: m, file: path.Base(filepath.ToSlash(file)), index: index}
	e.only, e.touchWhen = e.tests(m.Only), e.tests(m.Touch.When)
	e.conversionWhen, e.refundWhen = e.tests(m.Conversion.When), e.tests(m.Refund.When)
	for _, t := range m.templates {
		value := e.bind(t.template)
		part, name, nested := strings.Cut(t.path, ".")
		quoted, _ := jsontext.AppendQuote(nil, name)
		mem := member{name: string(quoted) + ":", value: value, money: name == "currency",
			amount: name == "cost" || name == "value" || name == "amount"}
		switch {
		case t.path == "event_id":
			e.eventID = value
		case t.path == "type":
			e.typ_ = value
		case t.path == "occurred_at":
			e.time = value
		case t.path == "consent.attribution":
			e.attribution = value
		case part == "identifiers" && nested:
			e.identifiers = append(e.identifiers, mem)
		case part == "touch":
			e.touch = append(e.touch, mem)
		case part == "conversion":
			e.conversion = append(e.conversion, mem)
		case part == "refund":
			e.refund = append(e.refund, mem)
		}
	}
	return e
}

func (e *event) bind(t template) bound {
	b := make(bound, len(t.parts))
	for i, p := range t.parts {
		b[i] = boundPart{text: p.text, column: -1, word: p.word}
		if p.column != "" {
			b[i].column = e.index[p.column]
		}
	}
	return b
}

func (e *event) tests(c condition) (tests []test) {
	for _, column := range sortedKeys(c) {
		t := test{column: e.index[column]}
		for _, word := range c[column] {
			t.words = append(t.words, []byte(strings.TrimSpace(word)))
		}
		tests = append(tests, t)
	}
	return tests
}

// columnOf is the column that the event's value at place comes from; -1 if it comes from none.
func (e *event) columnOf(place string) int {
	for ; place != ""; place = place[:max(strings.LastIndexByte(place, '.'), 0)] {
		for _, t := range e.mapping.templates {
			if t.path != place && !strings.HasPrefix(t.path, place+".") {
				continue
			}
			for _, p := range t.template.parts {
				if p.column != "" {
					return e.index[p.column]
				}
			}
		}
	}
	return -1
}

// build makes key and value of a row, or sets passed, or returns a problem.
func (e *event) build(raw []byte, fields []field, row int) *problem {
	e.raw, e.fields, e.row = raw, fields, row
	e.key, e.value, e.misread = e.key[:0], e.value[:0], nil
	if e.passed = !e.holds(e.only); e.passed {
		return nil
	}
	at, err := e.mapping.layout.parse(string(e.write(e.time)))
	if err != nil {
		return &problem{"occurred_at", reasonOf(err)}
	}
	e.typ = e.typeOf()
	e.value = append(e.value, `{"event_id":`...)
	e.value = quote(e.value, e.write(e.eventID))
	e.value = append(e.value, `,"type":`...)
	e.value = quote(e.value, e.typ)
	e.value = append(e.value, `,"occurred_at":"`...)
	e.value = append(e.value, at.String()...)
	e.value = append(e.value, '"')
	e.appendIdentifiers()
	if e.appendParts(); e.misread != nil {
		return e.misread
	}
	if problem := e.appendConsent(); problem != nil {
		return problem
	}
	e.value = append(e.value, '}')
	return e.verify()
}

// typeOf is the type that the mapping says, else what the parts of the row make it.
func (e *event) typeOf() string {
	m := e.mapping
	switch {
	case len(e.typ_) > 0:
		return strings.ToLower(strings.TrimSpace(string(e.write(e.typ_))))
	case !m.Conversion.Name.isZero() && e.holds(e.conversionWhen):
		return string(schemas.TypeConversion)
	case !m.Refund.ConversionID.isZero() && e.holds(e.refundWhen):
		return string(schemas.TypeRefund)
	case len(e.touch) > 0 && e.holds(e.touchWhen):
		return string(schemas.TypeTouch)
	case len(e.attribution) > 0:
		return string(schemas.TypeConsent)
	}
	return string(schemas.TypeIdentify)
}

// holds reports whether a row fulfils a condition. Letter case and spaces around a value do not count.
func (e *event) holds(tests []test) bool {
	for _, t := range tests {
		value := bytes.TrimSpace(e.column(t.column))
		found := false
		for i := range t.words {
			found = found || bytes.EqualFold(value, t.words[i])
		}
		if !found {
			return false
		}
	}
	return true
}

func (e *event) column(i int) []byte { return e.raw[e.fields[i].from:e.fields[i].to] }

// write is the text of a template for the row, valid until the next call. It is empty when the template has columns and all
// of them are empty.
func (e *event) write(b bound) []byte {
	e.text = e.text[:0]
	columns, filled := 0, 0
	for _, p := range b {
		switch {
		case p.column >= 0:
			value := e.column(p.column)
			e.text = append(e.text, value...)
			columns++
			if len(bytes.TrimSpace(value)) > 0 {
				filled++
			}
		case p.word == rowNumber:
			e.text = strconv.AppendInt(e.text, int64(e.row), 10)
		case p.word == fileName:
			e.text = append(e.text, e.file...)
		default:
			e.text = append(e.text, p.text...)
		}
	}
	if columns > 0 && filled == 0 {
		return nil
	}
	return e.text
}

// appendIdentifiers writes identifiers that have a value. One type's stand next to each other, and are a list if there are
// several.
func (e *event) appendIdentifiers() {
	e.value = append(e.value, `,"identifiers":{`...)
	for i := 0; i < len(e.identifiers); {
		from, count := len(e.value), 0
		name := e.identifiers[i].name
		if e.value[from-1] != '{' {
			e.value = append(e.value, ',')
		}
		e.value = append(append(e.value, name...), '[')
		list := len(e.value) - 1
		for ; i < len(e.identifiers) && e.identifiers[i].name == name; i++ {
			text := e.write(e.identifiers[i].value)
			if len(text) == 0 {
				continue
			}
			if count > 0 {
				e.value = append(e.value, ',')
			}
			e.value = quote(e.value, text)
			count++
			if len(e.key) == 0 {
				e.key = append(e.key, text...)
			}
		}
		switch count {
		case 0:
			e.value = e.value[:from]
		case 1:
			e.value = append(e.value[:list], e.value[list+1:]...)
		default:
			e.value = append(e.value, ']')
		}
	}
	e.value = append(e.value, '}')
}

// appendParts writes the parts that an event of the type has.
func (e *event) appendParts() {
	switch schemas.EventType(e.typ) {
	case schemas.TypeTouch, schemas.TypeCost:
		e.appendPart(`,"touch":`, e.touch)
	case schemas.TypeConversion:
		if from := len(e.value); e.holds(e.touchWhen) && len(e.touch) > 0 && !e.appendPart(`,"touch":`, e.touch) {
			e.value = e.value[:from] // nothing is known of it
		}
		e.appendPart(`,"conversion":`, e.conversion)
	case schemas.TypeRefund:
		e.appendPart(`,"refund":`, e.refund)
	}
}

// appendPart writes a part with the members that have a value, and reports whether any has.
func (e *event) appendPart(name string, members []member) (filled bool) {
	e.value = append(append(e.value, name...), '{')
	amount := false
	for i := range members {
		m := &members[i]
		if m.money && !amount {
			continue
		}
		text := e.write(m.value)
		if m.amount {
			number, ok := e.mapping.number(string(text))
			if !ok {
				e.misread = &problem{strings.Trim(name, `,":`) + "." + strings.Trim(m.name, `":`), "not a number as csv.decimal and csv.thousands write it"}
			}
			text, amount = []byte(number), number != ""
		}
		if len(text) == 0 {
			continue
		}
		if filled {
			e.value = append(e.value, ',')
		}
		filled = true
		e.value = quote(append(e.value, m.name...), text)
	}
	e.value = append(e.value, '}')
	return filled
}

// number turns an amount of the file into one of JSON's form; whether it is a good one, schemas says. It is ok=false when
// the marks between the digits are not where the mapping has them: "1.5" in a file of decimal commas could be read as 15.
func (m *Mapping) number(text string) (number string, ok bool) {
	text = strings.TrimSpace(text)
	whole, fraction, point := strings.Cut(text, m.decimal())
	if mark := m.CSV.Thousands; mark != "" {
		groups := strings.Split(whole, mark)
		for i, digits := range groups {
			if i > 0 && len(digits) != 3 || i == 0 && len(groups) > 1 && (digits == "" || len(strings.TrimPrefix(digits, "-")) > 3) {
				return "", false
			}
		}
		whole = strings.Join(groups, "")
	}
	if m.decimal() != "." && strings.Contains(whole+fraction, ".") {
		return "", false
	}
	if point {
		return whole + "." + fraction, true
	}
	return whole, true
}

func (e *event) appendConsent() *problem {
	if len(e.attribution) == 0 {
		return nil
	}
	switch strings.ToLower(strings.TrimSpace(string(e.write(e.attribution)))) {
	case "":
	case "true", "yes", "y", "1":
		e.value = append(e.value, `,"consent":{"attribution":true}`...)
	case "false", "no", "n", "0":
		e.value = append(e.value, `,"consent":{"attribution":false}`...)
	default:
		return &problem{"consent.attribution", "must be true or false, yes or no, 1 or 0"}
	}
	return nil
}

// verify reads the event as ingest will.
func (e *event) verify() *problem {
	read, err := schemas.DecodeEvent(e.value)
	var refusal *schemas.Refusal
	if errors.As(err, &refusal) {
		return &problem{refusal.Field, refusal.Error()}
	}
	if err != nil {
		return &problem{"", err.Error()}
	}
	if len(read.Identifiers) == 0 && read.Type != schemas.TypeConversion && read.Type != schemas.TypeRefund {
		return &problem{"identifiers", string(schemas.ReasonNoIdentifier)}
	}
	if len(e.key) == 0 {
		e.key = append(e.key, read.ID...)
	}
	return nil
}

// reasonOf is the text of a time's error, without the parts that a RowError says itself.
func reasonOf(err error) string {
	var refusal *schemas.Refusal
	if errors.As(err, &refusal) && refusal.Detail != "" {
		return "occurred_at: " + refusal.Detail
	}
	return "occurred_at: " + err.Error()
}

// quote appends valid UTF-8 as a JSON string.
func quote[T string | []byte](dst []byte, text T) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
