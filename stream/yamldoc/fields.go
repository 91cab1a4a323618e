package yamldoc

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// fields are the keys of a struct type.
type fields struct {
	index map[string]int
	names []string // in the order of the struct
}

func fieldsOf(t reflect.Type) fields {
	f := fields{index: make(map[string]int, t.NumField())}
	for i := range t.NumField() {
		name, ok := t.Field(i).Tag.Lookup("yaml")
		if !ok || name == "-" {
			continue
		}
		f.index[name] = i
		f.names = append(f.names, name)
	}
	return f
}

// Defaulter is for structs that stand in lists and maps: SetDefaults runs before the document fills them.
type Defaulter interface{ SetDefaults() }

// newItem is an addressable new value of type t with its defaults.
func newItem(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := p.Interface().(Defaulter); ok {
		d.SetDefaults()
	}
	return p.Elem()
}

// suggestion is `, did you mean "x"?` with the nearest of names, or empty when none is near.
func suggestion(key string, names []string) string {
	name := Nearest(key, names)
	if name == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", name)
}

// Nearest is the one of names that key is most likely a misspelling of, or empty when none is near.
func Nearest(key string, names []string) string {
	best, distance := "", 3
	for _, name := range names {
		if d := editDistance(key, name); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	return best
}

// editDistance is Levenshtein's, in bytes, and 3 for anything that is clearly further away.
func editDistance(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Leaf is one value of a struct that has no values inside, as Walk finds it.
type Leaf struct {
	Path    string // "conversions.first_paid.lookback", "models[1].type"
	Pattern string // the same with any name and any number: "conversions.*.lookback", "models[].type"
	Value   reflect.Value
}

// Walk calls visit for each leaf in v, a struct or a pointer to one, in the order of its fields; maps by sorted key. A
// list of words is one leaf; an empty list or map of anything else is one too.
func Walk(v any, visit func(Leaf)) {
	walk(reflect.Indirect(reflect.ValueOf(v)), "", "", visit)
}

func walk(v reflect.Value, path, pattern string, visit func(Leaf)) {
	switch {
	case v.Kind() == reflect.Struct && !isScalarType(v.Type()):
		f := fieldsOf(v.Type())
		for _, name := range f.names {
			walk(v.Field(f.index[name]), join(path, name), join(pattern, name), visit)
		}
	case v.Kind() == reflect.Map && v.Len() > 0:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			walk(v.MapIndex(key), join(path, key.String()), pattern+".*", visit)
		}
	case v.Kind() == reflect.Slice && v.Len() > 0 && !isScalarType(v.Type().Elem()):
		for i := range v.Len() {
			walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), pattern+"[]", visit)
		}
	default:
		visit(Leaf{Path: path, Pattern: pattern, Value: v})
	}
}

// Patterns are the patterns of all leaves that a value of v's type can have, in the order of its fields.
func Patterns(v any) []string {
	var all []string
	patterns(reflect.Indirect(reflect.ValueOf(v)).Type(), "", &all)
	return all
}

func patterns(t reflect.Type, pattern string, all *[]string) {
	switch {
	case t.Kind() == reflect.Struct && !isScalarType(t):
		f := fieldsOf(t)
		for _, name := range f.names {
			patterns(t.Field(f.index[name]).Type, join(pattern, name), all)
		}
	case t.Kind() == reflect.Map:
		patterns(t.Elem(), pattern+".*", all)
	case t.Kind() == reflect.Slice && !isScalarType(t.Elem()):
		patterns(t.Elem(), pattern+"[]", all)
	default:
		*all = append(*all, pattern)
	}
}
