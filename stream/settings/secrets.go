package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tributary/identity"
)

// Environment looks up a variable, as os.LookupEnv does.
type Environment func(name string) (value string, ok bool)

// ErrNoKey is returned when the settings name places for the identity key and it is in none of them.
var ErrNoKey = errors.New("no identity key")

// Keyring reads the identity keys from the places that the settings name. The warning is not empty when a key file is
// open to others. An error that wraps ErrNoKey means that there is no key; every other one that a key cannot be used.
// Neither shows anything of a key.
func (i Identity) Keyring(env Environment) (keys identity.Keyring, warning string, err error) {
	active, warning, err := readKey(i.KeyFile, i.KeyEnv, env)
	if err != nil {
		return identity.Keyring{}, "", err
	}
	var previous identity.Key
	if i.PreviousKeyFile != "" || i.PreviousKeyEnv != "" {
		var second string
		if previous, second, err = readKey(i.PreviousKeyFile, i.PreviousKeyEnv, env); err != nil {
			return identity.Keyring{}, "", fmt.Errorf("previous %w", err)
		}
		warning = strings.Trim(warning+"\n"+second, "\n")
	}
	keys, err = identity.NewKeyring(active, previous)
	return keys, warning, err
}

// readKey reads a key from file, or if that is empty from variable.
func readKey(file, variable string, env Environment) (identity.Key, string, error) {
	if file != "" {
		return identity.ReadKeyFile(file)
	}
	text, _ := env(variable)
	if strings.TrimSpace(text) == "" {
		return identity.Key{}, "", fmt.Errorf("%w: environment variable %s is not set", ErrNoKey, variable)
	}
	key, err := identity.ParseKey(text)
	if err != nil {
		return identity.Key{}, "", fmt.Errorf("environment variable %s: %w", variable, err)
	}
	return key, "", nil
}

// Secret is a text that does not print itself.
type Secret struct{ text *string }

// Reveal is the text, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format keeps every verb of fmt from showing the text.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "hidden") }

// MarshalText keeps encoders and loggers from it.
func (s Secret) MarshalText() ([]byte, error) { return []byte("hidden"), nil }

const maxSecretBytes = 64 << 10

// readSecret reads a secret from file, or if that is empty from variable. White space at the end, such as an editor's
// newline, does not count.
func readSecret(what, file, variable string, env Environment) (Secret, error) {
	text := ""
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return Secret{}, fmt.Errorf("%s: %w", what, err)
		}
		defer f.Close()
		content, err := io.ReadAll(io.LimitReader(f, maxSecretBytes))
		if err != nil {
			return Secret{}, fmt.Errorf("%s: %w", what, err)
		}
		text = string(content)
	} else {
		text, _ = env(variable)
	}
	text = strings.TrimRight(text, "\r\n \t")
	if text == "" && file != "" {
		return Secret{}, fmt.Errorf("%s: file %s is empty", what, file)
	}
	if text == "" {
		return Secret{}, fmt.Errorf("%s: environment variable %s is not set", what, variable)
	}
	return Secret{&text}, nil
}
