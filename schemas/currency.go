package schemas

import "strings"

// NoCurrency is the ISO 4217 code for "no currency involved". It has no decimals.
const NoCurrency = "XXX"

// The currencies of ISO 4217 with the decimals of their minor unit: List One as published on 2026-01-01, and after it
// the codes that were withdrawn since 2010, so that a replay of old events reads the same amounts as on the day they
// were sent. Precious metals, bond market units, XDR, XSU, XUA and the test code XTS have no minor unit and are no money
// here.
var currencyTable = [...]struct {
	decimals int8
	codes    string
}{
	{0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF XXX " +
		"BYR"},
	{2, "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY " +
		"COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS " +
		"INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR " +
		"MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP " +
		"STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG " +
		"ANG BGN CUC EEK HRK LTL LVL MRO SLL STD USS VEF ZMK ZWL"},
	{3, "BHD IQD JOD KWD LYD OMR TND"},
	{4, "CLF UYW"},
}

// currencyDecimals is currencyTable by code: decimals+1, and 0 for what is no currency. An array and not a map, because
// every amount of every event asks it.
var currencyDecimals = func() (byCode [26 * 26 * 26]int8) {
	for _, row := range currencyTable {
		for _, code := range strings.Fields(row.codes) {
			byCode[currencyIndex(code)] = row.decimals + 1
		}
	}
	return byCode
}()

// CurrencyDecimals is the ISO 4217 exponent of a currency, the number of decimals of its amounts: 2 for USD, 0 for JPY,
// 3 for KWD. It is ok=false for a text that is not the code of a currency; codes are upper case.
func CurrencyDecimals(code string) (decimals int, ok bool) {
	i := currencyIndex(code)
	if i < 0 || currencyDecimals[i] == 0 {
		return 0, false
	}
	return int(currencyDecimals[i]) - 1, true
}

// Currencies lists the codes that CurrencyDecimals knows, in alphabetical order.
func Currencies() []string {
	var codes []string
	for i, d := range currencyDecimals {
		if d > 0 {
			codes = append(codes, string([]byte{'A' + byte(i/26/26), 'A' + byte(i/26%26), 'A' + byte(i%26)}))
		}
	}
	return codes
}

// currencyIndex numbers the three-letter codes from 0 (AAA); -1 for any other text.
func currencyIndex(code string) int {
	if len(code) != 3 {
		return -1
	}
	i := 0
	for k := range 3 {
		c := code[k] - 'A'
		if c >= 26 {
			return -1
		}
		i = i*26 + int(c)
	}
	return i
}
