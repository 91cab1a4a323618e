// Package reference is the promise of the README written down in the plainest way, for tests: random populations of events
// small enough that everything that can go wrong does, and the answer that every conversion must have in the end. It is
// imported by tests only.
//
// It shares no code with what it checks, only the names in records: all events at once, every rule of the contract as a
// loop over everything.
//
//	r := rand.New(rand.NewPCG(seed, 0))
//	deliveries, rules := reference.Population(r, 40), reference.RandomRules(r)
//	want := reference.Answers(deliveries, rules)
//	reader := reference.NewReader()
//	…                                   // run them through a pipeline in any order, and give reader what it emits
//	faults := reader.Differences(want)  // none
package reference

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strings"
	"time"
)

// Delivery is one delivery of an event, with the parts that its type uses.
type Delivery struct {
	id, typ string
	at      int64 // epoch milliseconds
	ids     [][2]string
	touch   *touchFields
	conv    string // conversion id; "" on a conversion: the event id
	name    string
	minor   int64 // value or refund, in cents
	agreed  bool  // a consent: it is given, else withdrawn; a touch: the sender says so with it
}

type touchFields struct{ kind, channel, source, campaign string }

// At is the time of the event as epoch milliseconds.
func (s Delivery) At() int64 { return s.at }

// EventID is the id of the event.
func (s Delivery) EventID() string { return s.id }

// Forgets reports whether somebody asks to be forgotten.
func (s Delivery) Forgets() bool { return s.typ == "forget" }

// JSON is the event as a sender writes it.
func (s Delivery) JSON() []byte {
	e := map[string]any{"event_id": s.id, "type": s.typ, "occurred_at": time.UnixMilli(s.at).UTC().Format("2006-01-02T15:04:05.000Z07:00")}
	ids := map[string][]string{}
	for _, id := range s.ids {
		ids[id[0]] = append(ids[id[0]], id[1])
	}
	if len(ids) > 0 {
		e["identifiers"] = ids
	}
	if s.touch != nil {
		e["touch"] = map[string]string{"kind": s.touch.kind, "channel": s.touch.channel, "source": s.touch.source, "campaign": s.touch.campaign}
	}
	if s.typ == "consent" || s.agreed {
		e["consent"] = map[string]bool{"attribution": s.agreed}
	}
	amount := fmt.Sprintf("%d.%02d", s.minor/100, s.minor%100)
	switch s.typ {
	case "conversion":
		c := map[string]string{"name": s.name, "value": amount, "currency": "USD"}
		if s.conv != "" {
			c["id"] = s.conv
		}
		e["conversion"] = c
	case "refund":
		e["refund"] = map[string]string{"conversion_id": s.conv, "amount": amount, "currency": "USD"}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return b
}

func (s Delivery) conversionID() string {
	if s.conv == "" {
		return s.id
	}
	return s.conv
}

// Rules are the settings that the reference knows.
type Rules struct {
	Timeout     int64            // longest pause within a session, in milliseconds
	Lookback    int64            // milliseconds
	LookbackOf  map[string]int64 // by touch kind
	UnitSession bool             // one touch of each session counts
	First       map[string]bool  // conversion names that count once
	FirstAgain  int64            // after so long without one of its name a conversion is the first again; 0: never
	Reset       map[string]bool  // conversion names after which the journey starts anew
	Degree      int              // neighbours of one identifier; 0: no limit
	Alike       map[string]int   // neighbours of one type that an identifier of one type may have: "anonymous_id user_id"
	Shared      [][2]string      // identifiers that are declared shared
	Members     int              // identifiers of one customer; 0: no limit
}

// Answer is what the newest revision of a conversion must say.
type Answer struct {
	customer string // any name: equal for the conversions of one customer; "" for none
	status   string
	reason   string
	event    string
	name     string
	at       int64
	value    int64
	net      int64
	touches  []credited
	journey  [3]int64 // touches, sessions, first time
	erased   bool     // it was forgotten: its last record says no more than that
	unseen   bool     // of the erased: there may be no record at all
	past     bool     // of a moment that is over: its customer is called what it was called then
}

type credited struct {
	event   string
	at      int64
	channel string
	session int
	share   map[string]int64 // by model, millionths
	value   map[string]int64 // by model, cents
}

// normal is an identifier's normal form, or "" if it is none.
func normal(id [2]string) string {
	v := strings.TrimSpace(id[1])
	switch low := strings.ToLower(v); {
	case strings.Trim(v, "0-") == "" || low == "null" || low == "unknown" || low == "guest" || low == "undefined":
		return ""
	case id[0] == "email":
		return "email:" + low
	case id[0] == "phone":
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, v)
		if len(digits) == 10 {
			digits = "1" + digits
		}
		if len(digits) != 11 {
			return ""
		}
		return "phone:+" + digits
	}
	return id[0] + ":" + v
}

func normals(ids [][2]string) (out []string) {
	for _, id := range ids {
		if n := normal(id); n != "" && !contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func contains(l []string, s string) bool {
	for _, x := range l {
		if x == s {
			return true
		}
	}
	return false
}

// Answers gives the answer of every conversion for a set of deliveries, in any order.
func Answers(all []Delivery, r Rules) map[string]Answer {
	lists, byConversion := listsOf(all)
	shared := sharedOf(lists, r)
	component := componentsOf(lists, shared)
	size := map[string]int{}
	for _, c := range component {
		size[c]++
	}
	owner := func(ids []string) string {
		for _, id := range ids {
			if !shared[id] {
				return component[id]
			}
		}
		return ""
	}

	out := map[string]Answer{}
	type told struct {
		id string
		Answer
		resets bool
	}
	convs := map[string][]told{} // by customer
	for id, ids := range byConversion {
		a := statementOf(all, id)
		a.customer = owner(ids)
		convs[a.customer] = append(convs[a.customer], told{id: id, Answer: a})
	}
	for customer, cs := range convs {
		sort.Slice(cs, func(i, j int) bool { return less(cs[i].at, cs[i].event, cs[j].at, cs[j].event) })
		for i := range cs {
			c := &cs[i]
			if customer != "" && r.First[c.name] {
				for _, d := range cs {
					if d.name == c.name && d.id != c.id && (r.FirstAgain == 0 || d.at >= c.at-r.FirstAgain) && (d.at < c.at || d.at == c.at && d.id < c.id) {
						c.reason = "not_first_occurrence"
					}
				}
			}
			c.resets = r.Reset[c.name] && c.reason == ""
			if c.reason == "" && c.value > 0 && c.net == 0 {
				c.reason = "refunded"
			}
		}
		words := wordsOf(all, customer, shared, component)
		var events, withheld []event
		for _, e := range touchesOf(all, customer, owner) {
			if e.agreed || permittedBy(words, e.at) {
				events = append(events, e)
			} else {
				withheld = append(withheld, e)
			}
		}
		var times []int64
		for _, c := range cs {
			times = append(times, c.at)
		}
		for i := range cs {
			c := &cs[i]
			switch {
			case c.reason != "":
			case customer == "" && len(byConversion[c.id]) == 0:
				c.reason = "no_identifier"
			case customer == "":
				c.reason = "shared_identifier"
			case r.Members > 0 && size[customer] > r.Members:
				c.reason = "oversize_customer"
			default:
				var resetAt int64
				var resetEvent string
				for _, d := range cs {
					if d.resets && d.id != c.id && less(d.at, d.event, c.at, c.event) {
						resetAt, resetEvent = d.at, d.event
					}
				}
				without := c.Answer
				c.path(events, times, r, resetAt, resetEvent, c.resets)
				without.path(withheld, times, r, resetAt, resetEvent, c.resets)
				if len(c.touches) == 0 && len(without.touches) > 0 {
					c.reason = "no_consent"
				}
			}
			c.status = "provisional"
			if c.reason == "refunded" || c.reason == "not_first_occurrence" {
				c.status = "retracted"
			}
			out[c.id] = c.Answer
		}
	}
	return out
}

// listsOf are the lists of identifiers that were seen together; those of one conversion are one list, too.
func listsOf(all []Delivery) (lists [][]string, byConversion map[string][]string) {
	byConversion = map[string][]string{}
	for _, s := range all {
		ids := normals(s.ids)
		if s.typ == "consent" && !s.agreed { // links nobody
			for _, id := range ids {
				lists = append(lists, []string{id})
			}
			continue
		}
		if s.typ != "conversion" {
			lists = append(lists, ids)
			continue
		}
		byConversion[s.conversionID()] = append([]string(nil), byConversion[s.conversionID()]...) // known even with no identifier
		for _, id := range ids {
			if !contains(byConversion[s.conversionID()], id) {
				byConversion[s.conversionID()] = append(byConversion[s.conversionID()], id)
			}
		}
		lists = append(lists, ids)
	}
	for _, ids := range byConversion {
		lists = append(lists, ids)
	}
	return lists, byConversion
}

func sharedOf(lists [][]string, r Rules) map[string]bool {
	neighbours := map[string]map[string]bool{}
	for _, l := range lists {
		for _, a := range l {
			for _, b := range l {
				if a != b {
					if neighbours[a] == nil {
						neighbours[a] = map[string]bool{}
					}
					neighbours[a][b] = true
				}
			}
		}
	}
	shared := map[string]bool{}
	for id, n := range neighbours {
		shared[id] = r.Degree > 0 && len(n) > r.Degree
		ofType := map[string]int{}
		for other := range n {
			ofType[typeOf(id)+" "+typeOf(other)]++
		}
		for pair, count := range ofType {
			if most := r.Alike[pair]; most > 0 && count > most {
				shared[id] = true
			}
		}
	}
	for _, id := range normals(r.Shared) {
		shared[id] = true
	}
	return shared
}

func typeOf(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}

// componentsOf labels every identifier that is not shared with its customer, by relabelling until nothing changes.
func componentsOf(lists [][]string, shared map[string]bool) map[string]string {
	label := map[string]string{}
	for _, l := range lists {
		for _, id := range l {
			if !shared[id] {
				label[id] = id
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, l := range lists {
			least := ""
			for _, id := range l {
				if !shared[id] && (least == "" || label[id] < least) {
					least = label[id]
				}
			}
			for _, id := range l {
				if !shared[id] && label[id] != least {
					label[id], changed = least, true
				}
			}
		}
	}
	return label
}

// statementOf finds what counts of a conversion: of one event id the smallest delivery, of those the latest; less all
// refunds.
func statementOf(all []Delivery, id string) (a Answer) {
	statements, refunds := map[string]Delivery{}, map[string]Delivery{}
	for _, s := range all {
		of := statements
		switch {
		case s.typ == "conversion" && s.conversionID() == id:
		case s.typ == "refund" && s.conv == id:
			of = refunds
		default:
			continue
		}
		if have, ok := of[s.id]; !ok || s.before(have) {
			of[s.id] = s
		}
	}
	var last *Delivery
	for _, s := range statements {
		if last == nil || last.before(s) {
			last = &s
		}
	}
	a = Answer{event: last.id, name: last.name, at: last.at, value: last.minor, net: last.minor}
	for _, s := range refunds {
		a.net = max(0, a.net-s.minor)
	}
	return a
}

// before orders statements by time, then by content. Test data differ in value only where the event id is equal, and in
// the event id where it is not; amounts below 128 cents sort like their bytes.
func (s Delivery) before(o Delivery) bool {
	if s.at != o.at {
		return s.at < o.at
	}
	if s.id != o.id {
		if len(s.id) != len(o.id) {
			return len(s.id) < len(o.id) // a length stands before the text
		}
		return s.id < o.id
	}
	return s.minor < o.minor
}

func less(at int64, event string, at2 int64, event2 string) bool {
	return at < at2 || at == at2 && event < event2
}

type event struct {
	Delivery
	activity bool
}

// touchesOf returns the customer's touches and activities, one an event id, in order.
func touchesOf(all []Delivery, customer string, owner func([]string) string) []event {
	best := map[string]event{}
	for _, s := range all {
		if s.typ != "touch" && s.typ != "activity" && s.touch == nil || customer == "" || owner(normals(s.ids)) != customer {
			continue
		}
		e := event{s, s.typ == "activity"}
		have, ok := best[s.id]
		if !ok || s.at < have.at || s.at == have.at && e.content() < have.content() {
			best[s.id] = e
		}
	}
	var out []event
	for _, e := range best {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return less(out[i].at, out[i].id, out[j].at, out[j].id) })
	return out
}

// wordsOf returns what a customer said about consent, one word an event id. A withdrawal reaches every customer that it
// names; what gives consent belongs to one, as a touch does.
func wordsOf(all []Delivery, customer string, shared map[string]bool, component map[string]string) map[string]Delivery {
	words := map[string]Delivery{}
	for _, s := range all {
		if s.typ != "consent" {
			continue
		}
		mine := false
		for _, id := range normals(s.ids) {
			if !shared[id] {
				mine = mine || component[id] == customer
				if s.agreed {
					break
				}
			}
		}
		if have, ok := words[s.id]; mine && (!ok || s.at < have.at || s.at == have.at && s.agreed) { // GRANTED is the smaller number
			words[s.id] = s
		}
	}
	return words
}

// permittedBy reports whether the last word up to a time, if there is one, gives consent.
func permittedBy(words map[string]Delivery, at int64) bool {
	given, since := true, int64(-1)
	for _, s := range words {
		if s.at <= at && (s.at > since || s.at == since && !s.agreed) {
			given, since = s.agreed, s.at
		}
	}
	return given
}

// content sorts like the canonical bytes as far as the test data go: deliveries of one event at one time differ in the
// channel only, and all channels are of one length.
func (e event) content() string {
	if e.activity {
		return "" // an activity's second field is smaller than a touch's
	}
	return e.touch.channel
}

// path fills in the touches of a conversion and their credit.
func (a *Answer) path(events []event, conversionTimes []int64, r Rules, resetAt int64, resetEvent string, resets bool) {
	// Sessions: all times in order; a gap longer than the timeout begins a new one.
	var times []int64
	for _, e := range events {
		times = append(times, e.at)
	}
	times = append(times, conversionTimes...)
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	sessionAt := map[int64]int{}
	n := 0
	for i, t := range times {
		if i == 0 || t-times[i-1] > r.Timeout {
			n++
		}
		sessionAt[t] = n
	}
	var eligible []event
	for _, e := range events {
		lookback := r.Lookback
		if l, ok := r.LookbackOf[kindOf(e)]; ok {
			lookback = l
		}
		switch {
		case e.activity, e.at > a.at, a.at-e.at > lookback:
		case resetAt > 0 && !less(resetAt, resetEvent, e.at, e.id):
		case resets && less(a.at, a.event, e.at, e.id):
		default:
			eligible = append(eligible, e)
		}
	}
	if len(eligible) == 0 {
		a.reason = "no_touch_in_window"
		return
	}
	ordinal := map[int]int{}
	for _, e := range eligible {
		if s := sessionAt[e.at]; ordinal[s] == 0 {
			ordinal[s] = len(ordinal) + 1
		}
	}
	a.journey = [3]int64{int64(len(eligible)), int64(len(ordinal)), eligible[0].at}
	kept := eligible
	if r.UnitSession {
		kept = nil
		for i, e := range eligible {
			s := sessionAt[e.at]
			if i > 0 && sessionAt[eligible[i-1].at] == s {
				continue
			}
			pick := e
			for _, f := range eligible {
				if sessionAt[f.at] == s && f.touch.channel != "direct" {
					pick = f
					break
				}
			}
			kept = append(kept, pick)
		}
	}
	for _, e := range kept {
		a.touches = append(a.touches, credited{event: e.id, at: e.at, channel: e.touch.channel, session: ordinal[sessionAt[e.at]],
			share: map[string]int64{}, value: map[string]int64{}})
	}
	for model, weights := range a.weights() {
		for i, v := range apportion(1_000_000, weights) {
			a.touches[i].share[model] = v
		}
		for i, v := range apportion(a.net, weights) {
			a.touches[i].value[model] = v
		}
	}
}

func kindOf(e event) string {
	if e.touch == nil {
		return ""
	}
	return e.touch.kind
}

// weights are those of every model, not normalised. Time decay is computed in floating point: see close.
func (a *Answer) weights() map[string][]*big.Rat {
	n := len(a.touches)
	w := map[string][]*big.Rat{}
	put := func(model string, i int, num, den int64) {
		if w[model] == nil {
			w[model] = make([]*big.Rat, n)
			for j := range w[model] {
				w[model][j] = new(big.Rat)
			}
		}
		w[model][i] = big.NewRat(num, den)
	}
	put("first_touch", 0, 1, 1)
	put("last_touch", n-1, 1, 1)
	lastNonDirect := n - 1
	for i, t := range a.touches {
		if t.channel != "direct" {
			lastNonDirect = i
		}
		put("linear", i, 1, 1)
	}
	put("last_non_direct", lastNonDirect, 1, 1)
	switch n {
	case 1:
		put("position_based", 0, 1, 1)
	case 2:
		put("position_based", 0, 1, 2)
		put("position_based", 1, 1, 2)
	default:
		for i := range a.touches {
			put("position_based", i, 1, int64(5*(n-2)))
		}
		put("position_based", 0, 2, 5)
		put("position_based", n-1, 2, 5)
	}
	w["time_decay"] = make([]*big.Rat, n)
	for i, t := range a.touches {
		age := float64(a.at-t.at) / float64(7*24*time.Hour/time.Millisecond)
		w["time_decay"][i] = new(big.Rat).SetFloat64(math.Exp2(-age))
	}
	return w
}

// apportion splits total by largest remainder, ties to the earlier.
func apportion(total int64, weights []*big.Rat) []int64 {
	sum := new(big.Rat)
	for _, w := range weights {
		sum.Add(sum, w)
	}
	out := make([]int64, len(weights))
	rest := make([]*big.Rat, len(weights))
	left := total
	for i, w := range weights {
		q := new(big.Rat).Quo(new(big.Rat).Mul(w, new(big.Rat).SetInt64(total)), sum)
		floor := new(big.Int).Quo(q.Num(), q.Denom())
		out[i] = floor.Int64()
		rest[i] = new(big.Rat).Sub(q, new(big.Rat).SetInt(floor))
		left -= out[i]
	}
	for ; left > 0; left-- {
		best := -1
		for i := range rest {
			if rest[i] != nil && (best < 0 || rest[i].Cmp(rest[best]) > 0) {
				best = i
			}
		}
		out[best]++
		rest[best] = nil
	}
	return out
}
