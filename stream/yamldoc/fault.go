package yamldoc

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fault is one thing wrong with a document.
type Fault struct {
	File    string // as given to Decode; empty for a value that stands in no file
	Line    int    // from 1; 0 when the fault has no place in the text
	Column  int    // from 1, in characters
	Path    string // "models[2].half_life"; empty when the document as a whole is meant
	Message string
	Source  string // the line of the text, cut after the place and without secrets; may be empty
}

// Error is the place and the message on one line, and below it the line of the text with a caret.
func (f Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		b.WriteByte(':')
		if f.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
		}
		b.WriteByte(' ')
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	if f.Source != "" {
		number := fmt.Sprint(f.Line)
		fmt.Fprintf(&b, "\n  %s | %s\n  %s | %s^", number, f.Source, strings.Repeat(" ", len(number)), caretPad(f.Source, f.Column))
	}
	return b.String()
}

// Faults are all faults of one document, in the order of the text. It is an error; an empty list is none, see Err.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is fs sorted by place, or nil without faults.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return sorted
}

// caretPad is the white space that puts a caret under column; tabs stay tabs so that it lines up in a terminal.
func caretPad(source string, column int) string {
	var b strings.Builder
	for i, r := range []rune(source) {
		if i >= column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxSource is how many characters of a line are shown; who writes longer ones has the column.
const maxSource = 300

// secretValue finds values that someone put into a file where they do not belong.
var secretValue = regexp.MustCompile(`(?i)\b(password|passphrase|secret|token|key)(["']?\s*:\s*)[^\s,}]+`)

// sourceLine is line n of text (from 1) up to and with the value that begins at column, which is width characters wide.
// It is cut there because what follows an unknown key may be a secret; known places of secrets before it are masked.
func sourceLine(text []byte, n, column, width int) string {
	lines := strings.SplitN(string(text), "\n", n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	runes := []rune(strings.TrimRight(lines[n-1], "\r"))
	if column < 1 || column > len(runes)+1 || column > maxSource {
		return ""
	}
	end := min(len(runes), column-1+max(width, 1), maxSource)
	before := secretValue.ReplaceAllStringFunc(string(runes[:column-1]), func(s string) string {
		m := secretValue.FindStringSubmatch(s)
		return m[1] + m[2] + strings.Repeat("*", utf8.RuneCountInString(s)-utf8.RuneCountInString(m[1]+m[2]))
	})
	return before + string(runes[column-1:end])
}
