package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"tributary/schemas"
)

// scenario is what comes from outside, in no order, and the world that it comes to.
type scenario struct {
	identifiers int
	conversions int
	partitions  int
	cap         int // neighbours of an identifier; 0: no limit
	alike       alike
	chunk       int // bytes of a Put
	kept        int // touches and candidates of a shared identifier
	rules       rules
	refresh     int // time after which a link is announced again; 0: never
	inputs      []input
}

// alike limits the neighbours of one rank that an identifier of one rank may have. The zero value limits nothing.
type alike struct{ of, with, most int }

type inputKind int

const (
	touch inputKind = iota
	identify
	conversion
	refund
	forget
	share
	consent
	expire // not from ingest: the sweep of the caller comes to an identifier or conversion
)

var inputNames = [...]string{"touch", "identify", "conversion", "refund", "forget", "share", "consent", "expire"}

// input is one message from ingest.
type input struct {
	kind       inputKind
	event      string
	at         schemas.Millis // forget: up to when; expire: what is before it goes
	ids        []int          // ascending, but for those that ingest knows to be shared: they stand last
	conversion int
	minor      int64  // value or refund
	body       string // of a touch
	touched    bool   // a conversion that is also a touch
}

// String is the input in the language of the scenario files:
//
//	touch EVENT @TIME [=CONTENT] IDENTIFIER…
//	identify EVENT @TIME IDENTIFIER…
//	conversion CONVERSION EVENT @TIME VALUE [touch [=CONTENT]] IDENTIFIER…
//	refund CONVERSION EVENT @TIME AMOUNT IDENTIFIER…
//	forget @TIME IDENTIFIER
//	share IDENTIFIER
//	consent EVENT @TIME IDENTIFIER…
//	expire @TIME IDENTIFIER|CONVERSION
//
// Identifiers are letters, a first in the fixed order. Conversions are c0 to c9; amounts are minor units.
func (in input) String() string {
	words := []string{inputNames[in.kind]}
	switch in.kind {
	case touch, identify, consent:
		words = append(words, in.event)
	case conversion, refund:
		words = append(words, conversionName(in.conversion), in.event)
	}
	if in.kind != share {
		words = append(words, fmt.Sprintf("@%d", int64(in.at)))
	}
	if in.kind == conversion || in.kind == refund {
		words = append(words, strconv.FormatInt(in.minor, 10))
	}
	if in.touched {
		words = append(words, "touch")
	}
	if in.kind == expire && len(in.ids) == 0 {
		words = append(words, conversionName(in.conversion))
	}
	if in.body != "" && (in.kind == touch || in.touched) {
		words = append(words, "="+in.body)
	}
	for _, i := range in.ids {
		words = append(words, name(i))
	}
	return strings.Join(words, " ")
}

// parseInput reads what String writes.
func parseInput(line string) (in input, err error) {
	words := strings.Fields(line)
	next := func() (word string) {
		if len(words) > 0 {
			word, words = words[0], words[1:]
		}
		return word
	}
	number := func(word string) int64 {
		n, fault := strconv.ParseInt(strings.TrimPrefix(word, "@"), 10, 64)
		if fault != nil && err == nil {
			err = fmt.Errorf("%s: %q is not a number", line, word)
		}
		return n
	}
	kind := slices.Index(inputNames[:], next())
	if kind < 0 {
		return in, fmt.Errorf("%s: unknown input", line)
	}
	in.kind = inputKind(kind)
	if in.kind == conversion || in.kind == refund {
		in.conversion = int(number(strings.TrimPrefix(next(), "c")))
	}
	if in.kind != forget && in.kind != share && in.kind != expire {
		in.event = next()
	}
	if in.kind != share {
		in.at = schemas.Millis(number(next()))
	}
	if in.kind == conversion || in.kind == refund {
		in.minor = number(next())
	}
	for _, word := range words {
		switch {
		case word == "touch":
			in.touched = true
		case in.kind == expire && word[0] == 'c' && len(word) > 1:
			in.conversion = int(number(word[1:]))
		case word[0] == '=':
			in.body = word[1:]
		case len(word) == 1 && word[0] >= 'a' && int(word[0]-'a') < len(testIDs):
			in.ids = append(in.ids, int(word[0]-'a'))
		default:
			return in, fmt.Errorf("%s: %q is no identifier", line, word)
		}
	}
	return in, err
}

// String is the scenario in the language of the scenario files.
func (s *scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "world identifiers=%d conversions=%d partitions=%d neighbours=%d of=%d with=%d most=%d chunk=%d kept=%d oversize=%d across=%v",
		s.identifiers, s.conversions, s.partitions, s.cap, s.alike.of, s.alike.with, s.alike.most, s.chunk, s.kept, s.rules.oversize, s.rules.across)
	if s.has(expire) {
		fmt.Fprintf(&b, " refresh=%d", s.refresh)
	}
	b.WriteByte('\n')
	for _, in := range s.inputs {
		fmt.Fprintln(&b, in)
	}
	return b.String()
}

// message is the input as ingest writes it.
func (in input) message() *Message {
	m := &Message{IDs: idsOf(in.ids), Time: in.at, Fresh: true}
	if len(in.ids) > 0 {
		m.To = Ref{ID: testIDs[in.ids[0]]}
	}
	switch in.kind {
	case touch:
		m.Kind = KindEvent
		m.Fact = &Fact{Event: EventKeyOf(in.event), At: in.at, Body: []byte(in.body)}
	case identify:
		m.Kind = KindEvent
	case conversion, refund:
		m.Kind, m.To, m.Time = KindConversion, Ref{}, 0
		m.Conversion = conversionName(in.conversion)
		m.Statement = &Statement{EventID: in.event, Refund: in.kind == refund, At: in.at,
			Amount: schemas.Money{Minor: in.minor, Currency: "EUR"}}
		if in.kind == conversion {
			m.Statement.Name = "purchase"
		}
		if in.touched {
			m.Fact = &Fact{Event: EventKeyOf(in.event), At: in.at, Body: []byte(in.body)}
		}
	case consent:
		m.Kind = KindEvent
		m.Fact = &Fact{Event: EventKeyOf(in.event), At: in.at, Standing: true}
	case expire:
		m.IDs, m.Fresh = nil, false
		if len(in.ids) == 0 {
			m.Conversion = conversionName(in.conversion)
		}
	case forget:
		m.Kind, m.IDs = KindForget, nil
	case share:
		m.Kind, m.IDs, m.Time = KindShare, nil, 0
	}
	return m
}

func (s *scenario) limits() Limits {
	l := Limits{ChunkBytes: s.chunk, Kept: s.kept, Refresh: time.Duration(s.refresh) * time.Millisecond}
	for i := range l.Neighbours {
		l.Neighbours[i] = uint32(s.cap)
	}
	l.NeighboursOf[s.alike.of][s.alike.with] = uint32(s.alike.most)
	return l
}

// partition spreads actors so that small scenarios have all kinds of neighbourhoods.
func (s *scenario) partition(m *Message) int {
	if m.ToConversion() || m.Conversion != "" && m.Kind == 0 {
		return (s.identifiers + conversionIndex(m.Conversion)) % s.partitions
	}
	return indexOf(m.To.ID) % s.partitions
}

func (s *scenario) has(k inputKind) bool {
	return slices.ContainsFunc(s.inputs, func(in input) bool { return in.kind == k })
}

// testIDs ascend: two of each rank; every fourth is under another key.
var testIDs = func() (ids [16]ID) {
	for i := range ids {
		ids[i][0], ids[i][1], ids[i][15] = uint8(1+i/2), uint8(1+i%4/3), uint8(i)
		ids[i][2] = uint8(i * 16)
	}
	return ids
}()

func indexOf(id ID) int { return int(id[15]) }

// name is the letter of an identifier.
func name(index int) string { return string(rune('a' + index)) }

func initial(id ID) string { return name(indexOf(id)) }

func idsOf(index []int) []ID {
	ids := make([]ID, len(index))
	for i, x := range index {
		ids[i] = testIDs[x]
	}
	return ids
}

func conversionName(i int) string     { return "c" + strconv.Itoa(i) }
func conversionIndex(name string) int { return int(name[1] - '0') }

// size bounds the scenarios that random draws.
type size struct {
	identifiers, inputs, forgets int
	times                        bool // statements of one conversion have different times
	plain                        bool // no caps, shared identifiers or forgets
}

// randomScenario draws a scenario.
func randomScenario(r *rand.Rand, z size) *scenario {
	s := &scenario{identifiers: 2 + r.IntN(z.identifiers-1), conversions: 1 + r.IntN(2)}
	s.partitions = s.identifiers + s.conversions
	if r.IntN(3) == 0 {
		s.partitions = 1 + r.IntN(s.partitions)
	}
	s.chunk = []int{0, 1, 150}[r.IntN(3)]
	s.kept = r.IntN(3)
	if !z.plain && r.IntN(2) == 0 {
		s.cap = 1 + r.IntN(3)
	}
	if !z.plain && r.IntN(2) == 0 {
		s.alike = alike{of: 1 + r.IntN(3), with: 1 + r.IntN(3), most: 1 + r.IntN(2)}
	}
	if r.IntN(2) == 0 {
		s.rules.oversize = 2 + r.IntN(3)
	}
	s.rules.across = r.IntN(2) == 0
	for n := 2 + r.IntN(z.inputs-1); n > 0; n-- {
		s.inputs = append(s.inputs, s.randomInput(r, z))
	}
	if z.plain {
		return s
	}
	for i := r.IntN(z.forgets + 1); i > 0; i-- {
		up := schemas.Millis(100 + i)
		if r.IntN(2) == 0 {
			up = schemas.Millis(5 + r.IntN(15))
		}
		s.inputs = append(s.inputs, input{kind: forget, at: up, ids: []int{r.IntN(s.identifiers)}})
	}
	if r.IntN(2) == 0 {
		shared := r.IntN(s.identifiers)
		if r.IntN(2) == 0 { // ingest hears of it on the way
			s.sharedLast(shared, func() bool { return r.IntN(2) == 0 })
		}
		s.inputs = append(s.inputs, input{kind: share, ids: []int{shared}})
	}
	return s
}

// sharedLast moves an identifier to the end of the lists of some inputs, as ingest does once it is declared shared.
func (s *scenario) sharedLast(shared int, some func() bool) {
	for i := range s.inputs {
		in := &s.inputs[i]
		if at := slices.Index(in.ids, shared); at >= 0 && some() {
			in.ids = append(slices.Delete(slices.Clone(in.ids), at, at+1), shared)
		}
	}
}

func (s *scenario) randomInput(r *rand.Rand, z size) input {
	if n := len(s.inputs); n > 0 && r.IntN(6) == 0 {
		return s.redelivered(r, s.inputs[r.IntN(n)], z)
	}
	in := input{event: "e" + strconv.Itoa(len(s.inputs)), at: schemas.Millis(1 + r.IntN(20)), ids: s.randomIDs(r),
		conversion: r.IntN(s.conversions)}
	switch x := r.IntN(12); {
	case x < 4:
		in.kind = conversion
		in.minor = int64(100 * r.IntN(4))
		in.touched = r.IntN(3) == 0
		if !z.times {
			in.at = s.timeOf(in.conversion)
		}
		if r.IntN(10) == 0 {
			in.ids = nil
			in.touched = false
		}
	case x == 4:
		in.kind = refund
		in.minor = int64(50 * (1 + r.IntN(3)))
		if r.IntN(3) == 0 {
			in.ids = nil
		}
	case x == 5:
		in.kind = identify
	default:
		in.kind = touch
	}
	return in
}

// timeOf is the one time of a conversion's statements where they do not differ.
func (s *scenario) timeOf(conversion int) schemas.Millis { return schemas.Millis(10 + conversion) }

// redelivered is the input once more, as it was or with other identifiers, content or time.
func (s *scenario) redelivered(r *rand.Rand, in input, z size) input {
	switch r.IntN(5) {
	case 0:
		in.ids = s.randomIDs(r)
	case 1:
		in.body, in.minor = "x", in.minor+50
	case 2:
		if in.kind != conversion || z.times {
			in.at = schemas.Millis(1 + r.IntN(20))
		}
	}
	return in
}

func (s *scenario) randomIDs(r *rand.Rand) []int {
	n := []int{1, 1, 1, 2, 2, 2, 2, 2, 2, 3}[r.IntN(10)]
	ids := r.Perm(s.identifiers)[:min(n, s.identifiers)]
	slices.Sort(ids)
	return ids
}
