package scoring

import (
	"strconv"
	"strings"
)

// share is a part of a whole in units of 10^-9, from 0 to wholeShare. It is exact: 0.4 is 400,000,000.
type share uint64

const (
	wholeShare    share = 1_000_000_000
	shareDecimals       = 9
)

// parseShare reads a decimal from 0 to 1 with at most nine digits after the point, such as "0.4", ".4", "1" or "1.0".
// Signs and exponents are not taken.
func parseShare(s string) (v share, ok bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if whole+decimals == "" || len(decimals) > shareDecimals {
		return 0, false
	}
	for _, c := range whole + decimals {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	decimals += strings.Repeat("0", shareDecimals-len(decimals))
	n, err := strconv.ParseUint(whole+decimals, 10, 64)
	if err != nil || share(n) > wholeShare {
		return 0, false
	}
	return share(n), true
}

// String is the shortest decimal that parseShare reads as s.
func (s share) String() string {
	digits := strconv.FormatUint(uint64(s%wholeShare+wholeShare), 10)[1:]
	text := strconv.FormatUint(uint64(s/wholeShare), 10) + "." + digits
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
