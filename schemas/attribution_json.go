package schemas

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// Encode appends the record as one line of JSON without the line's end. Equal records are equal bytes: members have a fixed
// order, models that of their names, amounts all decimals of their currency, times milliseconds and Z. Wrong UTF-8, which no
// decoder lets in, becomes U+FFFD. Touches must have as many Credit as there are Models.
func (a *Attribution) Encode(dst []byte) []byte {
	dst = append(dst, `{"conversion_id":`...)
	dst = appendString(dst, a.ConversionID)
	dst = append(dst, `,"revision":`...)
	dst = appendInt(dst, int(a.Revision))
	dst = append(dst, `,"change":`...)
	dst = appendString(dst, string(a.Change))
	dst = append(dst, `,"cause":`...)
	dst = appendString(dst, string(a.Cause))
	dst = a.appendContent(dst)
	dst = append(dst, `,"watermark":`...)
	dst = appendTime(dst, a.Watermark)
	dst = append(dst, `,"scored_at":`...)
	dst = appendTime(dst, a.ScoredAt)
	return append(dst, '}')
}

// Digest is xxHash64 over the encoding of all members but revision, change, cause, watermark and scored_at: two revisions
// of a conversion with one digest say the same. It is stored, so it must not change for a record that was written once: a new
// member has to be left out of the encoding where it has nothing to say.
func (a *Attribution) Digest() uint64 {
	buffer := digestBuffers.Get().(*[]byte)
	*buffer = appendString((*buffer)[:0], a.ConversionID)
	*buffer = a.appendContent(*buffer)
	digest := xxhash.Sum64(*buffer)
	digestBuffers.Put(buffer)
	return digest
}

var digestBuffers = sync.Pool{New: func() any { return new([]byte) }}

// appendContent appends the members that say something about the conversion, each with a comma before it.
func (a *Attribution) appendContent(dst []byte) []byte {
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, string(a.Status))
	dst = append(dst, `,"customer_id":`...)
	if a.CustomerID == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendString(dst, a.CustomerID)
	}
	dst = append(dst, `,"conversion":`...)
	dst = a.Conversion.append(dst)
	dst = append(dst, `,"touches":[`...)
	for i := range a.Touches {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.Touches[i].append(dst, a.Models, a.Conversion.Value.Currency)
	}
	dst = append(dst, `],"models":{`...)
	for i, m := range a.Models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.Name)
		dst = append(dst, `:{"version":`...)
		dst = appendString(dst, m.Version)
		dst = append(dst, '}')
	}
	dst = append(dst, `},"unattributed":`...)
	if a.Unattributed == Attributed {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, `{"reason":`...)
		dst = appendString(dst, string(a.Unattributed))
		dst = append(dst, '}')
	}
	dst = append(dst, `,"journey":{"touches":`...)
	dst = appendInt(dst, a.Journey.Touches)
	dst = append(dst, `,"sessions":`...)
	dst = appendInt(dst, a.Journey.Sessions)
	dst = append(dst, `,"first_touch_at":`...)
	dst = appendTime(dst, a.Journey.FirstTouchAt)
	return append(dst, '}')
}

func (c *ConversionResult) append(dst []byte) []byte {
	if *c == (ConversionResult{}) {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"name":`...)
	dst = appendString(dst, c.Name)
	dst = append(dst, `,"event_id":`...)
	dst = appendString(dst, c.EventID)
	dst = append(dst, `,"occurred_at":`...)
	dst = appendTime(dst, c.OccurredAt)
	dst = append(dst, `,"value":"`...)
	dst = c.Value.AppendText(dst)
	dst = append(dst, `","net_value":"`...)
	dst = c.NetValue.AppendText(dst)
	dst = append(dst, `","currency":`...)
	dst = appendString(dst, c.Value.Currency)
	return append(dst, '}')
}

func (t *CreditedTouch) append(dst []byte, models []Model, currency string) []byte {
	dst = append(dst, `{"event_id":`...)
	dst = appendString(dst, t.EventID)
	dst = append(dst, `,"occurred_at":`...)
	dst = appendTime(dst, t.OccurredAt)
	dst = appendOptional(dst, `,"kind":`, t.Kind)
	dst = appendOptional(dst, `,"channel":`, t.Channel)
	dst = appendOptional(dst, `,"source":`, t.Source)
	dst = appendOptional(dst, `,"medium":`, t.Medium)
	dst = appendOptional(dst, `,"campaign":`, t.Campaign)
	dst = appendOptional(dst, `,"campaign_id":`, t.CampaignID)
	dst = appendOptional(dst, `,"ad_id":`, t.AdID)
	dst = appendOptional(dst, `,"creative":`, t.Creative)
	dst = appendOptional(dst, `,"keyword":`, t.Keyword)
	dst = appendOptional(dst, `,"placement":`, t.Placement)
	dst = append(dst, `,"session":`...)
	dst = appendInt(dst, t.Session)
	dst = append(dst, `,"credit":{`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.Name)
		dst = append(dst, `:{"share":`...)
		dst = t.Credit[i].Share.AppendText(dst)
		dst = append(dst, `,"value":"`...)
		dst = Money{t.Credit[i].Minor, currency}.AppendText(dst)
		dst = append(dst, `"}`...)
	}
	return append(dst, "}}"...)
}

// appendString appends a text as a JSON string with as few escapes as JSON allows (RFC 8785, 3.2.2.2).
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			dst, _ = jsontext.AppendQuote(dst, s)
			return dst
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendOptional appends a member, whose name is given with comma, quotes and colon; nothing for an empty text.
func appendOptional(dst []byte, member, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(append(dst, member...), s)
}

// DecodeAttribution reads a record that Encode, or another writer of the same contract, has written. Members that the
// contract does not name are ignored, an optional member that is null or absent is the zero value, and models and credit may
// be in any order. The rules between members are for Check to verify.
//
// Every error is a *Refusal that names the field, and no value.
func DecodeAttribution(value []byte) (Attribution, error) {
	var a Attribution
	_, err := read(value, a.read)
	if err != nil {
		return Attribution{}, err
	}
	return a, nil
}

// readTouch is a touch whose amounts wait for the conversion's currency and whose credit waits for the models.
type readTouch struct {
	touch  CreditedTouch
	credit []readCredit
}

type readCredit struct {
	model  string
	share  Share
	amount string
}

func (a *Attribution) read(r *reader) {
	if !r.open("") {
		r.refuse(ReasonNotJSON, "", "not an object")
		return
	}
	var touches []readTouch
	for r.more() {
		switch name := r.name(); string(name) {
		case "conversion_id":
			a.ConversionID = r.id("conversion_id")
		case "revision":
			a.Revision = uint32(r.integer("revision", math.MaxUint32))
		case "change":
			a.Change = readKnown(r, "change", Changes)
		case "cause":
			a.Cause = Cause(r.text("cause", MaxTextBytes))
		case "status":
			a.Status = readKnown(r, "status", Statuses)
		case "customer_id":
			a.CustomerID = r.text("customer_id", MaxTextBytes)
		case "conversion":
			a.Conversion.read(r)
		case "touches":
			touches = readTouches(r)
		case "models":
			a.Models = readModels(r)
		case "unattributed":
			a.Unattributed = readUnattributed(r)
		case "journey":
			a.Journey.read(r)
		case "watermark":
			a.Watermark = r.time("watermark")
		case "scored_at":
			a.ScoredAt = r.time("scored_at")
		default:
			r.ignore()
		}
	}
	a.require(&r.fault)
	a.sortModels(&r.fault)
	a.place(&r.fault, touches)
}

// require refuses a record without the members that every record has.
func (a *Attribution) require(f *fault) {
	for _, m := range [...]struct {
		missing bool
		path    string
	}{
		{a.ConversionID == "", "conversion_id"},
		{a.Revision == 0, "revision"},
		{a.Change == "", "change"},
		{a.Cause == "", "cause"},
		{a.Status == "", "status"},
	} {
		if m.missing {
			f.refuse(ReasonMissingField, m.path, "")
		}
	}
}

const notEachModel = "not one for each of models"

// sortModels puts the models in order; a name that is there twice is a fault.
func (a *Attribution) sortModels(f *fault) {
	slices.SortFunc(a.Models, func(a, b Model) int { return cmp.Compare(a.Name, b.Name) })
	for i := range a.Models {
		if i > 0 && a.Models[i].Name == a.Models[i-1].Name {
			f.refuse(ReasonDuplicateKey, "models", "")
		}
	}
}

// place gives each touch its credit in the order of the models.
func (a *Attribution) place(f *fault, touches []readTouch) {
	if f.refused() || len(touches) == 0 {
		return
	}
	for i := range touches { // first of all, so that the product below is no larger than the input
		if len(touches[i].credit) != len(a.Models) {
			f.refuse(ReasonBadValue, "touches.credit", notEachModel)
			return
		}
	}
	currency := a.Conversion.Value.Currency
	all := make([]Credit, len(touches)*len(a.Models)) // one allocation for all touches
	a.Touches = make([]CreditedTouch, len(touches))
	for i := range touches {
		t := touches[i].touch
		if len(a.Models) > 0 {
			t.Credit, all = all[:len(a.Models):len(a.Models)], all[len(a.Models):]
		}
		slices.SortFunc(touches[i].credit, func(a, b readCredit) int { return cmp.Compare(a.model, b.model) })
		for m, c := range touches[i].credit {
			if c.model != a.Models[m].Name {
				f.refuse(ReasonBadValue, "touches.credit", notEachModel)
				return
			}
			t.Credit[m] = Credit{Share: c.share, Minor: f.exact(c.amount, currency, "touches.credit.value").Minor}
		}
		a.Touches[i] = t
	}
}

func (c *ConversionResult) read(r *reader) {
	if !r.open("conversion") {
		return
	}
	var value, net, currency string
	for r.more() {
		switch name := r.name(); string(name) {
		case "name":
			c.Name = r.text("conversion.name", MaxTextBytes)
		case "event_id":
			c.EventID = r.text("conversion.event_id", MaxIDBytes)
		case "occurred_at":
			c.OccurredAt = r.time("conversion.occurred_at")
		case "value":
			value, _ = r.amount("conversion.value")
		case "net_value":
			net, _ = r.amount("conversion.net_value")
		case "currency":
			currency = r.word("conversion.currency")
		default:
			r.ignore()
		}
	}
	if !r.refused() && currency == "" {
		r.refuse(ReasonMissingField, "conversion.currency", "")
	}
	c.Value = r.exact(value, currency, "conversion.value")
	c.NetValue = r.exact(net, currency, "conversion.net_value")
}

func readTouches(r *reader) (touches []readTouch) {
	if !r.openList("touches") {
		return nil
	}
	for r.more() {
		touches = append(touches, readTouch{})
		touches[len(touches)-1].read(r)
	}
	return touches
}

func (t *readTouch) read(r *reader) {
	if !r.open("touches") {
		r.refuse(ReasonWrongType, "touches", "not a list of objects")
		return
	}
	for r.more() {
		switch name := r.name(); string(name) {
		case "event_id":
			t.touch.EventID = r.text("touches.event_id", MaxIDBytes)
		case "occurred_at":
			t.touch.OccurredAt = r.time("touches.occurred_at")
		case "kind":
			t.touch.Kind = r.word("touches.kind")
		case "channel":
			t.touch.Channel = r.word("touches.channel")
		case "source":
			t.touch.Source = r.word("touches.source")
		case "medium":
			t.touch.Medium = r.word("touches.medium")
		case "campaign":
			t.touch.Campaign = r.text("touches.campaign", MaxTextBytes)
		case "campaign_id":
			t.touch.CampaignID = r.text("touches.campaign_id", MaxTextBytes)
		case "ad_id":
			t.touch.AdID = r.text("touches.ad_id", MaxTextBytes)
		case "creative":
			t.touch.Creative = r.text("touches.creative", MaxTextBytes)
		case "keyword":
			t.touch.Keyword = r.text("touches.keyword", MaxTextBytes)
		case "placement":
			t.touch.Placement = r.text("touches.placement", MaxTextBytes)
		case "session":
			t.touch.Session = int(r.integer("touches.session", math.MaxInt32))
		case "credit":
			t.credit = readCredits(r)
		default:
			r.ignore()
		}
	}
}

func readCredits(r *reader) (credits []readCredit) {
	if !r.open("touches.credit") {
		return nil
	}
	for r.more() {
		c := readCredit{model: string(r.name())}
		if r.open("touches.credit") {
			for r.more() {
				switch name := r.name(); string(name) {
				case "share":
					c.share = readShare(r)
				case "value":
					c.amount, _ = r.amount("touches.credit.value")
				default:
					r.ignore()
				}
			}
		}
		credits = append(credits, c)
	}
	return credits
}

func readShare(r *reader) Share {
	number := r.number("touches.credit.share")
	if number == "" {
		return 0
	}
	share, err := ParseShare(number)
	if refusal, ok := err.(*Refusal); ok {
		r.refuse(refusal.Reason, "touches.credit.share", refusal.Detail)
	}
	return share
}

func readModels(r *reader) (models []Model) {
	if !r.open("models") {
		return nil
	}
	for r.more() {
		m := Model{Name: string(r.name())}
		if r.open("models") {
			for r.more() {
				switch name := r.name(); string(name) {
				case "version":
					m.Version = r.text("models.version", MaxTextBytes)
				default:
					r.ignore()
				}
			}
		}
		models = append(models, m)
	}
	return models
}

func readUnattributed(r *reader) (reason Unattributed) {
	if !r.open("unattributed") {
		return Attributed
	}
	for r.more() {
		switch name := r.name(); string(name) {
		case "reason":
			reason = Unattributed(r.text("unattributed.reason", MaxTextBytes))
		default:
			r.ignore()
		}
	}
	if reason == Attributed {
		r.refuse(ReasonMissingField, "unattributed.reason", "")
	}
	return reason
}

func (j *JourneySummary) read(r *reader) {
	if !r.open("journey") {
		return
	}
	for r.more() {
		switch name := r.name(); string(name) {
		case "touches":
			j.Touches = int(r.integer("journey.touches", math.MaxInt32))
		case "sessions":
			j.Sessions = int(r.integer("journey.sessions", math.MaxInt32))
		case "first_touch_at":
			j.FirstTouchAt = r.time("journey.first_touch_at")
		default:
			r.ignore()
		}
	}
}

// readKnown reads one of words; empty if the member is absent.
func readKnown[W ~string](r *reader, path string, words []W) W {
	return knownWord(&r.fault, path, W(r.text(path, MaxTextBytes)), words)
}

// knownWord refuses a word that is not one of words; the empty one is absent.
func knownWord[W ~string](f *fault, path string, w W, words []W) W {
	if w != "" && !slices.Contains(words, w) {
		f.refuse(ReasonBadValue, path, "unknown word")
	}
	return w
}
