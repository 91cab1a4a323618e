package report_test

import (
	"bytes"
	"strings"
	"testing"

	"tributary/schemas"
	"tributary/stream/metrics"
	"tributary/stream/report"
)

// sale is a revision in which two models share 90.00 USD among channels: first gives all to the first, linear evenly.
func sale(id string, revision uint32, cause schemas.Cause, channels ...string) *schemas.Attribution {
	a := &schemas.Attribution{ConversionID: id, Revision: revision, Change: schemas.ChangeAttribution, Cause: cause, Status: schemas.StatusProvisional,
		Models: []schemas.Model{{Name: "first", Version: "1"}, {Name: "linear", Version: "1"}}}
	a.Conversion = schemas.ConversionResult{Name: "purchase", EventID: id, OccurredAt: 1772366400000, Value: schemas.Money{Minor: 9000, Currency: "USD"},
		NetValue: schemas.Money{Minor: 9000, Currency: "USD"}}
	n := len(channels)
	for i, c := range channels {
		first := schemas.Credit{}
		if i == 0 {
			first = schemas.Credit{Share: schemas.WholeShare, Minor: 9000}
		}
		a.Touches = append(a.Touches, schemas.CreditedTouch{EventID: c, OccurredAt: 1772362800000 + schemas.Millis(i), Kind: "click", Channel: c, Session: 1,
			Credit: []schemas.Credit{first, {Share: schemas.WholeShare / schemas.Share(n), Minor: 9000 / int64(n)}}})
	}
	a.Journey = schemas.JourneySummary{Touches: n, Sessions: 1, FirstTouchAt: 1772362800000}
	if n == 0 {
		a.Unattributed = schemas.UnattributedNoTouch
	}
	return a
}

func TestCollectorKeepsTheNewest(t *testing.T) {
	var c report.Collector
	for _, a := range []*schemas.Attribution{
		sale("order-1", 2, schemas.CauseLateEvent, "search", "email"),
		sale("order-1", 1, schemas.CauseConversion, "email"), // an older one, late
		sale("order-2", 1, schemas.CauseConversion, "email"),
		sale("order-2", 2, schemas.CauseIdentityMerge, "search", "email"),
		sale("order-3", 1, schemas.CauseConversion),
	} {
		c.Add(a)
	}
	newest := c.Newest()
	if len(newest) != 3 || newest[0].Revision != 2 || newest[1].Revision != 2 || c.Revisions() != 5 {
		t.Fatalf("%d conversions of %d revisions", len(newest), c.Revisions())
	}
	if got := c.Correction(); got == nil || got.After.ConversionID != "order-2" || got.Before.Revision != 1 {
		t.Errorf("correction %+v", got)
	}
	if j := c.Journey(); j == nil || len(j.Touches) != 2 {
		t.Errorf("journey %+v", j)
	}

	channels := report.ByChannel(newest)
	if channels.Conversions != 3 || channels.Attributed != 2 || channels.Unattributed[schemas.UnattributedNoTouch] != 1 {
		t.Errorf("%+v", channels)
	}
	if channels.Shares["first"]["search"] != 2_000_000 || channels.Shares["linear"]["email"] != 1_000_000 || channels.Values["USD"]["linear"]["email"] != 9000 {
		t.Errorf("%+v", channels)
	}

	var text bytes.Buffer
	report.WriteChannels(&text, channels)
	report.WriteJourney(&text, c.Journey())
	report.WriteCorrection(&text, c.Correction())
	for _, want := range []string{
		"3 conversions count: 2 with touches, 1 without; 0 do not count",
		"│ search  │ ██████ 2.0 │ ███ 1.0 │", "██████ 180.00", "│ total   │",
		`One journey: purchase "order-1" of 90.00 USD`, "2 touches in 1 sessions",
		`One correction: purchase "order-2", revision 1 to 2 because of identity_merge`, "before: provisional, 90.00 USD",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
}

func TestLedgerSaysWhetherItAddsUp(t *testing.T) {
	var good, bad bytes.Buffer
	report.WriteLedger(&good, metrics.Ledger{Received: 12_000, Applied: 11_990, Duplicate: 4, Refused: 3, Filtered: 2, Shared: 1}, 0)
	report.WriteLedger(&bad, metrics.Ledger{Received: 10, Applied: 9}, 0)
	if !strings.Contains(good.String(), "12,000") || !strings.Contains(good.String(), "adds up") {
		t.Errorf("%s", &good)
	}
	if !strings.Contains(bad.String(), "DOES NOT ADD UP") {
		t.Errorf("%s", &bad)
	}
}
