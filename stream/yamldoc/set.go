package yamldoc

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Set gives the value at path in dst, a pointer to a struct, what text says, as if text stood at that place of a
// document; a list of words may also be written a,b,c. It serves environment variables and flags. Path steps are
// separated by dots and cannot go into lists; they can name a new entry of a map.
//
// The error says what is wrong with path or text, without the path.
func Set(dst any, path, text string) error {
	return set(reflect.ValueOf(dst).Elem(), "", strings.Split(path, "."), text)
}

func set(v reflect.Value, done string, steps []string, text string) error {
	if len(steps) == 0 {
		return setValue(v, text)
	}
	step := steps[0]
	switch {
	case v.Kind() == reflect.Struct && !isScalarType(v.Type()):
		f := fieldsOf(v.Type())
		i, ok := f.index[step]
		if !ok {
			return fmt.Errorf("unknown key %q%s", clip(join(done, step)), suggestion(step, f.names))
		}
		return set(v.Field(i), join(done, step), steps[1:], text)
	case v.Kind() == reflect.Map:
		return setEntry(v, join(done, step), steps, text)
	}
	return fmt.Errorf("%q has no keys of its own", done)
}

// setEntry changes one entry of a map. The map itself may be shared with the defaults, so it is copied first.
func setEntry(v reflect.Value, done string, steps []string, text string) error {
	item := newItem(v.Type().Elem())
	if old := v.MapIndex(reflect.ValueOf(steps[0])); old.IsValid() {
		item.Set(old)
	}
	if err := set(item, done, steps[1:], text); err != nil {
		return err
	}
	fresh := reflect.MakeMap(v.Type())
	for _, key := range v.MapKeys() {
		fresh.SetMapIndex(key, v.MapIndex(key))
	}
	fresh.SetMapIndex(reflect.ValueOf(steps[0]), item)
	v.Set(fresh)
	return nil
}

func setValue(v reflect.Value, text string) error {
	if isScalarType(v.Type()) {
		return assignText(v, text)
	}
	if v.Kind() == reflect.Slice && isScalarType(v.Type().Elem()) && !strings.HasPrefix(strings.TrimSpace(text), "[") {
		return setWords(v, text)
	}
	root, fault := parse("", []byte(text))
	if fault != nil {
		return errors.New(fault.Message)
	}
	if root == nil {
		return errors.New(wanted(v.Type()))
	}
	d := newDecoder("", []byte(text))
	fresh := newItem(v.Type())
	fresh.Set(v)
	d.value(root, fresh, "")
	if len(d.faults) > 0 {
		first := d.faults[0]
		if first.Path == "" {
			return errors.New(first.Message)
		}
		return fmt.Errorf("%s: %s", strings.TrimPrefix(first.Path, "."), first.Message)
	}
	v.Set(fresh)
	return nil
}

func setWords(v reflect.Value, text string) error {
	items := reflect.MakeSlice(v.Type(), 0, 1)
	if strings.TrimSpace(text) == "" {
		v.Set(items)
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		item := newItem(v.Type().Elem())
		if err := assignText(item, strings.TrimSpace(word)); err != nil {
			return err
		}
		items = reflect.Append(items, item)
	}
	v.Set(items)
	return nil
}
