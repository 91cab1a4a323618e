package yamldoc

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits that no honest document reaches and that keep a hostile one cheap.
const (
	MaxBytes  = 1 << 18 // bytes of a document; the parser takes quadratic time on some texts
	maxNodes  = 100_000 // values read, counting an alias each time it is used
	maxFaults = 100     // reported; a reader has long given up by then
)

// Document is what Decode learned about one text besides the values: where each of them stands.
type Document struct {
	name   string
	text   []byte
	places map[string]place // by path
}

// place is a value's first character and its width in characters.
type place struct{ line, column, width int }

// Decode reads text into dst, a pointer to a struct. name is the file's name in the faults. The error is nil or Faults
// with everything that is wrong; dst then holds what could be read. The document is never nil.
func Decode(name string, text []byte, dst any) (*Document, error) {
	d := newDecoder(name, text)
	root, fault := parse(name, text)
	if fault != nil {
		return d.doc, Faults{*fault}
	}
	if root != nil {
		d.value(root, reflect.ValueOf(dst).Elem(), "")
	}
	return d.doc, d.faults.Err()
}

// Has reports whether the document itself gives the value at path.
func (d *Document) Has(path string) bool {
	_, ok := d.places[path]
	return ok
}

// Fault is a fault of the value at path, placed where the document gives that value, or else where it gives the nearest
// value around it.
func (d *Document) Fault(path, message string) Fault {
	at := path
	for at != "" && !d.Has(at) {
		at = parent(at)
	}
	return d.fault(d.places[at], path, message)
}

// Place is "tributary.yaml:7" for a value that the document gives, else empty.
func (d *Document) Place(path string) string {
	p, ok := d.places[path]
	if !ok {
		return ""
	}
	return d.name + ":" + strconv.Itoa(p.line)
}

func (d *Document) fault(p place, path, message string) Fault {
	return Fault{File: d.name, Line: p.line, Column: p.column, Path: path, Message: message,
		Source: sourceLine(d.text, p.line, p.column, p.width)}
}

// parent is the path without its last step: "a.b[2].c", "a.b[2]", "a.b", "a", "".
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// parse reads the one document of text. A nil node without a fault is an empty document.
func parse(name string, text []byte) (root ast.Node, fault *Fault) {
	if len(text) > MaxBytes {
		return nil, &Fault{File: name, Message: fmt.Sprintf("%d bytes, more than %d", len(text), MaxBytes)}
	}
	if !utf8.Valid(text) {
		return nil, &Fault{File: name, Message: "not valid UTF-8"}
	}
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f := syntaxFault(name, text, err)
		return nil, &f
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			p := placeOf(doc.Body)
			return nil, &Fault{File: name, Line: p.line, Column: p.column, Message: "more than one document"}
		}
		root = doc.Body
	}
	return root, nil
}

func syntaxFault(name string, text []byte, err error) Fault {
	var located yaml.Error
	if !errors.As(err, &located) || located.GetToken() == nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		return Fault{File: name, Message: message}
	}
	p := tokenPlace(located.GetToken())
	return Fault{File: name, Line: p.line, Column: p.column, Message: located.GetMessage(),
		Source: sourceLine(text, p.line, p.column, p.width)}
}

type decoder struct {
	doc     *Document
	faults  Faults
	anchors map[string]ast.Node
	nodes   int // values read so far
}

func newDecoder(name string, text []byte) *decoder {
	return &decoder{doc: &Document{name: name, text: text, places: map[string]place{}}, anchors: map[string]ast.Node{}}
}

func (d *decoder) fail(n ast.Node, path, format string, args ...any) {
	switch {
	case len(d.faults) > maxFaults:
		return
	case len(d.faults) == maxFaults:
		d.faults = append(d.faults, d.doc.fault(placeOf(n), "", "more faults follow"))
		return
	}
	d.faults = append(d.faults, d.doc.fault(placeOf(n), path, fmt.Sprintf(format, args...)))
}

var durationType = reflect.TypeFor[time.Duration]()

// value reads n into v. path names v in faults and places.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	n, ok := d.resolve(n, path)
	if !ok {
		return
	}
	d.doc.places[path] = placeOf(n)
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, path, t.UnmarshalText)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

// resolve follows anchors and aliases to the value itself.
func (d *decoder) resolve(n ast.Node, path string) (ast.Node, bool) {
	for {
		if d.nodes++; d.nodes > maxNodes {
			if d.nodes == maxNodes+1 {
				d.fail(n, path, "more than %d values", maxNodes)
			}
			return nil, false
		}
		switch t := n.(type) {
		case *ast.AnchorNode:
			d.anchors[t.Name.GetToken().Value] = t.Value
			n = t.Value
		case *ast.AliasNode:
			to, ok := d.anchors[t.Value.GetToken().Value]
			if !ok {
				d.fail(n, path, "no anchor of this name stands above")
				return nil, false
			}
			n = to
		case *ast.TagNode:
			d.fail(n, path, "tags are not supported")
			return nil, false
		case nil:
			return nil, false
		default:
			return n, true
		}
	}
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	if _, ok := n.(*ast.NullNode); ok {
		return // `tls:` with nothing after it is the same as `tls: {}`
	}
	known := fieldsOf(v.Type())
	d.entries(n, path, func(key string, keyNode ast.Node, value ast.Node) {
		i, ok := known.index[key]
		if !ok {
			d.fail(keyNode, path, "unknown key %q%s", clip(key), suggestion(key, known.names))
			return
		}
		d.value(value, v.Field(i), join(path, key))
	})
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	m := reflect.MakeMap(v.Type())
	ok := d.entries(n, path, func(key string, _ ast.Node, value ast.Node) {
		item := newItem(v.Type().Elem())
		d.value(value, item, join(path, key))
		m.SetMapIndex(reflect.ValueOf(key), item)
	})
	if ok {
		v.Set(m)
	}
}

// entries calls each for every entry of the mapping n and reports whether n is one.
func (d *decoder) entries(n ast.Node, path string, each func(key string, keyNode, value ast.Node)) bool {
	var pairs []*ast.MappingValueNode
	switch t := n.(type) {
	case *ast.MappingNode:
		pairs = t.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{t}
	default:
		d.fail(n, path, "must be a mapping, key: value")
		return false
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		switch pair.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		default:
			d.fail(pair.Key, path, "a key must be plain text")
			continue
		}
		key := pair.Key.GetToken().Value
		if seen[key] {
			d.fail(pair.Key, path, "key %q is given twice", clip(key))
			continue
		}
		seen[key] = true
		if null, ok := pair.Value.(*ast.NullNode); ok {
			null.Token = pair.Key.GetToken() // where nothing stands there is no place to point at
		}
		each(key, pair.Key, pair.Value)
	}
	return true
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	seq, ok := n.(*ast.SequenceNode)
	switch {
	case ok:
	case isScalar(n) && isScalarType(v.Type().Elem()):
		item := newItem(v.Type().Elem())
		d.value(n, item, path)
		v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), item))
		return
	default:
		d.fail(n, path, "must be a list")
		return
	}
	items := reflect.MakeSlice(v.Type(), 0, len(seq.Values))
	for i, value := range seq.Values {
		item := newItem(v.Type().Elem())
		d.value(value, item, fmt.Sprintf("%s[%d]", path, i))
		items = reflect.Append(items, item)
	}
	v.Set(items)
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	kind, isDuration := v.Kind(), v.Type() == durationType
	switch t := n.(type) {
	case *ast.BoolNode:
		if kind == reflect.Bool {
			v.SetBool(t.Value)
			return
		}
	case *ast.IntegerNode, *ast.FloatNode:
		if kind == reflect.Bool || isDuration {
			break
		}
		d.assign(n, v, path, n.GetToken().Value)
		return
	case *ast.StringNode:
		if kind == reflect.String || isDuration {
			d.assign(n, v, path, t.Value)
			return
		}
	case *ast.LiteralNode:
		if kind == reflect.String {
			d.assign(n, v, path, t.Value.Value)
			return
		}
	}
	d.fail(n, path, "%s", wanted(v.Type()))
}

func (d *decoder) assign(n ast.Node, v reflect.Value, path, text string) {
	if err := assignText(v, text); err != nil {
		d.fail(n, path, "%v", err)
	}
}

func (d *decoder) text(n ast.Node, path string, unmarshal func([]byte) error) {
	var text string
	switch t := n.(type) {
	case *ast.StringNode:
		text = t.Value
	case *ast.LiteralNode:
		text = t.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		text = n.GetToken().Value
	default:
		d.fail(n, path, "must be text")
		return
	}
	if err := unmarshal([]byte(text)); err != nil {
		d.fail(n, path, "%v", err)
	}
}

// assignText gives v, which is no list, map or struct, the value that text says. It leaves v as it is if text says none.
func assignText(v reflect.Value, text string) error {
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			v.SetBool(b)
			return nil
		}
	case reflect.Int64: // a duration: there are no others
		if d, err := ParseDuration(text); err == nil {
			v.SetInt(int64(d))
			return nil
		}
	case reflect.Int:
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			v.SetInt(i)
			return nil
		}
	case reflect.Float64:
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.SetFloat(f)
			return nil
		}
	default:
		panic("yamldoc: a field of type " + v.Type().String())
	}
	return errors.New(wanted(v.Type()))
}

// wanted says what a value of type t must be.
func wanted(t reflect.Type) string {
	if t == durationType {
		return errDuration.Error()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int:
		return "must be a whole number"
	case reflect.Float64:
		return "must be a number"
	case reflect.Struct, reflect.Map:
		return "must be a mapping, key: value"
	case reflect.Slice:
		return "must be a list"
	}
	return "must be text"
}

func isScalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return true
	}
	return false
}

// isScalarType reports whether values of type t are written as one word.
func isScalarType(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Slice
}

func placeOf(n ast.Node) place {
	switch t := n.(type) {
	case *ast.MappingNode:
		if !t.IsFlowStyle && len(t.Values) > 0 {
			return tokenPlace(t.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return tokenPlace(t.Key.GetToken())
	}
	return tokenPlace(n.GetToken())
}

func tokenPlace(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{line: t.Position.Line, column: t.Position.Column, width: utf8.RuneCountInString(strings.TrimSpace(t.Origin))}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// clip keeps a stray text short in a message.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}
