package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// Attribution is one revision of the answer for one conversion: the value of the output topic, whose key is ConversionID
// (README.md, "The attribution record"). The revision with the highest number is the answer.
type Attribution struct {
	ConversionID string
	Revision     uint32 // from 1, grows with every record of the conversion
	Change       Change
	Cause        Cause
	Status       Status
	CustomerID   string           // empty: the conversion belongs to nobody, or the person was erased
	Conversion   ConversionResult // the zero value in the retraction of an erased person
	Touches      []CreditedTouch  // in order of (OccurredAt, EventID)
	Models       []Model          // in order of Name
	Unattributed Unattributed     // empty if and only if there are touches
	Journey      JourneySummary
	Watermark    Millis // how far record time was when this was computed; 0: not known
	ScoredAt     Millis // when it was computed, by the clock; 0: not known
}

// ConversionResult is the conversion that an Attribution is about. Value and NetValue are in one currency.
type ConversionResult struct {
	Name       string
	EventID    string // of the statement that counts
	OccurredAt Millis
	Value      Money // as stated
	NetValue   Money // Value less the refunds, at least 0
}

// CreditedTouch is one touch of the path with what each model gives to it. Texts that the sender left empty are empty.
type CreditedTouch struct {
	EventID    string
	OccurredAt Millis
	Kind       string
	Channel    string
	Source     string
	Medium     string
	Campaign   string
	CampaignID string
	AdID       string
	Creative   string
	Keyword    string
	Placement  string
	Session    int      // of the journey, from 1
	Credit     []Credit // one for each of the record's Models, in the same order
}

// Credit is what one model gives to one touch.
type Credit struct {
	Share Share
	Minor int64 // Share of the net value, in minor units of the conversion's currency
}

// Model is a model that gave credit, and its version: "1" for rules, a trained model's own version.
type Model struct {
	Name    string
	Version string
}

// JourneySummary is the journey that the conversion ends, as far as the lookback reaches.
type JourneySummary struct {
	Touches      int
	Sessions     int
	FirstTouchAt Millis // 0: no touch
}

// Change is what a revision does.
type Change string

// The changes.
const (
	ChangeAttribution Change = "ATTRIBUTION" // the first answer
	ChangeRestatement Change = "RESTATEMENT" // value or credit changed
	ChangeRetraction  Change = "RETRACTION"  // the conversion no longer counts
	ChangeFinal       Change = "FINAL"       // nothing will change it any more short of a backfill
)

// Status is where a conversion stands.
type Status string

// The statuses.
const (
	StatusProvisional Status = "provisional" // events that are late within the allowance can still change it
	StatusFinal       Status = "final"
	StatusRetracted   Status = "retracted" // does not count
)

// Cause is why there is a revision. More causes may be added: a reader treats one that it does not know as just a cause.
type Cause string

// The causes.
const (
	CauseConversion    Cause = "conversion"     // the conversion arrived
	CauseLateEvent     Cause = "late_event"     // an event arrived after the answer it changes
	CauseIdentityMerge Cause = "identity_merge" // two customers turned out to be one
	CauseIdentitySplit Cause = "identity_split" // an identifier turned out to be shared by many people
	CauseRefund        Cause = "refund"
	CauseConsent       Cause = "consent"
	CauseErasure       Cause = "erasure"
	CauseModel         Cause = "model"     // a new model, or version of one
	CauseDuplicate     Cause = "duplicate" // another event with the same id counts now
	CauseFinalized     Cause = "finalized" // the watermark passed the conversion's time and the allowance
	CauseBackfill      Cause = "backfill"
)

// Unattributed is why a conversion has no touches. More reasons may be added.
type Unattributed string

// The reasons of a conversion without touches. The last three are those of a conversion that does not count: its status is
// retracted.
const (
	Attributed                     Unattributed = ""                     // it has touches
	UnattributedNoTouch            Unattributed = "no_touch_in_window"   // the customer had none in the lookback
	UnattributedNoIdentifier       Unattributed = "no_identifier"        // nobody is named
	UnattributedSharedIdentifier   Unattributed = "shared_identifier"    // named only by identifiers that many people share
	UnattributedOversizeCustomer   Unattributed = "oversize_customer"    // the customer has more identifiers than a person can have
	UnattributedNoConsent          Unattributed = "no_consent"           // the customer had touches, and consented to none of them
	UnattributedNotFirstOccurrence Unattributed = "not_first_occurrence" // an earlier conversion of that name counts instead
	UnattributedRefunded           Unattributed = "refunded"             // all of its value was refunded
	UnattributedErased             Unattributed = "erased"               // the person was erased
)

// Retracts says that a conversion with this reason does not count.
func (u Unattributed) Retracts() bool {
	return u == UnattributedNotFirstOccurrence || u == UnattributedRefunded || u == UnattributedErased
}

// Changes, Statuses, Causes and UnattributedReasons list what this version writes.
var (
	Changes  = []Change{ChangeAttribution, ChangeRestatement, ChangeRetraction, ChangeFinal}
	Statuses = []Status{StatusProvisional, StatusFinal, StatusRetracted}
	Causes   = []Cause{CauseConversion, CauseLateEvent, CauseIdentityMerge, CauseIdentitySplit, CauseRefund, CauseConsent,
		CauseErasure, CauseModel, CauseDuplicate, CauseFinalized, CauseBackfill}
	UnattributedReasons = []Unattributed{UnattributedNoTouch, UnattributedNoIdentifier, UnattributedSharedIdentifier,
		UnattributedOversizeCustomer, UnattributedNoConsent, UnattributedNotFirstOccurrence, UnattributedRefunded, UnattributedErased}
)

// Check verifies the promises of one record that do not need another one: known words; a status that fits change and
// reason; ordered touches and models; for each model shares that add up to exactly 1.000000 and values that add up to
// exactly the net value. An error means a bug in what made the record, never bad input; it names the conversion's id only.
func (a *Attribution) Check() error {
	for _, check := range [...]func(*Attribution) error{
		checkWords, checkStatus, checkConversion, checkModels, checkTouches, checkCredit,
	} {
		if err := check(a); err != nil {
			return fmt.Errorf("attribution of conversion %q, revision %d: %w", a.ConversionID, a.Revision, err)
		}
	}
	return nil
}

func checkWords(a *Attribution) error {
	switch {
	case a.ConversionID == "":
		return fmt.Errorf("no conversion id")
	case a.Revision == 0:
		return fmt.Errorf("revisions start at 1")
	case !slices.Contains(Changes, a.Change):
		return fmt.Errorf("unknown change %q", a.Change)
	case !slices.Contains(Causes, a.Cause):
		return fmt.Errorf("unknown cause %q", a.Cause)
	case !slices.Contains(Statuses, a.Status):
		return fmt.Errorf("unknown status %q", a.Status)
	case a.Unattributed != Attributed && !slices.Contains(UnattributedReasons, a.Unattributed):
		return fmt.Errorf("unknown reason %q", a.Unattributed)
	}
	return nil
}

func checkStatus(a *Attribution) error {
	retracted := a.Status == StatusRetracted
	switch {
	case retracted != a.Unattributed.Retracts():
		return fmt.Errorf("status %s with reason %q", a.Status, a.Unattributed)
	case retracted && a.Change != ChangeRetraction && a.Change != ChangeFinal,
		!retracted && a.Change == ChangeRetraction,
		a.Status == StatusProvisional && a.Change == ChangeFinal:
		return fmt.Errorf("change %s with status %s", a.Change, a.Status)
	case (a.Unattributed == Attributed) != (len(a.Touches) > 0):
		return fmt.Errorf("%d touches with reason %q", len(a.Touches), a.Unattributed)
	}
	return nil
}

func checkConversion(a *Attribution) error {
	c := &a.Conversion
	if *c == (ConversionResult{}) && a.Unattributed == UnattributedErased {
		return nil
	}
	_, ok := CurrencyDecimals(c.Value.Currency)
	switch {
	case c.Name == "":
		return fmt.Errorf("no conversion name")
	case c.EventID == "":
		return fmt.Errorf("no event id")
	case c.OccurredAt <= 0:
		return fmt.Errorf("no time")
	case !ok || c.Value.Currency != c.NetValue.Currency:
		return fmt.Errorf("value in %q, net value in %q", c.Value.Currency, c.NetValue.Currency)
	case c.NetValue.Minor < 0 || c.NetValue.Minor > c.Value.Minor:
		return fmt.Errorf("net value %s of value %s", c.NetValue, c.Value)
	}
	return nil
}

func checkModels(a *Attribution) error {
	for i, m := range a.Models {
		if m.Name == "" || i > 0 && a.Models[i-1].Name >= m.Name {
			return fmt.Errorf("model %q out of order", m.Name)
		}
	}
	return nil
}

func checkTouches(a *Attribution) error {
	for i := range a.Touches {
		t := &a.Touches[i]
		if i > 0 && !before(&a.Touches[i-1], t) {
			return fmt.Errorf("touch %d out of order", i)
		}
		if t.EventID == "" || t.OccurredAt <= 0 || t.Session < 1 {
			return fmt.Errorf("touch %d lacks its event id, time or session", i)
		}
		if len(t.Credit) != len(a.Models) {
			return fmt.Errorf("touch %d has credit of %d models, the record has %d", i, len(t.Credit), len(a.Models))
		}
	}
	if a.Journey.Touches < len(a.Touches) || (a.Journey.Touches > 0) != (a.Journey.FirstTouchAt > 0) {
		return fmt.Errorf("%d touches, and a journey of %d from %s", len(a.Touches), a.Journey.Touches, a.Journey.FirstTouchAt)
	}
	return nil
}

func checkCredit(a *Attribution) error {
	if len(a.Touches) == 0 {
		return nil
	}
	for m := range a.Models {
		var share, minor int64
		for i := range a.Touches {
			c := a.Touches[i].Credit[m]
			if c.Share < 0 || c.Share > WholeShare || c.Minor < 0 {
				return fmt.Errorf("model %s gives touch %d a share of %s and a value of %d", a.Models[m].Name, i, c.Share, c.Minor)
			}
			share += int64(c.Share)
			minor += c.Minor
		}
		if share != int64(WholeShare) || minor != a.Conversion.NetValue.Minor {
			return fmt.Errorf("model %s gives %d millionths and %d of %d minor units",
				a.Models[m].Name, share, minor, a.Conversion.NetValue.Minor)
		}
	}
	return nil
}

// before is the order of touches: (OccurredAt, EventID).
func before(a, b *CreditedTouch) bool {
	if a.OccurredAt != b.OccurredAt {
		return a.OccurredAt < b.OccurredAt
	}
	return strings.Compare(a.EventID, b.EventID) < 0
}
