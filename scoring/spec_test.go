package scoring

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func texts(errs []error) []string {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

func TestEveryTypeBuildsWithDefaults(t *testing.T) {
	for _, name := range Types() {
		m, err := New(Spec{Type: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Version() != "1" {
			t.Errorf("%s: version %q, want 1", name, m.Version())
		}
		if w := m.Weights(Path{}, []uint64{7}); len(w) != 0 {
			t.Errorf("%s: %v for a path without touches", name, w)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		spec Spec
		want []string
	}{
		{"defaults said aloud", Spec{Name: "td", Type: "time_decay", HalfLife: 168 * time.Hour, Granularity: "continuous"}, nil},
		{"by day", Spec{Type: "time_decay", Granularity: "day", Timezone: "Europe/Berlin"}, nil},
		{"all to the ends", Spec{Type: "position_based", First: "0.5", Last: "0.50"}, nil},
		{"only the last", Spec{Type: "position_based", First: "0", Last: ".7"}, nil},
		{"no type", Spec{}, []string{
			`type: "": not known; known are first_touch, last_touch, last_non_direct, linear, position_based, time_decay, j_shaped, inverse_j`}},
		{"a type of later", Spec{Type: "markov"}, []string{
			`type: "markov": not known; known are first_touch, last_touch, last_non_direct, linear, position_based, time_decay, j_shaped, inverse_j`}},
		{"a name that is no key", Spec{Name: "my model", Type: "linear"}, []string{
			`name: "my model": must be 1 to 64 of a-z, A-Z, 0-9, '_', '-' and '.'`}},
		{"settings of other models", Spec{Type: "linear", HalfLife: time.Hour, Granularity: "day", Timezone: "UTC", First: "0.4", Last: "0.4"}, []string{
			`half_life: "1h0m0s": is used by time_decay only`,
			`granularity: "day": is used by time_decay only`,
			`timezone: "UTC": is used by time_decay only`,
			`first: "0.4": is used by position_based only`,
			`last: "0.4": is used by position_based only`}},
		{"several at once", Spec{Type: "time_decay", HalfLife: -time.Hour, Granularity: "week", First: "1"}, []string{
			`first: "1": is used by position_based only`,
			`half_life: "-1h0m0s": must be at least 1s, in whole milliseconds`,
			`granularity: "week": must be continuous or day`}},
		{"a half-life below a millisecond", Spec{Type: "time_decay", HalfLife: time.Second + time.Microsecond}, []string{
			`half_life: "1.000001s": must be at least 1s, in whole milliseconds`}},
		{"a zone that nothing reads", Spec{Type: "time_decay", Timezone: "UTC"}, []string{
			`timezone: "UTC": is used with granularity day only`}},
		{"a zone that is none", Spec{Type: "time_decay", Granularity: "day", Timezone: "Mars/Olympus"}, []string{
			`timezone: "Mars/Olympus": must be the IANA name of a time zone, such as Europe/Berlin or UTC`}},
		{"the zone of the machine", Spec{Type: "time_decay", Granularity: "day", Timezone: "Local"}, []string{
			`timezone: "Local": must be the IANA name of a time zone, such as Europe/Berlin or UTC`}},
		{"more than the whole", Spec{Type: "position_based", First: "0.7"}, []string{
			`first: "0.7": first + last must be above 0 and at most 1; last is 0.4`}},
		{"nothing for the ends", Spec{Type: "position_based", First: "0", Last: "0.0"}, []string{
			`first: "0": first + last must be above 0 and at most 1; last is 0`}},
		{"not decimals", Spec{Type: "position_based", First: "-0.1", Last: "40%"}, []string{
			`first: "-0.1": must be a decimal from 0 to 1 with at most nine digits after the point`,
			`last: "40%": must be a decimal from 0 to 1 with at most nine digits after the point`}},
	} {
		got := c.spec.Validate()
		if !slices.Equal(texts(got), c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(texts(got), "\n     "), strings.Join(c.want, "\n     "))
		}
		if _, err := New(c.spec); (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: New says %v", c.name, err)
		}
	}
}

func TestValidateAll(t *testing.T) {
	got := ValidateAll([]Spec{
		{Type: "linear"},
		{Name: "linear", Type: "time_decay", HalfLife: -1},
		{Name: "a", Type: "shapely"},
	})
	want := []string{
		`models[1].half_life: "-1ns": must be at least 1s, in whole milliseconds`,
		`models[1].name: "linear": must be unique; models[0] has it too`,
		`models[2].type: "shapely": not known; known are first_touch, last_touch, last_non_direct, linear, position_based, time_decay, j_shaped, inverse_j`,
	}
	if !slices.Equal(texts(got), want) {
		t.Errorf("got %q\nwant %q", texts(got), want)
	}
	_, err := NewAll([]Spec{{Type: "x"}})
	var fault Fault
	if !errors.As(err, &fault) || fault.Field != "models[0].type" {
		t.Errorf("NewAll: got %v", err)
	}
}

func TestNewAllOfNothingIsTheDefaults(t *testing.T) {
	models, err := NewAll(nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
	}
	want := []string{"first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

// A version is in the records of readers: the same settings must have the same version for ever.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Type: "time_decay", HalfLife: 7 * 24 * time.Hour}, "1"},
		{Spec{Type: "position_based", First: "0.40", Last: ".4"}, "1"},
		{Spec{Type: "time_decay", HalfLife: 24 * time.Hour}, "1-c3ef4a90"},
		{Spec{Type: "time_decay", Granularity: "day"}, "1-42baa268"},
		{Spec{Type: "time_decay", Granularity: "day", Timezone: "UTC"}, "1-42baa268"},
		{Spec{Type: "time_decay", Granularity: "day", Timezone: "Europe/Berlin"}, "1-6f35e6a2"},
		{Spec{Type: "position_based", First: "0.3", Last: "0.7"}, "1-2c89c85f"},
		{Spec{Type: "position_based", First: "0.7", Last: "0.3"}, "1-f1e04985"},
		{Spec{Name: "other", Type: "position_based", First: "0.700", Last: "0.3"}, "1-f1e04985"},
	} {
		m, err := New(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		if m.Version() != c.want {
			t.Errorf("%+v: version %q, want %q", c.spec, m.Version(), c.want)
		}
	}
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "1": "1", "1.000000000": "1", "0.4": "0.4", ".4": "0.4", "0.400": "0.4", "0.333333333": "0.333333333",
		"1.": "1", "00.5": "0.5", "0.000000001": "0.000000001",
	} {
		v, ok := parseShare(text)
		if !ok || v.String() != want {
			t.Errorf("%q: got %v %t, want %s", text, v, ok, want)
		}
		if again, _ := parseShare(v.String()); again != v {
			t.Errorf("%q: %v reads back as %v", text, v, again)
		}
	}
	for _, text := range []string{"", ".", "-0", "+1", "1.1", "1.000000001", "0.1234567890", "1e-3", "0,4", "0x1", "nan", " 0.4", "99999999999999999999"} {
		if v, ok := parseShare(text); ok {
			t.Errorf("%q: taken as %v", text, v)
		}
	}
}
