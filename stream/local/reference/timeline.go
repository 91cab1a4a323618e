package reference

// Timeline is what becomes final: the deliveries in their order of arrival, and the answers as they stood when everything
// up to a conversion's time plus the allowed lateness had arrived.
//
//	line := reference.Timeline{Rules: rules, Allowed: 7 * day}
//	line.Deliver(click)    // false: it comes too late
//	…
//	want := line.Settle()  // the answers now, those that are final as they were
type Timeline struct {
	Rules          Rules
	OutOfOrderness int64
	Allowed        int64

	taken     []Delivery
	watermark int64
	final     map[string]Answer
	replayed  bool
}

// Deliver takes the next delivery, unless it is late.
func (l *Timeline) Deliver(d Delivery) bool {
	if d.typ != "consent" && d.at < l.watermark-l.Allowed {
		return false
	}
	l.watermark = max(l.watermark, d.at-l.OutOfOrderness)
	l.taken = append(l.taken, d)
	return true
}

// Replay takes a delivery that is replayed: it is never late and says nothing about the time, and what is final changes
// with it. After the first one nothing else may be delivered.
func (l *Timeline) Replay(d Delivery) {
	l.replayed = true
	l.taken = append(l.taken, d)
}

// Settle makes final what the watermark has passed, and returns the answers.
func (l *Timeline) Settle() map[string]Answer {
	now := Answers(l.taken, l.Rules)
	if l.final == nil {
		l.final = map[string]Answer{}
	}
	for id, a := range now {
		before, was := l.final[id]
		if !was && a.at+l.Allowed >= l.watermark {
			continue
		}
		if was && !l.replayed {
			before.past = true
			a = before
		}
		if a.status == "provisional" {
			a.status = "final"
		}
		l.final[id], now[id] = a, a
	}
	return now
}

// Finals is how many conversions are final.
func (l *Timeline) Finals() int { return len(l.final) }
