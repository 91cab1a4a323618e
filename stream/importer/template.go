package importer

import (
	"errors"
	"strings"
)

// template is text in which {column} stands for a row's value, {row} for the number of the row from 1 and {file} for the
// name of the file. {{ and }} are braces.
//
// A template with columns whose values are all empty gives nothing at all: "crm-{id}" without an id is no identifier.
type template struct {
	text  string // as written
	parts []part
}

// part is a column, one of the words below, or else fixed text.
type part struct {
	text   string
	column string
	word   word
}

type word uint8

const (
	noWord word = iota
	rowNumber
	fileName
)

func (t template) isZero() bool { return len(t.parts) == 0 }

// isConstant reports whether every row gives the same text.
func (t template) isConstant() bool {
	for _, p := range t.parts {
		if p.column != "" || p.word == rowNumber {
			return false
		}
	}
	return true
}

// UnmarshalText reads a template from a mapping.
func (t *template) UnmarshalText(text []byte) error {
	*t = template{text: string(text)}
	rest := t.text
	fixed := ""
	flush := func() {
		if fixed != "" {
			t.parts = append(t.parts, part{text: fixed})
			fixed = ""
		}
	}
	for rest != "" {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			fixed += rest
			break
		}
		fixed += rest[:i]
		brace, after := rest[i], rest[i+1:]
		if after != "" && after[0] == brace {
			fixed += string(brace)
			rest = after[1:]
			continue
		}
		name, behind, closed := strings.Cut(after, "}")
		if brace == '}' || !closed || name == "" || strings.Contains(name, "{") {
			return errors.New("braces must enclose the name of a column; write {{ and }} for braces themselves")
		}
		flush()
		switch name {
		case "row":
			t.parts = append(t.parts, part{word: rowNumber})
		case "file":
			t.parts = append(t.parts, part{word: fileName})
		default:
			t.parts = append(t.parts, part{column: name})
		}
		rest = behind
	}
	flush()
	if len(t.parts) == 0 {
		return errors.New("must not be empty")
	}
	return nil
}
