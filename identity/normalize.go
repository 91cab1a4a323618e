package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers/v2"

	"tributary/schemas"
)

// Rules say how raw identifiers are read. The zero value knows the standard types, reads telephone numbers only with
// their country code, and blocks only what the contract blocks.
type Rules struct {
	DefaultRegion   string   // ISO 3166 code of the country whose numbers come without a country code: "US"; "" for none
	Types           []Type   // beside the standard ones
	BlockedValues   []string // never link, whatever the type and letter case
	BlockedPatterns []string // RE2, letter case counts; a value that one of them matches as a whole never links
}

// Normalizer turns the raw identifiers of an event into pseudonyms. It does not change, apart from a bounded cache, and
// is safe for concurrent use.
type Normalizer struct {
	types   Types
	region  string
	blocked *blocklist
	phones  *phoneCache
	keys    Keyring
}

// NewNormalizer checks the rules and makes a Normalizer; the error names every fault.
func NewNormalizer(rules Rules, keys Keyring) (*Normalizer, error) {
	n := &Normalizer{region: rules.DefaultRegion, keys: keys, phones: newPhoneCache(phoneCacheEntries)}
	var faults [4]error
	if keys.active.IsZero() {
		faults[0] = errors.New("identity keys: no active key")
	}
	if n.region == "" {
		n.region = international
	} else if !phonenumbers.GetSupportedRegions()[n.region] {
		faults[1] = fmt.Errorf("default region %q: not an ISO 3166 code in capitals, such as US", n.region)
		n.region = international
	}
	n.types, faults[2] = NewTypes(rules.Types...)
	n.blocked, faults[3] = newBlocklist(rules.BlockedValues, rules.BlockedPatterns, n.forms)
	if err := errors.Join(faults[:]...); err != nil {
		return nil, err
	}
	return n, nil
}

// forms are the normal forms that a value could have as an e-mail address or a telephone number.
func (n *Normalizer) forms(value string) (forms []string) {
	if text, ok := normalEmail(value); ok {
		forms = append(forms, text)
	}
	if text, ok := parsePhone(value, n.region); ok {
		forms = append(forms, text)
	}
	return forms
}

// Types are the identifier types that n knows.
func (n *Normalizer) Types() Types { return n.types }

// Keys are the keys under which n makes pseudonyms.
func (n *Normalizer) Keys() Keyring { return n.keys }

// String and Format keep the cache of telephone numbers out of whatever prints n.
func (n *Normalizer) String() string               { return "normalizer" }
func (n *Normalizer) Format(f fmt.State, _ rune)   { io.WriteString(f, n.String()) }
func (n *Normalizer) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// IDs appends the pseudonyms of an event's identifiers to dst, in the fixed order of Less and each once, and says what
// became of each identifier. During a rotation of keys every identifier that is kept has two. dst is usually buffer[:0];
// what it held before stays as it is. No pseudonym is appended when no identifier is kept.
func (n *Normalizer) IDs(ids []schemas.Identifier, dst []ID) ([]ID, Outcome) {
	outcome := Outcome{types: n.types.list}
	from := len(dst)
	for i := range ids {
		index, known := n.types.byName[ids[i].Type]
		if !known {
			outcome.unknown++
			continue
		}
		normal, verdict := n.normal(index, ids[i].Value)
		outcome.counts[index][verdict]++
		if verdict == Kept {
			dst = n.keys.appendIDs(dst, normal)
		}
	}
	fresh := dst[from:]
	slices.SortFunc(fresh, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return dst[:from+len(slices.Compact(fresh))], outcome
}

// Normal is the normal form of one identifier; the zero Normal unless the verdict is Kept.
func (n *Normalizer) Normal(raw schemas.Identifier) (Normal, Verdict) {
	index, known := n.types.byName[raw.Type]
	if !known {
		return Normal{}, UnknownType
	}
	return n.normal(index, raw.Value)
}

// normal blocks twice: the value as it was sent, before a parser can find it invalid, and its normal form.
func (n *Normalizer) normal(index int, value string) (Normal, Verdict) {
	if !utf8.ValidString(value) {
		return Normal{}, Invalid
	}
	value = trim(value)
	if len(value) > maxPlainBytes {
		return Normal{}, Invalid
	}
	if n.blocked.has(value) {
		return Normal{}, Blocked
	}
	text, ok := n.form(index, value)
	if !ok {
		return Normal{}, Invalid
	}
	if text != value && n.blocked.has(text) {
		return Normal{}, Blocked
	}
	return Normal{typ: n.types.list[index], text: &text}, Kept
}

// form is the normal form of a trimmed value. Only e-mail addresses and telephone numbers have one of their own.
func (n *Normalizer) form(index int, value string) (text string, ok bool) {
	switch index {
	case indexEmail:
		return normalEmail(value)
	case indexPhone:
		return n.phones.parse(value, n.region)
	}
	return value, true
}

// Outcome says what became of the identifiers of one event: counts by type and verdict, no value.
type Outcome struct {
	types   []Type // by index; owned by the Normalizer
	counts  [MaxTypes][UnknownType]uint32
	unknown uint32
}

// Count is the number of identifiers with the verdict, of whatever type.
func (o *Outcome) Count(v Verdict) (n int) {
	if v == UnknownType {
		return int(o.unknown)
	}
	for i := range o.types {
		n += int(o.counts[i][v])
	}
	return n
}

// Each visits the counts that are not zero. For UnknownType the type is "": a sender's word would make a metric's labels
// grow without bound.
func (o *Outcome) Each(visit func(typ string, v Verdict, n int)) {
	for i := range o.types {
		for v, n := range o.counts[i] {
			if n > 0 {
				visit(o.types[i].Name, Verdict(v), int(n))
			}
		}
	}
	if o.unknown > 0 {
		visit("", UnknownType, int(o.unknown))
	}
}
