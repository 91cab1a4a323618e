package identity

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tributary/schemas"
)

// Fuzz targets, one a kind of normal form. Each asks for what holds for every text: a normal form is its own normal form,
// is never blocked, has the shape of its type, and white space around the raw value makes no difference.

func FuzzEmail(f *testing.F) {
	for _, s := range []string{" Ann@Example.COM ", "JOSE\u0301@x.y", "J\u030c@x", "İ@x", "a@b@c", "\xff@x", "ǅ@ﬃ", "null"} {
		f.Add(s)
	}
	n := mustNormalizer(f, Rules{DefaultRegion: "US"})
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := checkNormal(t, n, "email", value)
		if ok && (strings.Count(text, "@") != 1 || text != strings.ToLower(text) || len(text) > maxEmailBytes) {
			t.Errorf("%q is not the normal form of an address", text)
		}
	})
}

func FuzzPhone(f *testing.F) {
	for _, s := range []string{"(415) 555-2671", "tel:331-6005;phone-context=+64-3", ";phone-context=+1tel:", "+80012345678", "１８００",
		"1800 six-flags", "+1 415 555 2671 ext. 12", "0000000000", "+00", "tel:;phone-context=", "٠٢٠"} {
		f.Add(s)
	}
	n := mustNormalizer(f, Rules{DefaultRegion: "US"})
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := checkNormal(t, n, "phone", value)
		if ok && (text[0] != '+' || len(text) < 6 || len(text) > 19 || strings.Trim(text[1:], "0123456789") != "") {
			t.Errorf("%q is not E.164", text)
		}
		if direct, valid := parsePhone(trim(value), "US"); ok && (!valid || direct != text) {
			t.Errorf("%q from the cache, %q without", text, direct)
		}
	})
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{" U-81 ", "null", "un\u212anown", "0-0", "\u200b", "[object Object]", "a\x00b", "\xff"} {
		f.Add(s)
	}
	n := mustNormalizer(f, Rules{BlockedPatterns: []string{"bot-.*"}})
	f.Fuzz(func(t *testing.T, value string) {
		if text, ok := checkNormal(t, n, "user_id", value); ok && !strings.Contains(value, text) {
			t.Errorf("%q is no part of %q", text, value)
		}
		for _, w := range blockedWords {
			if strings.EqualFold(strings.TrimSpace(value), w) && utf8.ValidString(value) {
				if _, v := n.Normal(schemas.Identifier{Type: "user_id", Value: value}); v != Blocked {
					t.Errorf("%q is %s", value, v)
				}
			}
		}
	})
}

func checkNormal(t *testing.T, n *Normalizer, typ, value string) (text string, ok bool) {
	normal, verdict := n.Normal(schemas.Identifier{Type: typ, Value: value})
	ids, outcome := n.IDs([]schemas.Identifier{{Type: typ, Value: "\t" + value + "\u00a0"}}, nil)
	if outcome.Count(verdict) != 1 {
		t.Errorf("%q is %s, but not with white space around it", value, verdict)
	}
	if verdict != Kept {
		return "", false
	}
	text = *normal.text
	if !utf8.ValidString(text) || n.blocked.has(text) {
		t.Errorf("%q is kept as %q", value, text)
	}
	again, outcome := n.IDs([]schemas.Identifier{{Type: typ, Value: text}}, nil)
	if outcome.Count(Kept) != 1 || !slices.Equal(again, ids) {
		t.Errorf("%q is kept as %q, which is kept as something else", value, text)
	}
	return text, true
}

func FuzzParseKey(f *testing.F) {
	f.Add("7:" + testSecretHex)
	f.Add(testSecretBase64)
	f.Add("0:x")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if (err == nil) == k.IsZero() || k.Development() {
			t.Errorf("%q: %v, error %v", text, k, err)
		}
		if err != nil && len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the text: %v", err)
		}
	})
}
