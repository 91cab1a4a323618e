package schemas

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// fault keeps the first thing that is wrong with a record. Its zero value is no fault.
type fault struct {
	refusal *Refusal
}

// refuse notes the first fault and forgets the others.
func (f *fault) refuse(reason Reason, path, detail string) {
	if f.refusal == nil {
		f.refusal = &Refusal{Reason: reason, Field: path, Detail: detail}
	}
}

func (f *fault) refused() bool { return f.refusal != nil }

// amount is what a record says about an amount before it is one.
type amount struct {
	text, currency string
	present        bool
}

// money is an amount of an event in its currency. Without a text it is 0; a zero without a currency is in none; everything
// else needs its currency. rounded says that the text had more decimals than the currency.
func (f *fault) money(a amount, path, currencyPath string) (m Money, rounded bool) {
	if f.refused() {
		return Money{}, false
	}
	if !a.present {
		a.text = "0"
	}
	currency := a.currency
	if currency == "" {
		currency = NoCurrency
	}
	m, rounded, err := ParseAmount(a.text, currency)
	if refusal, ok := err.(*Refusal); ok {
		if refusal.Reason == ReasonUnknownCurrency {
			path = currencyPath
		}
		f.refuse(refusal.Reason, path, refusal.Detail)
		return Money{}, false
	}
	if a.currency == "" && (m.Minor != 0 || rounded) {
		f.refuse(ReasonUnknownCurrency, currencyPath, "missing")
		return Money{}, false
	}
	return m, rounded
}

// exact is an amount of an attribution, which is never finer than its currency; no text is an amount of 0.
func (f *fault) exact(text, currency, path string) Money {
	if f.refused() {
		return Money{}
	}
	if text == "" {
		text = "0"
	}
	m, rounded, err := ParseAmount(text, currency)
	if refusal, ok := err.(*Refusal); ok {
		f.refuse(refusal.Reason, path, refusal.Detail)
	}
	if rounded {
		f.refuse(ReasonBadAmount, path, "finer than the currency")
	}
	return m
}

// textProblem says what is wrong with a text that has been checked to be UTF-8; empty for nothing. Control characters are
// those of Unicode's category Cc.
func textProblem[T string | []byte](text T, max int) string {
	if len(text) > max {
		return "longer than " + strconv.Itoa(max) + " bytes"
	}
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c == 0x7f || c == 0xc2 && i+1 < len(text) && text[i+1] < 0xa0 {
			return "has a control character"
		}
	}
	return ""
}

// asciiSpace is the white space that identifiers may have at their ends.
const asciiSpace = " \t\r\n\v\f"

// maxTypeBytes is the longest name of an identifier type.
const maxTypeBytes = 64

// typeProblem says why a text that is UTF-8 is no name of an identifier type; empty for nothing.
func typeProblem[T string | []byte](name T) string {
	if len(name) == 0 || len(name) > maxTypeBytes || textProblem(name, maxTypeBytes) != "" {
		return "not a name of 1 to " + strconv.Itoa(maxTypeBytes) + " bytes"
	}
	return ""
}

func tooLarge() *Refusal {
	return &Refusal{Reason: ReasonTooLarge, Detail: "more than " + strconv.Itoa(MaxEventBytes) + " bytes"}
}

// pathOf is a JSON pointer in the form of a Refusal's field.
func pathOf(pointer jsontext.Pointer) string {
	var names []string
	for name := range pointer.Tokens() {
		names = append(names, pathName([]byte(name)))
	}
	return strings.Join(names, ".")
}

// pathName is a member's name as it may stand in a refusal: a sender can put personal data into a name, so only plain words
// are shown.
func pathName(name []byte) string {
	if len(name) == 0 || len(name) > 40 {
		return "?"
	}
	for i, c := range name {
		if c-'a' >= 26 && (i == 0 || c != '_' && c-'0' >= 10) {
			return "?"
		}
	}
	return string(name)
}
