package schemas

import "strconv"

// Share is a part of one conversion's credit in millionths: WholeShare is all of it. As JSON it is a number with at most
// six decimals and no trailing zeros: 1, 0.5, 0.438291, 0.
type Share int32

// WholeShare is the sum of a model's shares in every conversion that has touches.
const WholeShare Share = 1_000_000

// shareDecimals is how many decimals a share has.
const shareDecimals = 6

// String is the share as a decimal number: "0.438291".
func (s Share) String() string { return string(s.AppendText(nil)) }

// AppendText appends what String returns.
func (s Share) AppendText(dst []byte) []byte {
	if s%WholeShare == 0 {
		return strconv.AppendInt(dst, int64(s/WholeShare), 10)
	}
	dst = appendDecimal(dst, int64(s), shareDecimals)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// MarshalJSON makes a share a JSON number.
func (s Share) MarshalJSON() ([]byte, error) { return s.AppendText(nil), nil }

// UnmarshalJSON reads what ParseShare reads.
func (s *Share) UnmarshalJSON(number []byte) (err error) {
	*s, err = ParseShare(string(number))
	return err
}

const notAShare = "not a share from 0 to 1 in millionths"

// ParseShare reads a decimal number from 0 to 1. A share finer than a millionth is refused, never rounded, because the
// shares of a conversion have to add up. The error is a *Refusal bad_value without a field.
func ParseShare(text string) (Share, error) {
	d, ok := scanDecimal(text)
	if !ok {
		return 0, &Refusal{Reason: ReasonBadValue, Detail: "not a decimal number"}
	}
	units, exact, ok := d.scaled(shareDecimals)
	if !ok || !exact || d.negative && units != 0 || units > int64(WholeShare) {
		return 0, &Refusal{Reason: ReasonBadValue, Detail: notAShare}
	}
	return Share(units), nil
}
