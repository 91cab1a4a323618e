package reference

import (
	"fmt"
	"slices"

	"tributary/schemas"
)

// Reader is a consumer of the output: it checks every record by itself and against the one before it, and keeps the newest
// of each conversion.
type Reader struct {
	Newest     map[string]*schemas.Attribution
	Faults     []string // what no reader should ever see
	AfterFinal int      // revisions that came after the final one
	final      map[string]bool
}

// NewReader returns a reader that has seen nothing.
func NewReader() *Reader {
	return &Reader{Newest: map[string]*schemas.Attribution{}, final: map[string]bool{}}
}

// Attribution takes the next record, which stays the caller's.
func (r *Reader) Attribution(a *schemas.Attribution) {
	fault := func(format string, values ...any) {
		r.Faults = append(r.Faults, a.ConversionID+": "+fmt.Sprintf(format, values...))
	}
	if err := a.Check(); err != nil {
		fault("%v\n%s", err, a.Encode(nil))
	}
	if old := r.Newest[a.ConversionID]; old != nil {
		r.follows(old, a, fault)
	} else if a.Change == schemas.ChangeFinal {
		fault("final before it had an answer")
	} else if a.Revision != 1 {
		fault("the first revision is %d", a.Revision)
	}
	switch {
	case a.Change == schemas.ChangeFinal:
		r.final[a.ConversionID] = true
	case r.final[a.ConversionID]:
		r.AfterFinal++
	}
	c, err := schemas.DecodeAttribution(a.Encode(nil))
	if err != nil {
		fault("%v", err)
		return
	}
	r.Newest[a.ConversionID] = &c
}

// follows checks a record against the one before it.
func (r *Reader) follows(old, a *schemas.Attribution, fault func(string, ...any)) {
	wasFinal := r.final[a.ConversionID]
	allowed := a.Cause == schemas.CauseBackfill || a.Cause == schemas.CauseErasure
	if a.Revision != old.Revision+1 {
		fault("revision %d after %d", a.Revision, old.Revision)
	}
	switch {
	case a.Change == schemas.ChangeFinal && wasFinal:
		fault("revision %d is final again", a.Revision)
	case a.Change == schemas.ChangeFinal:
		repeated := *old
		repeated.Status = a.Status
		if repeated.Digest() != a.Digest() {
			fault("revision %d is final and has a new answer", a.Revision)
		}
	case old.Digest() == a.Digest():
		fault("revision %d says what the one before said", a.Revision)
	case wasFinal && (!allowed || a.Status == schemas.StatusProvisional):
		fault("revision %d, %s by %s, came after the final one", a.Revision, a.Change, a.Cause)
	}
}

// Differences compares the newest revisions with the reference and returns what differs.
func (r *Reader) Differences(want map[string]Answer) (out []string) {
	customer, named := map[string]string{}, map[string]string{}
	for id, w := range want {
		a := r.Newest[id]
		if a == nil && w.unseen {
			continue
		}
		if a == nil {
			out = append(out, id+": no record")
			continue
		}
		if got, exp := plain(a), w.plain(); got != exp {
			out = append(out, fmt.Sprintf("%s:\n  got  %s\n  want %s", id, got, exp))
		}
		for i, t := range w.touches {
			if i < len(a.Touches) {
				out = append(out, t.differs(id, a, i)...)
			}
		}
		if w.past {
			continue
		}
		if old, ok := customer[a.CustomerID]; ok && old != w.customer {
			out = append(out, fmt.Sprintf("%s: one customer id for two customers", id))
		}
		if old, ok := named[w.customer]; ok && old != a.CustomerID {
			out = append(out, fmt.Sprintf("%s: two customer ids for one customer", id))
		}
		customer[a.CustomerID], named[w.customer] = w.customer, a.CustomerID
	}
	for id := range r.Newest {
		if _, ok := want[id]; !ok {
			out = append(out, id+": a record of no conversion")
		}
	}
	slices.Sort(out)
	return out
}

// plain is a record without credit, as text to compare and to read.
func plain(a *schemas.Attribution) string {
	var touches []string
	for _, t := range a.Touches {
		touches = append(touches, fmt.Sprintf("%s@%d/%s/s%d", t.EventID, t.OccurredAt, t.Channel, t.Session))
	}
	c := a.Conversion
	return fmt.Sprintf("%s %q %s by %s@%d %d net %d journey %v %v", a.Status, a.Unattributed, c.Name, c.EventID, c.OccurredAt, c.Value.Minor, c.NetValue.Minor,
		[3]int64{int64(a.Journey.Touches), int64(a.Journey.Sessions), int64(a.Journey.FirstTouchAt)}, touches)
}

// plain is what the record of the answer would be, without credit.
func (w Answer) plain() string {
	var touches []string
	for _, t := range w.touches {
		touches = append(touches, fmt.Sprintf("%s@%d/%s/s%d", t.event, t.at, t.channel, t.session))
	}
	return fmt.Sprintf("%s %q %s by %s@%d %d net %d journey %v %v", w.status, w.reason, w.name, w.event, w.at, w.value, w.net, w.journey, touches)
}

func (c credited) differs(id string, a *schemas.Attribution, i int) (out []string) {
	for m, model := range a.Models {
		got := a.Touches[i].Credit[m]
		slack := int64(0)
		if model.Name == "time_decay" { // the reference computes it in floating point
			slack = 1
		}
		if abs(int64(got.Share)-c.share[model.Name]) > slack || abs(got.Minor-c.value[model.Name]) > slack {
			out = append(out, fmt.Sprintf("%s: %s gives %s %v and %d, want %d millionths and %d", id, model.Name, c.event, got.Share, got.Minor, c.share[model.Name], c.value[model.Name]))
		}
	}
	return out
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}
