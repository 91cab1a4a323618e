package reference

// Memory is what is still known when people ask to be forgotten. What a forget takes along is the customer as it is when
// the forget arrives, and an event that is forgotten when it arrives takes along whoever else it names. So the order counts:
// whatever Placed says must be alone has to find everything at rest and come to rest before the next. All else can arrive in
// any order in between.
//
//	memory := reference.Memory{Rules: rules}
//	for _, d := range deliveries {
//		switch memory.Placed(d) { … }  // wait, or leave it out
//		memory.Take(d)
//	}
//	want := memory.Answers()
type Memory struct {
	Rules Rules // more identifiers may be declared shared; limits on neighbours only if nobody is forgotten

	all       []Delivery
	left      []Delivery       // of all, as far as nobody asked to forget it
	cut       map[string]int64 // by identifier: up to when it is forgotten
	erased    map[string]int64 // by conversion: the cut that it was forgotten by
	unseen    map[string]bool  // of the erased: forgotten on arrival, so that it may have no record
	dissolved map[string]bool  // conversions of customers that were forgotten, in whole or in part
}

// Place is when a delivery may come.
type Place int

// Places.
const (
	Anywhere  Place = iota // in any order with its neighbours
	Alone                  // at rest
	Undefined              // not at all: what it takes along depends on which of its identifiers is asked first
)

// Placed says when the delivery may come next.
func (m *Memory) Placed(d Delivery) Place {
	if d.Forgets() {
		return Alone
	}
	cuts := m.cuts(d)
	switch {
	case len(cuts) == 0:
		return Anywhere
	case len(cuts) > 1 || !m.certain(d, anyOf(cuts)):
		return Undefined
	default:
		return Alone
	}
}

// certain reports whether a delivery that is forgotten on arrival takes all of the customers along that it names. Whoever
// was seen with its identifiers up to the cut goes in any case. Who was seen with them only later goes if the forget finds
// them still together, while the same delivery sets their customers in motion.
func (m *Memory) certain(d Delivery, cut int64) bool {
	lists, _ := listsOf(m.left)
	label := componentsOf(lists, m.shared())
	goes := map[string]bool{}
	for _, id := range m.linking(d) {
		goes[id] = true
	}
	for grown := true; grown; {
		grown = false
		for _, other := range m.left {
			ids := m.linking(other)
			if withdrawn := other.typ == "consent" && !other.agreed; withdrawn || other.at > cut || !anyIn(ids, goes) {
				continue
			}
			for _, id := range ids {
				grown = grown || !goes[id]
				goes[id] = true
			}
		}
	}
	for _, id := range m.linking(d) {
		for other, customer := range label {
			if customer == label[id] && !goes[other] && m.cut[other] < cut {
				return false
			}
		}
	}
	return true
}

// Take takes the next delivery. A forget that arrives takes away the customers that it names.
func (m *Memory) Take(d Delivery) {
	if d.Forgets() {
		for _, id := range normals(d.ids) {
			m.forget(id, d.at)
		}
		return
	}
	spread := anyOf(m.cuts(d))
	for _, id := range m.linking(d) {
		m.forget(id, spread)
	}
	if d.typ == "conversion" && m.erased[d.conversionID()] == 0 {
		if _, known := m.conversions()[d.conversionID()]; !known {
			m.unseen = with(m.unseen, d.conversionID(), spread > 0)
		}
	}
	m.all = append(m.all, d)
	m.left = append(m.left, d)
	if len(m.cut) > 0 {
		m.sweep(spread)
	}
}

// Answers are the answers for what is left, and of what was erased only that it was.
func (m *Memory) Answers() map[string]Answer {
	answers := Answers(m.left, m.Rules)
	for id := range m.erased {
		answers[id] = Answer{status: "retracted", reason: "erased", erased: true, unseen: m.unseen[id]}
	}
	return answers
}

// Gone are the event ids of which no delivery is left, and the identifiers, as they were sent, that none names any more and
// that are not shared. Of a conversion without an id of its own, the event id stays in its last record.
func (m *Memory) Gone() (events []string, identifiers [][2]string) {
	event, named := map[string]bool{}, map[string]bool{}
	for _, d := range m.left {
		event[d.id] = true
		for _, id := range normals(d.ids) {
			named[id] = true
		}
	}
	for id := range m.shared() {
		named[id] = true
	}
	for _, d := range m.all {
		if !event[d.id] && (d.typ != "conversion" || d.conv != "") {
			event[d.id] = true
			events = append(events, d.id)
		}
		for _, id := range d.ids {
			if n := normal(id); n != "" && !named[n] {
				named[n] = true
				identifiers = append(identifiers, id)
			}
		}
	}
	return events, identifiers
}

// Dissolved are the conversions of customers that were forgotten, in whole or in part.
func (m *Memory) Dissolved() map[string]bool { return m.dissolved }

// Erased is how many conversions were forgotten.
func (m *Memory) Erased() int { return len(m.erased) }

// forget takes away everything up to a time of the customer that an identifier has now.
func (m *Memory) forget(id string, upTo int64) {
	if m.shared()[id] || upTo <= m.cut[id] {
		return
	}
	m.cut = with(m.cut, id, upTo)
	lists, byConversion := listsOf(m.left)
	label := componentsOf(lists, m.shared())
	for other, customer := range label {
		if customer == label[id] {
			m.cut[other] = max(m.cut[other], upTo)
		}
	}
	for conversion, ids := range byConversion {
		for _, other := range ids {
			if label[id] != "" && label[other] == label[id] {
				m.dissolved = with(m.dissolved, conversion, true)
			}
		}
	}
	m.sweep(upTo)
}

// sweep drops what is forgotten. Conversions go by what is up to a time.
func (m *Memory) sweep(upTo int64) {
	for _, d := range m.left {
		if d.typ == "conversion" && m.forgotten(d) && m.erased[d.conversionID()] == 0 {
			m.erased = with(m.erased, d.conversionID(), upTo)
		}
	}
	var left []Delivery
	for _, d := range m.left {
		gone := m.forgotten(d)
		switch {
		case d.typ == "consent" && !d.agreed: // each identifier hears of it alone
			var ids [][2]string
			for _, id := range d.ids {
				if n := normal(id); n != "" && (m.shared()[n] || m.cut[n] < d.at) {
					ids = append(ids, id)
				}
			}
			if d.ids = ids; len(ids) == 0 {
				continue
			}
		case d.typ == "refund" && m.erased[d.conv] == 0: // it belongs to its conversion
			if gone {
				d.ids = nil
			}
		case gone:
			continue
		case d.typ == "refund":
			d.typ = "identify"
		case d.typ == "conversion" && m.erased[d.conversionID()] > 0: // what it says beside the conversion stays true
			d.typ = "identify"
			if d.touch != nil {
				d.typ = "touch"
			}
		}
		left = append(left, d)
	}
	m.left = left
}

// linking are the identifiers of a delivery that are not shared.
func (m *Memory) linking(d Delivery) (ids []string) {
	shared := m.shared()
	for _, id := range normals(d.ids) {
		if !shared[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// forgotten reports whether one of the identifiers is forgotten up to the time of the delivery.
func (m *Memory) forgotten(d Delivery) bool {
	for _, id := range m.linking(d) {
		if cut, ok := m.cut[id]; ok && d.at <= cut {
			return true
		}
	}
	return false
}

// cuts are those up to which whoever the delivery names has to forget when it arrives.
func (m *Memory) cuts(d Delivery) map[int64]bool {
	cuts := map[int64]bool{}
	if len(m.cut) == 0 {
		return cuts
	}
	if d.typ == "consent" && !d.agreed || d.typ == "refund" && len(normals(d.ids)) < 2 { // these tell nobody of each other
		return cuts
	}
	for _, id := range m.linking(d) {
		if cut, ok := m.cut[id]; ok && d.at <= cut {
			cuts[cut] = true
		}
	}
	if cut, ok := m.erased[d.conversionID()]; ok && d.typ == "conversion" {
		cuts[cut] = true
	}
	return cuts
}

// shared are the identifiers that are declared so. Which met too many others would depend on whom they have forgotten.
func (m *Memory) shared() map[string]bool { return sharedOf(nil, m.Rules) }

func (m *Memory) conversions() map[string][]string {
	_, byConversion := listsOf(m.left)
	return byConversion
}

// anyOf is one of the cuts; 0 if there is none.
func anyOf(cuts map[int64]bool) int64 {
	for cut := range cuts {
		return cut
	}
	return 0
}

func anyIn(ids []string, set map[string]bool) bool {
	for _, id := range ids {
		if set[id] {
			return true
		}
	}
	return false
}

func with[K comparable, V any](all map[K]V, key K, value V) map[K]V {
	if all == nil {
		all = map[K]V{}
	}
	all[key] = value
	return all
}
