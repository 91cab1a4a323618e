package schemas

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text, currency string
		want           string
		rounded        bool
	}{
		{"99.90", "USD", "99.90", false},
		{"99.9", "USD", "99.90", false},
		{"100", "JPY", "100", false},
		{"1e2", "JPY", "100", false},
		{"1.5E+1", "EUR", "15.00", false},
		{"125e-2", "EUR", "1.25", false},
		{"1.2345", "KWD", "1.234", true},
		{"1.2355", "KWD", "1.236", true},
		{"0.005", "USD", "0.00", true},
		{"0.015", "USD", "0.02", true},
		{"0.00500000000000000000000000001", "USD", "0.01", true},
		{"0.0049999", "USD", "0.00", true},
		{"0.9999", "JPY", "1", true},
		{"99.999", "USD", "100.00", true},
		{"0", "USD", "0.00", false},
		{"-0", "USD", "0.00", false},
		{"-0.00", "USD", "0.00", false},
		{"0e999999999", "USD", "0.00", false},
		{"0.0e-999999999", "USD", "0.00", false},
		{"1e-999999999999999999999", "USD", "0.00", true},
		{"007.10", "USD", "7.10", false},
		{"1.10000000", "USD", "1.10", false},
		{"10000000000000.00", "USD", "10000000000000.00", false}, // 10^15 cents: the limit
		{"10000000000000.001", "USD", "10000000000000.00", true},
		{"1.5", "XXX", "2", true},
		{"1.0001", "CLF", "1.0001", false},
	} {
		m, rounded, err := ParseAmount(c.text, c.currency)
		if err != nil || m.String() != c.want || m.Currency != c.currency || rounded != c.rounded {
			t.Errorf("ParseAmount(%q, %s) = %s %s, rounded %t, %v; want %s, rounded %t",
				c.text, c.currency, m, m.Currency, rounded, err, c.want, c.rounded)
		}
	}
}

func TestParseAmountRefuses(t *testing.T) {
	for _, c := range []struct {
		text, currency string
		want           Reason
	}{
		{"-1", "USD", ReasonNegativeValue},
		{"-0.0001", "USD", ReasonNegativeValue},
		{"-1e-999999999", "USD", ReasonNegativeValue},
		{"", "USD", ReasonBadAmount},
		{"-", "USD", ReasonBadAmount},
		{"+1", "USD", ReasonBadAmount},
		{".5", "USD", ReasonBadAmount},
		{"5.", "USD", ReasonBadAmount},
		{"1,000.00", "USD", ReasonBadAmount},
		{" 1", "USD", ReasonBadAmount},
		{"1 ", "USD", ReasonBadAmount},
		{"NaN", "USD", ReasonBadAmount},
		{"Infinity", "USD", ReasonBadAmount},
		{"0x10", "USD", ReasonBadAmount},
		{"1e", "USD", ReasonBadAmount},
		{"1e+", "USD", ReasonBadAmount},
		{"1e1.5", "USD", ReasonBadAmount},
		{"1_000", "USD", ReasonBadAmount},
		{"١", "USD", ReasonBadAmount},
		{"$5", "USD", ReasonBadAmount},
		{"1e999999999", "USD", ReasonBadAmount},
		{"1e99999999999999999999999", "JPY", ReasonBadAmount},
		{"10000000000000.01", "USD", ReasonBadAmount},
		{"1000000000000001", "JPY", ReasonBadAmount},
		{"999999999999999999999999", "JPY", ReasonBadAmount},
		{"1", "", ReasonUnknownCurrency},
		{"1", "usd", ReasonUnknownCurrency},
		{"1", "ZZZ", ReasonUnknownCurrency},
		{"1", "XAU", ReasonUnknownCurrency}, // gold has no minor unit
		{"1", "USDT", ReasonUnknownCurrency},
		{"1", "US$", ReasonUnknownCurrency},
		{"1", "€", ReasonUnknownCurrency},
	} {
		_, _, err := ParseAmount(c.text, c.currency)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Reason != c.want {
			t.Errorf("ParseAmount(%q, %q): %v, want %s", c.text, c.currency, err, c.want)
		}
	}
}

// naiveAmount is ParseAmount with rational numbers; for exponents of at most a few digits.
func naiveAmount(text, currency string) (minor *big.Int, rounded bool, reason Reason) {
	decimals, ok := CurrencyDecimals(currency)
	if !ok {
		return nil, false, ReasonUnknownCurrency
	}
	if !regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`).MatchString(text) {
		return nil, false, ReasonBadAmount
	}
	value, _ := new(big.Rat).SetString(text)
	if value.Sign() < 0 {
		return nil, false, ReasonNegativeValue
	}
	value.Mul(value, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)))
	floor := new(big.Int).Quo(value.Num(), value.Denom())
	rest := new(big.Rat).Sub(value, new(big.Rat).SetInt(floor))
	switch half := rest.Cmp(big.NewRat(1, 2)); {
	case half > 0, half == 0 && floor.Bit(0) == 1:
		floor.Add(floor, big.NewInt(1))
	}
	if floor.Cmp(big.NewInt(MaxMinor)) > 0 {
		return nil, false, ReasonBadAmount
	}
	return floor, rest.Sign() != 0, ""
}

func TestParseAmountAgainstRationals(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	currencies := []string{"USD", "JPY", "KWD", "CLF", "XXX", "ABC"}
	digits := func(most int) string {
		b := make([]byte, random.IntN(most)+1)
		for i := range b {
			b[i] = "0000550123456789"[random.IntN(16)]
		}
		return string(b)
	}
	for range 50_000 {
		text := digits(9)
		if random.IntN(2) == 0 {
			text += "." + digits(8)
		}
		if random.IntN(3) == 0 {
			text += []string{"e", "E", "e-", "e+"}[random.IntN(4)] + digits(2)
		}
		if random.IntN(10) == 0 {
			text = "-" + text
		}
		if random.IntN(20) == 0 {
			text += string("+-.e 1x"[random.IntN(7)])
		}
		currency := currencies[random.IntN(len(currencies))]
		want, wantRounded, reason := naiveAmount(text, currency)
		m, rounded, err := ParseAmount(text, currency)
		var refusal *Refusal
		switch {
		case reason != "":
			if !errors.As(err, &refusal) || refusal.Reason != reason {
				t.Fatalf("ParseAmount(%q, %s): %v, want %s", text, currency, err, reason)
			}
		case err != nil || big.NewInt(m.Minor).Cmp(want) != 0 || rounded != wantRounded:
			t.Fatalf("ParseAmount(%q, %s) = %d, %t, %v; want %d, %t", text, currency, m.Minor, rounded, err, want, wantRounded)
		}
	}
}

// A number of a megabyte takes no longer than reading it.
func TestParseAmountLongText(t *testing.T) {
	text := "0." + strings.Repeat("0", 1<<20) + "1e" + "1048577"
	m, rounded, err := ParseAmount(text, "USD")
	if err != nil || m.Minor != 100 || rounded {
		t.Errorf("%v, %t, %v; want 1.00", m, rounded, err)
	}
}

func TestMoneyString(t *testing.T) {
	for want, m := range map[string]Money{
		"0":                     {},
		"99.90":                 {9990, "USD"},
		"0.05":                  {5, "USD"},
		"-0.05":                 {-5, "USD"},
		"-12.30":                {-1230, "USD"},
		"100":                   {100, "JPY"},
		"0.001":                 {1, "KWD"},
		"-922337203685477.5808": {-1 << 63, "CLF"},
	} {
		if got := m.String(); got != want {
			t.Errorf("%#v prints %q, want %q", m, got, want)
		}
	}
}

func TestCurrencies(t *testing.T) {
	codes := Currencies()
	listed := 0
	for _, row := range currencyTable {
		listed += len(strings.Fields(row.codes))
	}
	if len(codes) != listed {
		t.Errorf("%d codes, the table has %d: one is listed twice", len(codes), listed)
	}
	for code, want := range map[string]int{"USD": 2, "JPY": 0, "KWD": 3, "CLF": 4, "XXX": 0, "ISK": 0, "HUF": 2, "BGN": 2} {
		if got, ok := CurrencyDecimals(code); !ok || got != want {
			t.Errorf("%s has %d decimals, %t; want %d", code, got, ok, want)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"99.90", "-1", "1e999999999", "0.005", "1.2.3", "NaN"} {
		f.Add(s, "USD")
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		m, _, err := ParseAmount(text, currency)
		var refusal *Refusal
		if err != nil {
			if !errors.As(err, &refusal) {
				t.Fatalf("%v is not a Refusal", err)
			}
			return
		}
		again, rounded, err := ParseAmount(m.String(), currency)
		if err != nil || again != m || rounded {
			t.Fatalf("%q %s reads as %s, which reads as %s, %t, %v", text, currency, m, again, rounded, err)
		}
	})
}

func BenchmarkParseAmount(b *testing.B) {
	for b.Loop() {
		if _, _, err := ParseAmount("99.90", "USD"); err != nil {
			b.Fatal(err)
		}
	}
}
