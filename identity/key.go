package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Sizes of a key's secret in bytes. HMAC gains nothing from more than one block of SHA-256.
const (
	minSecretBytes = 32
	maxSecretBytes = 64
)

// minSecretValues is the number of different bytes that a secret has to have. 32 random bytes have fewer with a
// probability below 10⁻²⁰; a placeholder such as "000…0" always has.
const minSecretValues = 8

// Key is a secret under which identifiers become pseudonyms, and its id. It does not print its secret, in whatever way
// it is printed. The zero Key is none.
type Key struct {
	id   uint8
	macs func() *macs // a function, since for a wrong verb fmt prints what a pointer leads to
}

func newKey(id uint8, secret []byte) Key {
	m := newMacs(secret)
	return Key{id: id, macs: func() *macs { return m }}
}

// ID is the key's id, 1 to 255; 0 is the development key, and the zero Key.
func (k Key) ID() uint8 { return k.id }

// IsZero reports whether this is no key.
func (k Key) IsZero() bool { return k.macs == nil }

// Development reports whether this is the key that everybody knows.
func (k Key) Development() bool { return k.id == 0 && k.macs != nil }

// String says which key it is, never its secret.
func (k Key) String() string {
	switch {
	case k.IsZero():
		return "no key"
	case k.Development():
		return "development key"
	}
	return fmt.Sprintf("key %d", k.id)
}

// Format keeps every verb of fmt to String.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// MarshalText keeps encoders and loggers to String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ParseKey reads a key as a file or an environment variable holds it: "ID:SECRET", or just the secret for key 1. ID is
// 1 to 255; SECRET is 32 to 64 random bytes in hexadecimal or base64 (either alphabet, padded or not). White space around
// it does not count. The error says what is wrong and shows nothing of the text.
//
//	7:qk1Jd0…
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Key{}, errors.New("identity key: empty")
	}
	id := uint64(1)
	if number, secret, ok := strings.Cut(text, ":"); ok {
		var err error
		if id, err = strconv.ParseUint(number, 10, 8); err != nil || id == 0 {
			return Key{}, errors.New("identity key: the id before ':' is not a number from 1 to 255")
		}
		text = secret
	}
	secret, err := decodeSecret(text)
	if err != nil {
		return Key{}, fmt.Errorf("identity key %d: %w", id, err)
	}
	return newKey(uint8(id), secret), nil
}

// decodeSecret takes a text of hexadecimal digits only, with or without "0x", for hexadecimal: as base64 a mistyped one
// would be another, valid secret.
func decodeSecret(text string) (secret []byte, err error) {
	if digits := strings.TrimPrefix(text, "0x"); strings.Trim(digits, "0123456789abcdefABCDEF") == "" {
		secret, err = hex.DecodeString(digits)
	} else {
		unpadded := strings.TrimRight(text, "=")
		if secret, err = base64.RawStdEncoding.DecodeString(unpadded); err != nil {
			secret, err = base64.RawURLEncoding.DecodeString(unpadded)
		}
	}
	// The decoders' own errors show the character that they stopped at.
	switch {
	case err != nil:
		return nil, errors.New("neither hexadecimal nor base64")
	case len(secret) < minSecretBytes:
		return nil, fmt.Errorf("%d bytes, at least %d are needed", len(secret), minSecretBytes)
	case len(secret) > maxSecretBytes:
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", len(secret), maxSecretBytes)
	case differentBytes(secret) < minSecretValues:
		return nil, fmt.Errorf("not random: fewer than %d different bytes", minSecretValues)
	}
	return secret, nil
}

func differentBytes(b []byte) (n int) {
	for i, c := range b {
		if bytes.IndexByte(b[:i], c) < 0 {
			n++
		}
	}
	return n
}

// NewKey makes a key from a source of randomness and returns its text, as ParseKey reads it: the only form in which a
// key can be written down.
func NewKey(id uint8, random io.Reader) (text string, err error) {
	if id == 0 {
		return "", errors.New("identity key: id 0 is the development key's")
	}
	secret := make([]byte, minSecretBytes)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", fmt.Errorf("identity key: read randomness: %w", err)
	}
	text = fmt.Sprintf("%d:%s", id, base64.RawStdEncoding.EncodeToString(secret))
	if _, err := ParseKey(text); err != nil {
		return "", err
	}
	return text, nil
}

// DevelopmentKey is the same key everywhere and no secret: whoever has this program can undo pseudonyms under it by
// trying e-mail addresses and telephone numbers. It is for demonstrations and tests; a command that uses it has to say so.
func DevelopmentKey() Key {
	secret := sha256.Sum256([]byte("tributary development key: no secret"))
	return newKey(0, secret[:])
}

// same reports whether two keys have one secret.
func (k Key) same(other Key) bool {
	return !k.IsZero() && !other.IsZero() && hmac.Equal(k.macs().secret, other.macs().secret)
}

// macs computes HMAC-SHA-256 under one secret. It keeps hash states whose key blocks are already absorbed: 0.2 µs a MAC
// and no garbage instead of 0.6 µs and six allocations. Safe for concurrent use.
type macs struct {
	secret []byte
	free   sync.Pool // of *mac
}

type mac struct {
	hash hash.Hash
	in   []byte // the message; the caller fills it
	out  []byte
}

func newMacs(secret []byte) *macs {
	return &macs{secret: secret, free: sync.Pool{New: func() any {
		return &mac{hash: hmac.New(sha256.New, secret)}
	}}}
}

// take lends a mac with an empty message; give takes it back.
func (m *macs) take() *mac {
	c := m.free.Get().(*mac)
	c.in = c.in[:0]
	return c
}

func (m *macs) give(c *mac) { m.free.Put(c) }

// sum is the MAC of the message, 32 bytes, valid until the mac is given back.
func (c *mac) sum() []byte {
	c.hash.Reset()
	c.hash.Write(c.in)
	c.out = c.hash.Sum(c.out[:0])
	return c.out
}
