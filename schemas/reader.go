package schemas

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads one JSON value member by member. The first fault sticks: from then on every method returns zero values and
// more is false, so that only the end of a decoder asks for the error.
//
// Every method that reads a value is given the value's path for the refusal. A null is an absent member.
type reader struct {
	dec     jsontext.Decoder
	input   bytes.Buffer
	scratch []byte // an unquoted text; valid until the next one
	ignored int    // members that the contract does not name
	fault
}

const byteOrderMark = "\ufeff"

var readers = sync.Pool{New: func() any { return new(reader) }}

// read runs body over value, which has to be one JSON object and nothing else.
func read(value []byte, body func(*reader)) (ignored int, err error) {
	if bytes.HasPrefix(value, []byte(byteOrderMark)) { // it cannot be seen, so the place of a syntax error would not help
		return 0, &Refusal{Reason: ReasonNotJSON, Detail: "begins with a byte order mark"}
	}
	r := readers.Get().(*reader)
	r.input = *bytes.NewBuffer(value)
	r.dec.Reset(&r.input)
	r.ignored, r.refusal = 0, nil
	body(r)
	r.end()
	ignored, refusal := r.ignored, r.refusal
	r.input = bytes.Buffer{}
	r.dec.Reset(&r.input) // do not keep the record
	readers.Put(r)
	if refusal != nil {
		return 0, refusal
	}
	return ignored, nil
}

// open enters the object at path, the record itself if that is empty. It is false if the member is absent, or no object,
// which is a fault.
func (r *reader) open(path string) bool { return r.enter(path, '{', "not an object") }

// openList enters the array at path, likewise.
func (r *reader) openList(path string) bool { return r.enter(path, '[', "not a list") }

func (r *reader) enter(path string, kind jsontext.Kind, otherwise string) bool {
	if r.absent() {
		return false
	}
	switch k := r.dec.PeekKind(); {
	case k == kind || k == 0:
		return r.token()
	case path == "":
		r.refuse(ReasonNotJSON, path, otherwise)
	default:
		r.refuse(ReasonWrongType, path, otherwise)
	}
	return false
}

// more is true while the object or list that was entered last has another member; it leaves it otherwise.
func (r *reader) more() bool {
	if r.refused() {
		return false
	}
	if k := r.dec.PeekKind(); k == '}' || k == ']' {
		r.token()
		return false
	}
	return true
}

// name is the name of the object's next member, valid until the next read.
func (r *reader) name() []byte { return r.unquoted() }

// absent consumes a null. It is true after a fault as well.
func (r *reader) absent() bool {
	if r.refused() {
		return true
	}
	return r.dec.PeekKind() == 'n' && (r.token() || true)
}

// text is a string of at most max bytes without control characters; empty if the member is absent.
func (r *reader) text(path string, max int) string {
	return string(r.textBytes(path, max))
}

// word is a text that is often one of a few well-known words, which are not allocated again.
func (r *reader) word(path string) string {
	b := r.textBytes(path, MaxTextBytes)
	if w, ok := words[string(b)]; ok {
		return w
	}
	return string(b)
}

// id is a text of 1 to MaxIDBytes bytes; empty if the member is absent.
func (r *reader) id(path string) string {
	if r.absent() {
		return ""
	}
	s := r.text(path, MaxIDBytes)
	if s == "" {
		r.refuse(ReasonBadValue, path, "empty")
	}
	return s
}

func (r *reader) textBytes(path string, max int) []byte {
	if r.absent() || !r.is('"', path, "not a string") {
		return nil
	}
	b := r.unquoted()
	if problem := textProblem(b, max); problem != "" {
		r.refuse(ReasonBadValue, path, problem)
		return nil
	}
	return b
}

// number is the text of a number; empty if the member is absent.
func (r *reader) number(path string) string {
	if r.absent() || !r.is('0', path, "not a number") {
		return ""
	}
	return string(r.value())
}

// integer is a whole number from 0 to max; 0 if the member is absent.
func (r *reader) integer(path string, max int64) int64 {
	text := r.number(path)
	if text == "" {
		return 0
	}
	d, _ := scanDecimal(text)
	n, exact, ok := d.scaled(0)
	if !ok || !exact || n > max || d.negative && n != 0 {
		r.refuse(ReasonBadValue, path, "not a whole number from 0 to "+strconv.FormatInt(max, 10))
		return 0
	}
	return n
}

// amount is the text of an amount, a string or a number; present is false for none.
func (r *reader) amount(path string) (text string, present bool) {
	if r.absent() {
		return "", false
	}
	switch r.dec.PeekKind() {
	case '0':
		text = string(r.value())
	case '"':
		text = r.text(path, MaxTextBytes)
	default:
		r.is('"', path, "neither a decimal string nor a number")
	}
	return text, !r.refused()
}

// boolean is true or false; present is false for none.
func (r *reader) boolean(path string) (value, present bool) {
	if r.absent() {
		return false, false
	}
	k := r.dec.PeekKind()
	if k != 't' && k != 'f' && !r.is('t', path, "not a boolean") {
		return false, false
	}
	return k == 't', r.token()
}

// time is an RFC 3339 string or a number of epoch milliseconds; 0 if the member is absent.
func (r *reader) time(path string) Millis {
	if r.absent() {
		return 0
	}
	var m Millis
	var problem string
	switch r.dec.PeekKind() {
	case '"':
		m, problem = parseTime(string(r.unquoted()))
	case '0':
		m, problem = parseEpochMillis(string(r.value()))
	default:
		r.is('"', path, "neither a time nor epoch milliseconds")
	}
	if problem != "" {
		r.refuse(ReasonBadTime, path, problem)
	}
	return m
}

// ignore skips a member that the contract does not name.
func (r *reader) ignore() {
	r.ignored++
	r.skip()
}

// skip reads over a value. Its syntax counts, and its depth.
func (r *reader) skip() {
	depth := r.dec.StackDepth()
	for {
		if !r.token() {
			return
		}
		switch now := r.dec.StackDepth(); {
		case now > MaxDepth:
			r.refuse(ReasonTooDeep, "", "deeper than "+strconv.Itoa(MaxDepth))
			return
		case now <= depth:
			return
		}
	}
}

// end checks that nothing follows the value.
func (r *reader) end() {
	if r.refused() {
		return
	}
	if _, err := r.dec.ReadToken(); err != io.EOF {
		r.refuse(ReasonNotJSON, "", "more than one value")
	}
}

// is refuses a value of another kind.
func (r *reader) is(kind jsontext.Kind, path, otherwise string) bool {
	switch r.dec.PeekKind() {
	case kind:
		return true
	case 0:
		r.token() // the syntax error itself
	default:
		r.refuse(ReasonWrongType, path, otherwise)
	}
	return false
}

// unquoted is the next value, a string, without quotes and escapes; valid until the next read.
func (r *reader) unquoted() []byte {
	quoted := r.value()
	if r.refused() {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	r.scratch, _ = jsontext.AppendUnquote(r.scratch[:0], quoted) // the decoder has checked it
	return r.scratch
}

func (r *reader) value() []byte {
	v, err := r.dec.ReadValue()
	r.syntax(err)
	return v
}

func (r *reader) token() bool {
	_, err := r.dec.ReadToken()
	r.syntax(err)
	return !r.refused()
}

// syntax turns an error of the JSON decoder into a refusal. The decoder's own text is not used, because it quotes the input.
func (r *reader) syntax(err error) {
	if err == nil || r.refused() {
		return
	}
	at := " at byte " + strconv.FormatInt(r.dec.InputOffset(), 10)
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		at = " at byte " + strconv.FormatInt(s.ByteOffset, 10)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		r.refuse(ReasonDuplicateKey, pathOf(s.JSONPointer), "")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.refuse(ReasonNotJSON, "", "ends too early")
	case s != nil && s.Err != nil && s.Err.Error() == "invalid UTF-8":
		r.refuse(ReasonNotJSON, "", "wrong UTF-8"+at)
	default:
		r.refuse(ReasonNotJSON, "", "wrong syntax"+at)
	}
}

// words are texts that many events have in common.
var words = func() map[string]string {
	m := make(map[string]string)
	for _, w := range strings.Fields("touch activity conversion refund identify consent forget cost " +
		"click impression visit call email_open email_click sms_click push_open offline " +
		"direct organic_search paid_search organic_social paid_social email affiliate referral display video sms push phone " +
		"google bing facebook instagram tiktok linkedin newsletter twitter youtube (direct) (none) " +
		"cpc ppc organic social paid cpm banner web app " +
		"user_id customer_id device_id anonymous_id purchase USD EUR GBP JPY XXX") {
		m[w] = w
	}
	return m
}()
