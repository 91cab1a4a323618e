package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Type is one kind of identifier.
//
// Rank says how strong it is: 1 is the strongest. Types may share a rank; then the keyed hash alone orders their
// identifiers. The rank is the first byte of every pseudonym, so the rank of a type must not change for the life of an
// application id.
type Type struct {
	Name string // as events write it: 1 to 64 letters, digits, '_', '-' and '.', beginning with a letter
	Rank uint8  // 1 to 255; 0 in the settings means RankOther
}

// RankOther is the rank of a type of the settings that names none: weaker than every standard type.
const RankOther = 7

// MaxTypes is the number of identifier types that an application can have, the standard ones included.
const MaxTypes = 32

const maxTypeBytes = 64

// standardTypes are the types that every application has. Their place in this list is their index, their rank the index
// plus one.
var standardTypes = []Type{
	{"user_id", 1},
	{"customer_id", 2},
	{"email", 3},
	{"phone", 4},
	{"device_id", 5},
	{"anonymous_id", 6},
}

const (
	indexEmail = 2
	indexPhone = 3
)

// Types are the identifier types of an application: the standard ones and those that the settings add. A Types does not
// change after NewTypes; the zero value knows no type at all.
type Types struct {
	list   []Type         // the standard types, then those of the settings in their order
	byName map[string]int // index in list
}

// NewTypes adds the types of the settings to the standard ones. The error names every fault: a name that is not well
// formed, is taken (letter case does not tell types apart), or one type too many.
func NewTypes(extra ...Type) (Types, error) {
	t := Types{list: slices.Clone(standardTypes), byName: make(map[string]int)}
	var faults []error
	if n := len(standardTypes) + len(extra); n > MaxTypes {
		faults = append(faults, fmt.Errorf("identifier types: %d, at most %d with the %d standard ones", n, MaxTypes, len(standardTypes)))
	}
	for _, e := range extra {
		if e.Rank == 0 {
			e.Rank = RankOther
		}
		if fault := t.refuses(e.Name); fault != "" {
			faults = append(faults, fmt.Errorf("identifier type %q: %s", e.Name, fault))
			continue
		}
		t.list = append(t.list, e)
	}
	if len(faults) > 0 {
		return Types{}, errors.Join(faults...)
	}
	for i, e := range t.list {
		t.byName[e.Name] = i
	}
	return t, nil
}

// refuses says what is wrong with the name of one more type; "" if nothing is.
func (t Types) refuses(name string) string {
	if len(name) == 0 || len(name) > maxTypeBytes {
		return fmt.Sprintf("the name has to have 1 to %d bytes", maxTypeBytes)
	}
	if !letter(name[0]) {
		return "the name has to begin with a letter"
	}
	for i := range len(name) {
		if c := name[i]; !letter(c) && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return "the name may hold only letters, digits, '_', '-' and '.'"
		}
	}
	for _, other := range t.list {
		if strings.EqualFold(other.Name, name) {
			return fmt.Sprintf("the name is taken by %q", other.Name)
		}
	}
	return ""
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// Lookup finds a type by the name that events use, letter case included.
func (t Types) Lookup(name string) (Type, bool) {
	i, ok := t.byName[name]
	if !ok {
		return Type{}, false
	}
	return t.list[i], true
}

// All lists the types, the strongest first; types of one rank in the order of the settings.
func (t Types) All() []Type {
	all := slices.Clone(t.list)
	slices.SortStableFunc(all, func(a, b Type) int { return int(a.Rank) - int(b.Rank) })
	return all
}
