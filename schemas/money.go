package schemas

import (
	"math"
	"strconv"
)

// Money is an exact amount: minor units of an ISO 4217 currency. The zero value is no money in no currency. The number
// of decimals is the currency's exponent: 2 for USD, 0 for JPY, 3 for KWD.
type Money struct {
	Minor    int64
	Currency string // upper case; "XXX" (no currency, exponent 0) where a conversion has no value
}

// MaxMinor is the largest amount of one record, in minor units. Sums of 9000 such amounts still fit into an int64.
const MaxMinor = 1_000_000_000_000_000

// ParseAmount reads a decimal number, such as 99.90, 1e3 or 0.005, as an amount in currency. More decimals than the
// currency has are rounded half to even, and rounded says that this changed the amount.
//
// Every error is a *Refusal without a field: unknown_currency (the empty currency too), bad_amount (not a decimal number,
// or more than MaxMinor), negative_value. The time is linear in the text, whatever its exponent.
//
//	ParseAmount("99.905", "USD") = {9990 USD}, rounded
//	ParseAmount("1e3", "JPY")    = {1000 JPY}
func ParseAmount(text, currency string) (m Money, rounded bool, err error) {
	decimals, ok := CurrencyDecimals(currency)
	if !ok {
		detail := "not an ISO 4217 code"
		if currency == "" {
			detail = "missing"
		}
		return Money{}, false, &Refusal{Reason: ReasonUnknownCurrency, Detail: detail}
	}
	d, ok := scanDecimal(text)
	if !ok {
		return Money{}, false, &Refusal{Reason: ReasonBadAmount, Detail: "not a decimal number"}
	}
	if d.negative && !d.zero() {
		return Money{}, false, &Refusal{Reason: ReasonNegativeValue}
	}
	minor, exact, ok := d.scaled(decimals)
	if !ok || minor > MaxMinor {
		return Money{}, false, &Refusal{Reason: ReasonBadAmount, Detail: "too large"}
	}
	return Money{Minor: minor, Currency: currency}, !exact, nil
}

// String is the amount as a decimal number with all decimals of its currency, without the code: "99.90", "100" for JPY.
func (m Money) String() string { return string(m.AppendText(nil)) }

// AppendText appends what String returns. A currency that ISO 4217 does not know is written as having no decimals.
func (m Money) AppendText(dst []byte) []byte {
	decimals, _ := CurrencyDecimals(m.Currency)
	return appendDecimal(dst, m.Minor, decimals)
}

// appendDecimal appends units / 10^decimals with exactly that many decimals.
func appendDecimal(dst []byte, units int64, decimals int) []byte {
	u := uint64(units)
	if units < 0 {
		dst, u = append(dst, '-'), -u
	}
	if decimals == 0 {
		return strconv.AppendUint(dst, u, 10)
	}
	one := uint64(math.Pow10(decimals))
	dst = append(strconv.AppendUint(dst, u/one, 10), '.')
	for rest, digit := u%one, one/10; digit > 0; digit /= 10 {
		dst = append(dst, '0'+byte(rest/digit%10))
	}
	return dst
}

// decimal is the syntax of a decimal number: the value is 0.DIGITS × 10^point, where DIGITS are those of whole, then
// those of fraction, without the leading zeros.
type decimal struct {
	negative        bool
	whole, fraction string
	point           int // at most maxPoint away from zero
}

// maxPoint is where exponents stop growing: far above any amount, far below an overflow.
const maxPoint = 1 << 30

// zero reports whether the value is 0.
func (d decimal) zero() bool { return d.whole == "" && d.fraction == "" }

// digit is the i-th of DIGITS, 0 behind their end.
func (d decimal) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i] - '0'
	}
	if i -= len(d.whole); i < len(d.fraction) {
		return d.fraction[i] - '0'
	}
	return 0
}

// scanDecimal reads -?DIGITS(.DIGITS)?([eE][+-]?DIGITS)?, the numbers of JSON and, as CSV files have them, those with
// leading zeros.
func scanDecimal(text string) (d decimal, ok bool) {
	if text != "" && text[0] == '-' {
		d.negative, text = true, text[1:]
	}
	d.whole, text = leadingDigits(text)
	if d.whole == "" {
		return d, false
	}
	if text != "" && text[0] == '.' {
		d.fraction, text = leadingDigits(text[1:])
		if d.fraction == "" {
			return d, false
		}
	}
	exponent := 0
	if text != "" && text[0]|0x20 == 'e' {
		exponent, text, ok = scanExponent(text[1:])
		if !ok {
			return d, false
		}
	}
	if text != "" {
		return d, false
	}
	d.whole = trimZeros(d.whole)
	d.point = len(d.whole)
	if d.whole == "" {
		digits := trimZeros(d.fraction)
		d.point = len(digits) - len(d.fraction)
		d.fraction = digits
	}
	d.point = min(max(d.point+exponent, -maxPoint), maxPoint)
	return d, true
}

// scanExponent reads [+-]?DIGITS; a value beyond maxPoint is maxPoint.
func scanExponent(text string) (exponent int, rest string, ok bool) {
	negative := false
	if text != "" && (text[0] == '+' || text[0] == '-') {
		negative, text = text[0] == '-', text[1:]
	}
	digits, rest := leadingDigits(text)
	for _, c := range []byte(digits) {
		exponent = min(exponent*10+int(c-'0'), maxPoint)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, rest, digits != ""
}

// scaled is the value × 10^decimals as a whole number, rounded half to even; the sign is left out. exact says that
// nothing was rounded. It is ok=false for a result above 10^18.
func (d decimal) scaled(decimals int) (units int64, exact, ok bool) {
	if d.zero() {
		return 0, true, true
	}
	kept := d.point + decimals // so many of DIGITS are before the point of the result
	if kept > 18 {
		return 0, false, false
	}
	for i := range max(kept, 0) {
		units = units*10 + int64(d.digit(i))
	}
	n := len(d.whole) + len(d.fraction)
	if kept < 0 {
		return 0, false, true // below 0.1
	}
	half, rest := d.digit(kept), false
	for i := kept + 1; i < n && !rest; i++ {
		rest = d.digit(i) != 0
	}
	if half > 5 || half == 5 && (rest || units%2 == 1) {
		units++
	}
	return units, half == 0 && !rest, true
}

// leadingDigits splits text behind its leading decimal digits.
func leadingDigits(text string) (digits, rest string) {
	n := 0
	for n < len(text) && text[n]-'0' < 10 {
		n++
	}
	return text[:n], text[n:]
}

// trimZeros drops leading zeros.
func trimZeros(digits string) string {
	n := 0
	for n < len(digits) && digits[n] == '0' {
		n++
	}
	return digits[n:]
}
