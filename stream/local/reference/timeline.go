package reference

// Timeline is what becomes final: the deliveries in their order of arrival, and the answers as they stood when everything
// up to a conversion's time plus the allowed lateness had arrived.
//
//	line := reference.Timeline{Memory: reference.Memory{Rules: rules}, Allowed: 7 * day}
//	line.Deliver(click)    // false: it comes too late
//	…
//	want := line.Settle()  // the answers now, those that are final as they were
type Timeline struct {
	Memory         Memory
	OutOfOrderness int64
	Allowed        int64

	watermark int64
	final     map[string]Answer
	replayed  bool
}

// Deliver takes the next delivery, unless it is late.
func (l *Timeline) Deliver(d Delivery) bool {
	if d.typ != "consent" && !d.Forgets() && d.at < l.watermark-l.Allowed {
		return false
	}
	l.watermark = max(l.watermark, d.at-l.OutOfOrderness)
	l.Memory.Take(d)
	return true
}

// Replay takes a delivery that is replayed: it is never late and says nothing about the time, and what is final changes
// with it. After the first one nothing else may be delivered.
func (l *Timeline) Replay(d Delivery) {
	l.replayed = true
	l.Memory.Take(d)
}

// Settle makes final what the watermark has passed, and returns the answers.
func (l *Timeline) Settle() map[string]Answer {
	now := l.Memory.Answers()
	if l.final == nil {
		l.final = map[string]Answer{}
	}
	for id, a := range now {
		before, was := l.final[id]
		if a.erased || !was && a.at+l.Allowed >= l.watermark {
			continue
		}
		if was && !l.replayed && !l.Memory.dissolved[id] {
			before.past = true
			a = before
		}
		if a.status == "provisional" {
			a.status = "final"
		}
		l.final[id], now[id] = a, a
	}
	l.Memory.dissolved = nil
	return now
}

// Due reports whether something becomes final now.
func (l *Timeline) Due() bool {
	for id, a := range l.Memory.Answers() {
		if _, was := l.final[id]; !was && !a.erased && a.at+l.Allowed < l.watermark {
			return true
		}
	}
	return false
}

// Finals is how many conversions were ever final.
func (l *Timeline) Finals() int { return len(l.final) }
