package scoring

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Spec is one model of the settings, before it is checked. The zero value of a field means its default; Type has none.
type Spec struct {
	Name string // key in the attribution record; by default the type
	Type string // one of Types

	// Of time_decay only.
	HalfLife    time.Duration // age at which a touch weighs half; default 7 days; whole milliseconds, at least 1 s
	Granularity string        // "continuous" (default), or "day": age in whole calendar days
	Timezone    string        // IANA name of the zone whose calendar counts; default UTC; only with granularity day

	// Of position_based only: decimals from 0 to 1 with at most nine digits after the point, as they stand in the
	// settings ("0.4"). Text, because 0.4 is no exact float. The middle shares what first and last leave.
	First string // default 0.4
	Last  string // default 0.4
}

// Types are the model types that New knows, in the order in which messages and reports list them.
func Types() []string {
	return []string{"first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay", "j_shaped", "inverse_j"}
}

const (
	defaultHalfLife = 7 * 24 * time.Hour // the half-life of Google Analytics and of Adobe Analytics
	shortestHalf    = time.Second
	defaultEnd      = wholeShare / 10 * 4 // 40 % first, 20 % middle, 40 % last, as both have it

	continuous = "continuous"
	byDay      = "day"

	maxNameBytes = 64

	// algorithm is the version of a model whose settings are the defaults. It changes when the same settings would give
	// other weights.
	algorithm = "1"
)

// Fault is one thing wrong with a setting. It is an error.
type Fault struct {
	Field string // such as "half_life"; models of a list are "models[2].half_life"
	Value string // as it was set
	Rule  string // what would be right
}

func (f Fault) Error() string {
	return fmt.Sprintf("%s: %q: %s", f.Field, f.Value, f.Rule)
}

// Validate returns a Fault for everything that is wrong with s, and nil when New will take it.
func (s Spec) Validate() []error {
	_, faults := s.build()
	return faults
}

// New makes the model of a valid spec. Otherwise the error joins what Validate returns. It reads the time zone from the
// zone database of the machine or, where there is none, of the program (package time/tzdata).
func New(s Spec) (Model, error) {
	m, faults := s.build()
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return m, nil
}

// name is the key of the model in the record.
func (s Spec) name() string {
	if s.Name == "" {
		return s.Type
	}
	return s.Name
}

func (s Spec) build() (Model, []error) {
	var f faults
	if s.Name != "" && !validName(s.Name) {
		f.add("name", s.Name, "must be 1 to 64 of a-z, A-Z, 0-9, '_', '-' and '.'")
	}
	if s.Type != "time_decay" {
		f.unused("half_life", nonZero(s.HalfLife), "time_decay")
		f.unused("granularity", s.Granularity, "time_decay")
		f.unused("timezone", s.Timezone, "time_decay")
	}
	if s.Type != "position_based" {
		f.unused("first", s.First, "position_based")
		f.unused("last", s.Last, "position_based")
	}
	return s.model(&f), f
}

// model is nil, or not to be used, when it adds a fault.
func (s Spec) model(f *faults) Model {
	switch s.Type {
	case "first_touch":
		return oneTouch{first}
	case "last_touch":
		return oneTouch{last}
	case "last_non_direct":
		return oneTouch{lastNonDirect}
	case "linear":
		return linear{}
	case "position_based":
		return s.positionBased(f)
	case "time_decay":
		return s.timeDecay(f)
	case "j_shaped":
		return positions{first: wholeShare / 10 * 2, last: wholeShare / 10 * 6, version: algorithm}
	case "inverse_j":
		return positions{first: wholeShare / 10 * 6, last: wholeShare / 10 * 2, version: algorithm}
	}
	f.add("type", s.Type, "not known; known are "+strings.Join(Types(), ", "))
	return nil
}

func (s Spec) positionBased(f *faults) Model {
	first, firstOK := f.share("first", s.First)
	last, lastOK := f.share("last", s.Last)
	if sum := first + last; firstOK && lastOK && (sum == 0 || sum > wholeShare) {
		f.add("first", first.String(), fmt.Sprintf("first + last must be above 0 and at most 1; last is %v", last))
	}
	return positions{first, last, version(
		first == defaultEnd && last == defaultEnd,
		fmt.Sprintf("position_based first=%v last=%v", first, last))}
}

func (s Spec) timeDecay(f *faults) Model {
	half := s.HalfLife
	if half == 0 {
		half = defaultHalfLife
	}
	if half < shortestHalf || half%time.Millisecond != 0 {
		f.add("half_life", s.HalfLife.String(), "must be at least 1s, in whole milliseconds")
	}
	m := timeDecay{halfLife: uint64(half.Milliseconds())}
	switch s.Granularity {
	case "", continuous:
		if s.Timezone != "" {
			f.add("timezone", s.Timezone, "is used with granularity day only")
		}
	case byDay:
		m.zone = f.zone("timezone", s.Timezone)
	default:
		f.add("granularity", s.Granularity, "must be continuous or day")
	}
	settings := fmt.Sprintf("time_decay half_life=%dms", m.halfLife)
	if m.zone != nil {
		settings += " granularity=day timezone=" + m.zone.String()
	}
	m.version = version(half == defaultHalfLife && m.zone == nil, settings)
	return m
}

// version is the algorithm's, and with settings of one's own a short hash of them, such as "1-6f2c09ab".
func version(defaults bool, settings string) string {
	if defaults {
		return algorithm
	}
	hash := sha256.Sum256([]byte(settings))
	return algorithm + "-" + hex.EncodeToString(hash[:4])
}

func validName(name string) bool {
	return len(name) <= maxNameBytes && !strings.ContainsFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_-.", c))
	})
}

// nonZero is d as text, empty for zero.
func nonZero(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// faults collects what is wrong.
type faults []error

func (f *faults) add(field, value, rule string) {
	*f = append(*f, Fault{field, value, rule})
}

// unused refuses a setting that would have no effect.
func (f *faults) unused(field, value, owner string) {
	if value != "" {
		f.add(field, value, "is used by "+owner+" only")
	}
}

// share reads an end share of position_based.
func (f *faults) share(field, value string) (v share, ok bool) {
	if value == "" {
		return defaultEnd, true
	}
	v, ok = parseShare(value)
	if !ok {
		f.add(field, value, "must be a decimal from 0 to 1 with at most nine digits after the point")
	}
	return v, ok
}

// zone loads a time zone. "Local" is refused: it would make credit depend on the machine.
func (f *faults) zone(field, name string) *time.Location {
	zone, err := time.LoadLocation(name) // the empty name is UTC
	if err != nil || name == "Local" {
		f.add(field, name, "must be the IANA name of a time zone, such as Europe/Berlin or UTC")
		return nil
	}
	return zone
}
