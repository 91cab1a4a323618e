package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// A default currency is that of amounts that name none. It is no amount by itself, and takes nobody's currency away.
func TestDefaultCurrency(t *testing.T) {
	for _, c := range []struct {
		part   string // of a conversion
		byDef  string // with EUR as the default; a reason where it is refused
		byRule string // without one
	}{
		{`"value":"99.90","currency":"USD"`, "99.90 USD", "99.90 USD"},
		{`"value":"99.90"`, "99.90 EUR", "unknown_currency"},
		{`"value":"99.90","currency":null`, "99.90 EUR", "unknown_currency"},
		{`"value":"99.90","currency":""`, "99.90 EUR", "unknown_currency"},
		{`"value":"99.90","currency":"EURO"`, "unknown_currency", "unknown_currency"},
		{`"value":0`, "0.00 EUR", "0 XXX"},
		{`"value":0,"currency":"XXX"`, "0 XXX", "0 XXX"},
		{`"value":null`, "0 XXX", "0 XXX"},
		{`"value":"0.004"`, "0.00 EUR", "unknown_currency"},
		{`"value":"-1"`, "negative_value", "negative_value"},
		{`"currency":"GBP"`, "0.00 GBP", "0.00 GBP"},
	} {
		value := []byte(`{"event_id":"e1","type":"conversion","occurred_at":1,"conversion":{"name":"purchase",` + c.part + `}}`)
		for currency, want := range map[string]string{"EUR": c.byDef, "": c.byRule} {
			e, err := Decoder{DefaultCurrency: currency}.Event(value)
			if got := amountOrReason(e, err); got != want {
				t.Errorf("%s with default %q: %s, want %s", c.part, currency, got, want)
			}
		}
	}
}

func amountOrReason(e Event, err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return string(refusal.Reason)
	}
	return e.Conversion.Value.String() + " " + e.Conversion.Value.Currency
}

func TestDefaultCurrencyOfEveryAmount(t *testing.T) {
	d := Decoder{DefaultCurrency: "JPY"}
	want := Money{5, "JPY"}
	touch := `{"event_id":"e1","type":"touch","occurred_at":1,"touch":{"cost":5}}`
	refund := `{"event_id":"e1","type":"refund","occurred_at":1,"refund":{"conversion_id":"o","amount":"5"}}`
	if e, err := d.Event([]byte(touch)); err != nil || e.Touch.Cost != want {
		t.Errorf("%+v, %v", e, err)
	}
	e, err := d.Event([]byte(refund))
	if err != nil || e.Refund.Amount != want {
		t.Errorf("%+v, %v", e, err)
	}
	p := e.ToProto()
	p.Refund.Currency = ""
	message, _ := p.MarshalVT()
	if e, err := d.EventProto(message); err != nil || e.Refund.Amount != want {
		t.Errorf("as a message: %+v, %v", e, err)
	}
}

// No way of printing an identifier shows its value.
func TestIdentifierHidesItself(t *testing.T) {
	const secret = "ann@example.com"
	e := Event{Identifiers: []Identifier{{"email", secret}, {secret, secret}}}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%10.3s"} {
		printed = append(printed, fmt.Sprintf(verb, e.Identifiers[0]), fmt.Sprintf(verb, e), fmt.Sprintf(verb, &e.Identifiers))
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("event", "identifier", e.Identifiers[0], "event", e)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("event", "identifier", e.Identifiers[0], "event", e)
	printed = append(printed, string(encoded), logged.String())
	for _, s := range printed {
		if strings.Contains(s, "ann") || strings.Contains(s, fmt.Sprintf("%x", secret)[:6]) {
			t.Errorf("shown: %s", s)
		}
		if !strings.Contains(s, "email:hidden") {
			t.Errorf("not said to be hidden: %s", s)
		}
	}
}
