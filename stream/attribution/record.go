package attribution

import (
	"cmp"
	"slices"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state/journey"
)

// recorder builds attribution records in memory that it keeps.
type recorder struct {
	scorer *scoring.Scorer
	models []schemas.Model
	record schemas.Attribution
	path   scoring.Path
	credit []scoring.Credit
	shares []schemas.Credit
}

func newRecorder(models []scoring.Named) recorder {
	models = slices.Clone(models)
	slices.SortFunc(models, func(a, b scoring.Named) int { return cmp.Compare(a.Name, b.Name) })
	r := recorder{scorer: scoring.NewScorer(models)}
	for _, m := range models {
		r.models = append(r.models, schemas.Model{Name: m.Name, Version: m.Model.Version()})
	}
	return r
}

// revise emits a revision of the held conversion if it becomes final or its answer is another than the last one, and notes
// it in h. A final conversion has another answer only if something revises it that may, else that is counted as withheld.
func (w *Work) revise(h *identity.Held, customer string, path journey.Path, without schemas.Unattributed, c *change) (revised bool) {
	wasFinal := h.Final
	h.Final = wasFinal || c.final.has(h.Conversion)
	becomesFinal := h.Final && !wasFinal
	a := w.record.build(h, customer, path, without)
	digest := a.Digest()
	if h.Revision > 0 && digest == h.Digest && !becomesFinal { // that it is final is news in itself
		return false
	}
	why := w.causeOf(c, h)
	if wasFinal && (!why.RevisesFinal() || why != identity.CauseErasure && w.incomplete(path.Conversion, c.watermark)) {
		w.Withheld++
		return false
	}
	h.Revision++
	h.Digest = digest
	a.Revision = h.Revision
	a.Change, a.Cause = changeOf(a), causes[why]
	if becomesFinal {
		a.Change, a.Cause = schemas.ChangeFinal, schemas.CauseFinalized
	}
	a.ScoredAt, a.Watermark = c.at, c.watermark
	w.out.Attribution(a)
	return true
}

func changeOf(a *schemas.Attribution) schemas.Change {
	switch {
	case a.Status == schemas.StatusRetracted:
		return schemas.ChangeRetraction
	case a.Revision == 1:
		return schemas.ChangeAttribution
	default:
		return schemas.ChangeRestatement
	}
}

// causeOf is why the conversion has another answer: the mark on itself if there is one, else the first that reaches it. Of
// a final conversion only marks that may revise it count; CauseNone if there is none.
func (w *Work) causeOf(c *change, h *identity.Held) (why identity.Cause) {
	conv := conversionOf(h)
	for _, d := range c.marks {
		if h.Final && !d.Cause.RevisesFinal() || !w.reaches(d, conv) {
			continue
		}
		if why == identity.CauseNone || d.Conversion == h.Conversion {
			why = d.Cause
		}
		if d.Conversion == h.Conversion {
			break
		}
	}
	if h.Revision == 0 && why != identity.CauseBackfill {
		return identity.CauseConversion
	}
	return why
}

var causes = map[identity.Cause]schemas.Cause{
	identity.CauseConversion: schemas.CauseConversion,
	identity.CauseLateEvent:  schemas.CauseLateEvent,
	identity.CauseMerge:      schemas.CauseIdentityMerge,
	identity.CauseSplit:      schemas.CauseIdentitySplit,
	identity.CauseRefund:     schemas.CauseRefund,
	identity.CauseErasure:    schemas.CauseErasure,
	identity.CauseBackfill:   schemas.CauseBackfill,
	identity.CauseConsent:    schemas.CauseConsent,
	identity.CauseDuplicate:  schemas.CauseDuplicate,
}

// build fills the record with the answer, all but revision, change, cause and times. It is overwritten by the next call.
// without is the reason if a conversion that counts has no touches.
func (r *recorder) build(h *identity.Held, customer string, path journey.Path, without schemas.Unattributed) *schemas.Attribution {
	t := h.Terms
	a := &r.record
	*a = schemas.Attribution{
		ConversionID: h.Conversion,
		Status:       schemas.StatusProvisional,
		CustomerID:   customer,
		Conversion: schemas.ConversionResult{Name: t.Name, EventID: t.EventID, OccurredAt: t.At, Value: t.Value,
			NetValue: schemas.Money{Minor: t.NetMinor, Currency: t.Value.Currency}},
		Touches: a.Touches[:0],
		Models:  r.models,
		Journey: schemas.JourneySummary{Touches: path.Summary.Touches, Sessions: path.Summary.Sessions, FirstTouchAt: path.Summary.FirstTouchAt},
	}
	if h.Final {
		a.Status = schemas.StatusFinal
	}
	switch {
	case path.Verdict == journey.NotFirstOccurrence:
		a.Status, a.Unattributed = schemas.StatusRetracted, schemas.UnattributedNotFirstOccurrence
	case path.Verdict == journey.Refunded:
		a.Status, a.Unattributed = schemas.StatusRetracted, schemas.UnattributedRefunded
	case len(path.Touches) == 0:
		a.Unattributed = without
	default:
		r.credits(a, path, t.NetMinor)
	}
	return a
}

// credits fills in the touches with what each model gives them.
func (r *recorder) credits(a *schemas.Attribution, path journey.Path, netMinor int64) {
	r.path.ConvertedAt = path.Conversion.At
	r.path.Touches = r.path.Touches[:0]
	for _, s := range path.Touches {
		r.path.Touches = append(r.path.Touches, scoring.Touchpoint{At: s.Touch.At, Channel: s.Touch.Channel, Kind: s.Touch.Kind})
	}
	r.credit = r.scorer.Score(r.credit[:0], r.path, netMinor)
	r.shares = r.shares[:0]
	for _, c := range r.credit {
		r.shares = append(r.shares, schemas.Credit{Share: schemas.Share(c.Share), Minor: c.Value})
	}
	m := len(r.models)
	for i, s := range path.Touches {
		t := s.Touch
		a.Touches = append(a.Touches, schemas.CreditedTouch{EventID: t.EventID, OccurredAt: t.At, Kind: t.Kind, Channel: t.Channel,
			Source: t.Source, Medium: t.Medium, Campaign: t.Campaign, CampaignID: t.CampaignID, AdID: t.AdID, Creative: t.Creative,
			Keyword: t.Keyword, Placement: t.Placement, Session: s.Session, Credit: r.shares[i*m : (i+1)*m]})
	}
}

// auditOf is the receipt as others read it.
func auditOf(r identity.Receipt, stamp Stamp) schemas.Audit {
	a := schemas.Audit{Kind: schemas.AuditErasure, At: stamp.At, Request: r.Request, UpTo: r.Cut, Identifiers: int64(r.Identifiers),
		Events: int64(r.Facts), Conversions: int64(r.Conversions)}
	if r.Cut == 0 {
		a.Kind, a.Reason, a.Links = schemas.AuditUnlink, r.Reason.String(), int64(r.Links)
	}
	return a
}

// deletion is the last record of a forgotten conversion: nothing of the person is in it.
func (r *recorder) deletion(d identity.Deletion, stamp Stamp) *schemas.Attribution {
	return &schemas.Attribution{
		ConversionID: d.Conversion, Revision: d.Revision, Change: schemas.ChangeRetraction, Cause: schemas.CauseErasure,
		Status: schemas.StatusRetracted, Unattributed: schemas.UnattributedErased, Watermark: stamp.Watermark, ScoredAt: stamp.At,
	}
}
