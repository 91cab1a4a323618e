package settings

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	_ "time/tzdata" // time zones must not depend on the machine

	"tributary/stream/yamldoc"
)

const variablePrefix = "TRIBUTARY_"

// FileVariable names the settings file where no flag does.
const FileVariable = variablePrefix + "CONFIG"

// InstanceVariable names the instance where no flag does: a pod's name. It is not a setting, since it differs between
// instances of one application id.
const InstanceVariable = variablePrefix + "INSTANCE_ID"

// Input is everything that settings are made of. The zero value gives the defaults.
type Input struct {
	File    string            // name of the settings file, for messages; empty: there is none
	Text    []byte            // its content
	Environ []string          // NAME=VALUE, as of os.Environ
	Flags   map[string]string // value by path, such as "lookback.default": "60d"
}

// Loaded are valid settings and where each of them comes from.
type Loaded struct {
	Settings
	// Warnings tell what was left out of account: variables that look like settings and are none.
	Warnings []string

	file  *yamldoc.Document
	given map[string]string // by path: "environment TRIBUTARY_PARTITIONS", "flag"
}

// Open is Load with the settings file read from the disk. An empty path means no file.
func Open(path string, environ []string, flags map[string]string) (*Loaded, error) {
	in := Input{File: path, Environ: environ, Flags: flags}
	if path == "" {
		return Load(in)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	defer file.Close()
	// One byte more than allowed, so that Load sees and says that there is too much.
	if in.Text, err = io.ReadAll(io.LimitReader(file, yamldoc.MaxBytes+1)); err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	return Load(in)
}

// Load puts settings together: defaults, then the file, then the environment, then flags; what comes later wins. A list
// or map replaces the earlier one, it does not add to it. An empty variable counts as not set.
//
// The error is yamldoc.Faults with everything that is wrong, each with its place, path, value and rule.
func Load(in Input) (*Loaded, error) {
	l := &Loaded{Settings: *Default(), given: map[string]string{}}
	var faults yamldoc.Faults
	var err error
	if l.file, err = yamldoc.Decode(in.File, in.Text, &l.Settings); err != nil {
		faults = append(faults, err.(yamldoc.Faults)...)
	}
	faults = append(faults, l.environment(in.Environ)...)
	for _, path := range slices.Sorted(maps.Keys(in.Flags)) {
		faults = append(faults, l.set("flag", path, in.Flags[path])...)
	}
	// A value that could not be read is at its default now, so that the rules between values are checked all the same.
	known := map[string]bool{}
	for _, f := range faults {
		known[f.Path] = true
	}
	for _, f := range l.validate() {
		if !known[f.Path] {
			faults = append(faults, f)
		}
	}
	l.warnOfPlainPassword()
	return l, faults.Err()
}

func (l *Loaded) warnOfPlainPassword() {
	if l.Kafka.SASL.Mechanism == "plain" && !l.Kafka.TLS.Enabled {
		l.Warnings = append(l.Warnings, "kafka.sasl.mechanism is plain and kafka.tls.enabled is false: the password can be read on the network")
	}
}

// set gives one setting a value from a place outside of the file.
func (l *Loaded) set(from, path, text string) yamldoc.Faults {
	err := yamldoc.Set(&l.Settings, path, text)
	if err == nil {
		l.given[path] = from
		return nil
	}
	message := err.Error()
	if e := byPath()[path]; e != nil && !e.Hidden {
		message = fmt.Sprintf("%q: %s", shorten(text), message)
	}
	return yamldoc.Faults{{File: from, Path: path, Message: message}}
}

// foreign are variables that Kubernetes sets for a service that is named tributary.
var foreign = regexp.MustCompile(`^TRIBUTARY_(.+_)?(SERVICE_(HOST|PORT(_.+)?)|PORT(_[0-9]+_.+)?)$`)

// environment applies the variables that name settings and warns of those that only look like it.
func (l *Loaded) environment(environ []string) (faults yamldoc.Faults) {
	variables := map[string]string{} // path by name
	for i := range catalogue {
		if v := catalogue[i].Variable(); v != "" {
			variables[v] = catalogue[i].Path
		}
	}
	var strange []string
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		path, ok := variables[name]
		switch {
		case !strings.HasPrefix(name, variablePrefix) || value == "":
		case ok:
			faults = append(faults, l.set("environment "+name, path, value)...)
		case name != FileVariable && name != InstanceVariable && !foreign.MatchString(name):
			strange = append(strange, name)
		}
	}
	secrets := []string{l.Kafka.SASL.UserEnv, l.Kafka.SASL.PasswordEnv, l.Identity.KeyEnv, l.Identity.PreviousKeyEnv}
	for _, name := range strange {
		if slices.Contains(secrets, name) {
			continue
		}
		warning := "environment variable " + name + " is no setting and has no effect"
		if near := yamldoc.Nearest(name, slices.Sorted(maps.Keys(variables))); near != "" {
			warning += ", did you mean " + near + "?"
		}
		l.Warnings = append(l.Warnings, warning)
	}
	return faults
}

// Origin says where the value at path comes from: "default", "tributary.yaml:7", "environment TRIBUTARY_PARTITIONS", or
// "flag".
func (l *Loaded) Origin(path string) string {
	if from := l.givenAround(path); from != "" {
		return from
	}
	if place := l.file.Place(path); place != "" {
		return place
	}
	return "default"
}

// givenAround is where the value at path, or one around it, was given outside of the file; empty if nowhere.
func (l *Loaded) givenAround(path string) string {
	for at := path; at != ""; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if from, ok := l.given[at]; ok {
			return from
		}
	}
	return ""
}

// isGiven reports whether somebody set the value at path itself, be it to nothing. Of a value inside a list or map that
// came from outside of the file this is not known, and false.
func (l *Loaded) isGiven(path string) bool {
	if _, ok := l.given[path]; ok {
		return true
	}
	return l.givenAround(path) == "" && l.file.Has(path)
}

// fault is a fault of the value at path, placed where that value comes from.
func (l *Loaded) fault(path, message string) yamldoc.Fault {
	if from := l.givenAround(path); from != "" {
		return yamldoc.Fault{File: from, Path: path, Message: message}
	}
	item := path[:max(strings.LastIndexByte(path, '.'), 0)] // "models[2]" for "models[2].type"
	if !l.file.Has(path) && !(l.file.Has(item) && strings.ContainsAny(path, "[")) {
		return yamldoc.Fault{Path: path, Message: message}
	}
	return l.file.Fault(path, message)
}

// ErrNoSource is what RequireSources returns.
var ErrNoSource = errors.New("sources: must name at least one topic")

// RequireSources is for commands that read from Kafka: they need a source.
func (s *Settings) RequireSources() error {
	if len(s.Sources) == 0 {
		return ErrNoSource
	}
	return nil
}

// shorten keeps a stray text short in a message.
func shorten(s string) string {
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return s
}

// written is a value as it stands in a settings file.
func written(v reflect.Value) string {
	if d, ok := asDuration(v); ok {
		return yamldoc.FormatDuration(d)
	}
	switch v.Kind() {
	case reflect.String:
		return quoted(v.String())
	case reflect.Slice:
		words := make([]string, v.Len())
		for i := range words {
			words[i] = written(v.Index(i))
		}
		return "[" + strings.Join(words, ", ") + "]"
	case reflect.Map:
		return "{}" // only an empty one is a leaf
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return quoted(s.String())
	}
	return fmt.Sprint(v.Interface())
}
