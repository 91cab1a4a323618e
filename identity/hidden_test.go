package identity

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tributary/schemas"
)

// TestNothingPrintsItself prints everything that holds a value or a secret in every way that a careless line of code
// might, and looks for them.
func TestNothingPrintsItself(t *testing.T) {
	const phone, email = "(415) 555-2671", "ann.q@example.com"
	n := mustNormalizer(t, Rules{DefaultRegion: "US", BlockedValues: []string{email + "x"}, BlockedPatterns: []string{email + "y"}})
	normalEmail, v1 := n.Normal(schemas.Identifier{Type: "email", Value: email})
	normalPhone, v2 := n.Normal(schemas.Identifier{Type: "phone", Value: phone}) // now in the cache, too
	if v1 != Kept || v2 != Kept {
		t.Fatal(v1, v2)
	}
	key := testKey(t, 7)
	type nested struct {
		Exported, hidden any
		normal           Normal
		key              Key
		keys             Keyring
		normalizer       *Normalizer
	}
	_, outcome := n.IDs([]schemas.Identifier{{Type: "email", Value: email}, {Type: "phone", Value: "12345"}}, nil)
	things := map[string]any{
		"normal e-mail": normalEmail, "normal phone": normalPhone, "*normal": &normalEmail, "normals": []Normal{normalEmail},
		"key": key, "*key": &key, "keys": map[string]Key{"a": key}, "keyring": n.keys, "*keyring": &n.keys,
		"normalizer": n, "outcome": outcome,
		"nested": nested{normalEmail, normalPhone, normalPhone, key, n.keys, n},
		"error":  fmt.Errorf("decode %v: %w", normalEmail, errors.New("x")),
	}
	secrets := []string{
		email, "ann.q", phone, "14155552671", "12345",
		testSecretHex, testSecretHex[:16], testSecretBase64[:16], "0 1 2 3 4 5 6 7", "0x0, 0x1, 0x2, 0x3", "\x00\x01\x02\x03",
	}
	for name, thing := range things {
		for way, text := range printed(thing) {
			for _, s := range secrets {
				for _, form := range []string{s, fmt.Sprintf("%x", s), fmt.Sprintf("%X", s)} {
					if strings.Contains(text, form) {
						t.Errorf("%s with %s shows %q: %s", name, way, form, text)
					}
				}
			}
		}
	}
	for want, thing := range map[string]any{"email:hidden": normalEmail, "key 7": key, "no key": Key{}, "development key": DevelopmentKey()} {
		if got := fmt.Sprint(thing); got != want {
			t.Errorf("prints as %s, want %s", got, want)
		}
	}
}

// TestRawIdentifierHidesItsValue holds for fmt's verbs of text.
func TestRawIdentifierHidesItsValue(t *testing.T) {
	raw := schemas.Identifier{Type: "email", Value: "ann.q@example.com"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		for _, thing := range []any{raw, &raw, []schemas.Identifier{raw}, schemas.Event{Identifiers: []schemas.Identifier{raw}}} {
			text := fmt.Sprintf(format, thing)
			if strings.Contains(text, "ann.q") || strings.Contains(text, fmt.Sprintf(format, "ann.q")) {
				t.Errorf("%s shows %s", format, text)
			}
		}
	}
}

// printed is thing in every way of printing that we know, by the name of the way.
func printed(thing any) map[string]string {
	ways := map[string]string{}
	for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
		for _, flag := range []string{"", "+", "#", "+#", " ", "-20", "020", ".5"} {
			format := "%" + flag + string(verb)
			ways[format] = fmt.Sprintf(format, thing)
		}
	}
	ways["Println"] = fmt.Sprintln(thing, thing)
	asJSON, _ := json.Marshal(thing)
	ways["JSON"] = string(asJSON)
	asXML, _ := xml.Marshal(thing)
	ways["XML"] = string(asXML)
	var asGob bytes.Buffer
	_ = gob.NewEncoder(&asGob).Encode(thing)
	ways["gob"] = asGob.String()
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "thing", thing, slog.Group("g", "thing", thing))
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "thing", thing, slog.Group("g", "thing", thing))
	ways["slog"] = logged.String()
	if err, ok := thing.(error); ok {
		ways["error"] = err.Error()
	}
	return ways
}
