package attribution

import (
	"cmp"
	"slices"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state/journey"
)

// Work is one transaction's worth of messages. It ends with Finish, or is dropped with everything that it wrote.
type Work struct {
	*Processor
	batch Batch
	out   Output
	dirty map[place]*change
	// Ledgers are how the fresh messages of this work ended, by partition.
	Ledgers map[int32]identity.Ledger
	// Withheld counts the times that a final conversion would have had a new revision if it were not final.
	Withheld int64
	// ExpiredEvents and Expired count what was deleted because it is older than what is kept.
	ExpiredEvents int64
	Expired       identity.Expired
	// Shared counts the identifiers that became shared.
	Shared map[identity.Reason]int64
}

// place is where conversions may have changed: a root, or a conversion's actor.
type place struct {
	partition  int32
	root       identity.ID
	conversion string // parked there; empty at a root
}

func placeOf(partition int32, root identity.ID, conversion string) place {
	if root != identity.None {
		conversion = ""
	}
	return place{partition, root, conversion}
}

// change gathers why the conversions of a place may have another answer.
type change struct {
	marks     []identity.Dirty
	final     set            // conversions that become final; nil: none
	at        schemas.Millis // newest record time of the messages that changed it
	watermark schemas.Millis
}

// Begin starts a transaction on a batch.
func (p *Processor) Begin(batch Batch, out Output) *Work {
	return &Work{Processor: p, batch: batch, out: out, dirty: make(map[place]*change), Ledgers: make(map[int32]identity.Ledger),
		Shared: make(map[identity.Reason]int64)}
}

// Stamp is the time that a journal record carries.
type Stamp struct {
	At        schemas.Millis // of the record, by the broker's clock
	Watermark schemas.Millis // of its partition; 0: not known
}

// Message handles one journal message of a partition. Messages of a partition come in the order of their offsets.
func (w *Work) Message(partition int32, m *identity.Message, stamp Stamp) {
	e := &w.effects
	e.Reset()
	w.rows = stepRows{w.batch.Rows(partition), w, w.horizon(stamp.Watermark)}
	w.machine.Step(&w.rows, m, e)
	w.follow(partition, stamp)
}

// follow does what a step decided beside row changes.
func (w *Work) follow(partition int32, stamp Stamp) {
	e := &w.effects
	for _, next := range e.Send {
		w.out.Journal(int32(next.Partition(w.config.Partitions)), next)
	}
	for _, d := range e.Deleted {
		w.out.Attribution(w.record.deletion(d, stamp))
	}
	for _, c := range e.Withdrawn {
		w.out.Alias(schemas.Alias{Old: identity.CustomerID(w.config.Key, c.Root, c.Cut)})
	}
	for _, a := range e.Aliases {
		w.out.Alias(schemas.Alias{
			Old: identity.CustomerID(w.config.Key, a.Old, a.OldCut),
			New: identity.CustomerID(w.config.Key, a.New, a.NewCut),
		})
	}
	for _, r := range e.Receipts {
		w.out.Audit(auditOf(r, stamp))
	}
	for _, d := range e.Dirty {
		w.mark(partition, d, stamp)
	}
	for _, why := range e.Shared {
		w.Shared[why]++
	}
	if e.Ledger != (identity.Ledger{}) {
		l := w.Ledgers[partition]
		l.Sum(e.Ledger)
		w.Ledgers[partition] = l
	}
	w.Expired.Sum(e.Expired)
}

// Ledger is how the fresh messages of this work ended, in all partitions.
func (w *Work) Ledger() (sum identity.Ledger) {
	for _, l := range w.Ledgers {
		sum.Sum(l)
	}
	return sum
}

func (w *Work) mark(partition int32, d identity.Dirty, stamp Stamp) {
	c := w.at(placeOf(partition, d.Root, d.Conversion), stamp)
	if n := len(c.marks); n == 0 || c.marks[n-1] != d {
		c.marks = append(c.marks, d)
	}
}

// at is the change of a place, to which something happens now.
func (w *Work) at(p place, stamp Stamp) *change {
	c := w.dirty[p]
	if c == nil {
		c = &change{}
		w.dirty[p] = c
	}
	c.at = max(c.at, stamp.At)
	c.watermark = max(c.watermark, stamp.Watermark)
	return c
}

// Finish scores what changed and emits the revisions that follow. The order of places is fixed, so that the same messages
// give the same output.
func (w *Work) Finish() {
	places := make([]place, 0, len(w.dirty))
	for p := range w.dirty {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), slices.Compare(a.root[:], b.root[:]), cmp.Compare(a.conversion, b.conversion))
	})
	for _, p := range places {
		if p.conversion != "" {
			w.scoreParked(p, w.dirty[p])
		} else {
			w.scoreRoot(p, w.dirty[p])
		}
	}
	clear(w.dirty)
}

// scoreParked scores a conversion that no identifier can hold.
func (w *Work) scoreParked(p place, c *change) {
	rows := w.batch.Rows(p.partition)
	key := identity.ConversionKeyOf(p.conversion)
	actor, ok := rows.Conversion(key)
	if !ok || !actor.Parked {
		return
	}
	path := journey.Path{Conversion: conversionOf(&actor.Token)}
	if path.Conversion.Refunded {
		path.Verdict = journey.Refunded
	}
	reason := schemas.UnattributedNoIdentifier
	if len(actor.IDs) > 0 {
		reason = schemas.UnattributedSharedIdentifier
	}
	if w.revise(&actor.Token, "", path, reason, c) {
		rows.PutConversion(key, actor)
	}
}

// scoreRoot scores those conversions of a root that the marks can have changed.
func (w *Work) scoreRoot(p place, c *change) {
	rows := w.batch.Rows(p.partition)
	node := rows.Node(p.root)
	if node.Shared || !node.Root() {
		return // the tokens have moved: who has them now scores them
	}
	held := make(map[string]*identity.Held)
	var conversions []journey.Conversion
	helds := rows.Helds(p.root)
	for i := range helds {
		if h := &helds[i]; h.Custody {
			held[h.Conversion] = h
			conversions = append(conversions, conversionOf(h))
		}
	}
	wanted, from, to := w.wanted(c, conversions)
	if len(wanted) == 0 {
		return
	}
	customer := identity.CustomerID(w.config.Key, p.root, node.Cut)
	var permitted, withheld []journey.Touch
	oversize := w.config.MaxMembers > 0 && node.Members+1 > w.config.MaxMembers
	if !oversize {
		permitted, withheld = journey.Permitted(touches(rows.Window(p.root, from, to)), consents(rows.Standing(p.root, to)))
	}
	for _, path := range w.config.Rules.Paths(permitted, conversions, wanted.has) {
		reason := schemas.UnattributedNoTouch
		switch {
		case oversize:
			reason = schemas.UnattributedOversizeCustomer
		case len(path.Touches) == 0 && w.eligible(withheld, conversions, path.Conversion.ID):
			reason = schemas.UnattributedNoConsent
		}
		h := held[path.Conversion.ID]
		if w.revise(h, customer, path, reason, c) {
			rows.PutHeld(p.root, *h)
		}
	}
}

// eligible reports whether one of the touches would share the conversion's credit if there were no others.
func (w *Work) eligible(touches []journey.Touch, conversions []journey.Conversion, id string) bool {
	if len(touches) == 0 {
		return false
	}
	paths := w.config.Rules.Paths(touches, conversions, func(other string) bool { return other == id })
	return len(paths) == 1 && len(paths[0].Touches) > 0
}

type set map[string]struct{}

func (s set) has(id string) bool { _, ok := s[id]; return ok }
func (s set) add(id string)      { s[id] = struct{}{} }

// wanted returns the conversions that the marks can have changed, and the times between which their touches lie.
func (w *Work) wanted(c *change, conversions []journey.Conversion) (ids set, from, to schemas.Millis) {
	ids = make(set)
	for _, conv := range conversions {
		reached := func(d identity.Dirty) bool { return w.reaches(d, conv) }
		if !c.final.has(conv.ID) && !slices.ContainsFunc(c.marks, reached) {
			continue
		}
		a, b := w.config.Rules.Window(conv)
		if len(ids) == 0 {
			from, to = a, b
		}
		from, to = min(from, a), max(to, b)
		ids.add(conv.ID)
	}
	return ids, from, to
}

// reaches reports whether a mark can have changed the conversion's answer. Every rule looks back only, so a conversion that
// came, moved or changed leaves earlier ones as they are.
func (w *Work) reaches(d identity.Dirty, conv journey.Conversion) bool {
	switch {
	case d.Conversion == conv.ID, d.Conversion == "" && d.Since == 0:
		return true
	case d.Conversion != "":
		return conv.At >= d.Since
	default:
		return w.config.Rules.Affected(d.Since, conv)
	}
}

func conversionOf(h *identity.Held) journey.Conversion {
	t := h.Terms
	return journey.Conversion{ID: h.Conversion, EventID: t.EventID, Name: t.Name, At: t.At,
		Value: t.Value.Minor, Net: t.NetMinor, Currency: t.Value.Currency, Refunded: t.Refunded()}
}
