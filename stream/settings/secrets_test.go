package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyring(t *testing.T) {
	first, second := "1:"+strings.Repeat("0123456789abcdef", 4), "2:"+strings.Repeat("fedcba9876543210", 4)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(second+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		text := map[string]string{"TRIBUTARY_IDENTITY_KEY": first, "OLD": first, "BAD": "1:abc"}[name]
		return text, text != ""
	}
	cases := []struct {
		name             string
		settings         Identity
		active, previous uint8
		want             string
	}{
		{"from the environment", Identity{KeyEnv: "TRIBUTARY_IDENTITY_KEY"}, 1, 0, ""},
		{"a file comes first", Identity{KeyEnv: "TRIBUTARY_IDENTITY_KEY", KeyFile: file}, 2, 0, ""},
		{"rotation", Identity{KeyFile: file, PreviousKeyEnv: "OLD"}, 2, 1, ""},
		{"rotation backwards", Identity{KeyEnv: "OLD", PreviousKeyFile: file}, 0, 0, "identity keys: the active key has id 1, which has to be greater than 2, the id of the previous one"},
		{"none", Identity{KeyEnv: "NONE"}, 0, 0, "no identity key: environment variable NONE is not set"},
		{"no previous one", Identity{KeyEnv: "OLD", PreviousKeyEnv: "NONE"}, 0, 0, "previous no identity key: environment variable NONE is not set"},
		{"not a key", Identity{KeyEnv: "BAD"}, 0, 0, "environment variable BAD: identity key 1: neither hexadecimal nor base64"},
	}
	for _, c := range cases {
		keys, warning, err := c.settings.Keyring(env)
		if c.want != "" {
			if err == nil || err.Error() != c.want || errors.Is(err, ErrNoKey) != strings.Contains(c.want, "no identity key") {
				t.Errorf("%s: error %v, want %s", c.name, err, c.want)
			}
			continue
		}
		if err != nil || warning != "" || keys.Active().ID() != c.active || keys.Previous().ID() != c.previous {
			t.Errorf("%s: %v %v, warning %q, error %v", c.name, keys.Active(), keys.Previous(), warning, err)
		}
	}
}

func TestSecretDoesNotPrintItself(t *testing.T) {
	text := "s3cret"
	s := Secret{&text}
	inside := struct{ s Secret }{s}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%#v %+v %q %x %d", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", inside, inside, &inside), string(encoded)} {
		if strings.Contains(printed, "s3c") || strings.Contains(printed, fmt.Sprintf("%x", text)) {
			t.Errorf("printed as %s", printed)
		}
	}
	if s.Reveal() != text || (Secret{}).Reveal() != "" {
		t.Error("a secret cannot be read")
	}
}
