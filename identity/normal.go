package identity

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tributary/schemas"
)

// Normal is the normal form of one identifier: what all ways of writing it have in common. It is personal data: it does
// not print itself, has no way to get the text out, and exists only between normalisation and the pseudonym. Two Normals
// cannot be compared with ==. The zero Normal is no identifier.
type Normal struct {
	typ  Type
	text *string // behind a pointer, since fmt prints a string inside of another type's unexported field
}

// Type is the identifier's type.
func (n Normal) Type() Type { return n.typ }

// String says the type and that the rest is hidden, as every other way to print a Normal does.
func (n Normal) String() string { return n.typ.Name + ":hidden" }

// Format keeps every verb of fmt to String.
func (n Normal) Format(f fmt.State, _ rune) { io.WriteString(f, n.String()) }

// MarshalText keeps encoders and loggers to String.
func (n Normal) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// Verdict is what became of one raw identifier.
type Verdict uint8

// The verdicts. Only Kept identifiers link; the others are dropped, and the event goes on without them.
const (
	Kept        Verdict = iota
	Blocked             // a value that says "nobody", or that the settings block
	Invalid             // not UTF-8, too long, or not an e-mail address or telephone number where one is due
	UnknownType         // neither the standard types nor the settings have it
)

// String is the verdict as a metric's label.
func (v Verdict) String() string {
	return [...]string{"kept", "blocked", "invalid", "unknown_type"}[v]
}

// maxEmailBytes bounds an e-mail address: 64 bytes before the @ and 255 after it (RFC 5321, 4.5.3.1).
const maxEmailBytes = 64 + 1 + 255

// normalEmail is the address in lower case and in Unicode form NFC, so that "é" written as one rune or as two is the same
// letter. Not ok unless it has exactly one @ with something on both sides, and nothing invisible in between.
func normalEmail(value string) (text string, ok bool) {
	if len(value) > maxEmailBytes {
		return "", false
	}
	text = lower(value)
	if len(text) > maxEmailBytes || strings.ContainsFunc(text, invisible) {
		return "", false
	}
	local, domain, found := strings.Cut(text, "@")
	return text, found && local != "" && domain != "" && !strings.Contains(domain, "@")
}

// lower composes again after lowering, since some letters have a composed form in lower case only (ǰ, ẖ, ẘ).
func lower(value string) string {
	if ascii(value) {
		return strings.ToLower(value)
	}
	return norm.NFC.String(strings.ToLower(norm.NFC.String(value)))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// trim takes away what cannot be seen at both ends: white space, control characters, and the marks that copying from
// address books, web pages and spreadsheets leaves behind.
func trim(s string) string { return strings.TrimFunc(s, invisible) }

func invisible(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r <= ' ' || r == 0x7f
	case r == 0xad, r == 0xfeff: // soft hyphen; byte order mark
		return true
	case 0x200b <= r && r <= 0x200f, 0x202a <= r && r <= 0x202e, 0x2060 <= r && r <= 0x2069: // zero width; direction
		return true
	}
	return unicode.IsSpace(r) || unicode.IsControl(r)
}

// maxPlainBytes bounds a value that is kept as it is.
const maxPlainBytes = schemas.MaxTextBytes
