package identity

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"tributary/schemas"
)

// The wire format of a journal record is JournalRecord in schemas/proto/tributary/v1/journal.proto, that of a message
// JournalMessage. They are written and read here field by field, since every touch passes through: a test holds them
// against the generated code.

// ErrWire is the root of every decoding error: the bytes are not a message that this release understands.
var ErrWire = errors.New("journal message")

// AppendToRecord appends m to the value of a journal record, which holds messages to actors of one partition.
func AppendToRecord(b []byte, m *Message) []byte {
	return appendPart(b, 1, func(b []byte) []byte { return AppendMessage(b, m) })
}

// EachMessage calls each for the messages of a journal record, in the order in which they were appended, until it returns
// an error. A message is good until each returns, but what it points to can be kept: slices of record, which its owner
// must not change afterwards.
func EachMessage(record []byte, each func(*Message) error) error {
	if len(record) == 0 {
		return fmt.Errorf("%w: none in the record", ErrWire)
	}
	var m Message
	var wrong error // of the messages or of each; others are of the record
	err := fields(record, func(f field) error {
		if f.num != 1 {
			return nil
		}
		m = Message{}
		if wrong = m.decode(f.bytes); wrong == nil {
			wrong = each(&m)
		}
		return wrong
	})
	if err != nil && wrong == nil {
		err = fmt.Errorf("%w: %w", ErrWire, err)
	}
	return err
}

// AppendMessage appends the wire form of m to b.
func AppendMessage(b []byte, m *Message) []byte {
	b = appendUint(b, 1, uint64(m.Kind))
	b = appendString(b, 2, m.Conversion)
	b = appendRef(b, 3, m.To)
	b = appendRef(b, 4, m.From)
	b = appendUint(b, 5, uint64(m.Time))
	b = appendUint(b, 6, uint64(m.Last))
	b = appendIDs(b, 7, m.IDs)
	b = appendUint(b, 8, uint64(m.Index))
	b = appendUint(b, 9, protowire.EncodeZigZag(int64(m.Tried)))
	b = appendBool(b, 10, m.Gone)
	b = appendID(b, 11, m.Origin)
	b = appendUint(b, 12, uint64(m.Cause))
	b = appendBool(b, 13, m.Fresh)
	if m.Statement != nil {
		b = appendPart(b, 14, func(b []byte) []byte { return AppendStatement(b, m.Statement) })
	}
	if m.Fact != nil {
		b = appendPart(b, 15, func(b []byte) []byte { return AppendFact(b, m.Fact) })
	}
	if m.Held != nil {
		b = appendPart(b, 16, func(b []byte) []byte { return AppendHeld(b, m.Held) })
	}
	for i := range m.Facts {
		b = appendPart(b, 17, func(b []byte) []byte { return AppendFact(b, &m.Facts[i]) })
	}
	for i := range m.Helds {
		b = appendPart(b, 18, func(b []byte) []byte { return AppendHeld(b, &m.Helds[i]) })
	}
	for _, r := range m.Members {
		b = appendPart(b, 19, func(b []byte) []byte { return appendRefFields(b, r) })
	}
	b = appendRef(b, 20, m.Absorbed)
	return appendString(b, 21, m.Request)
}

// DecodeMessage reads one message. The result keeps slices of b: its owner must not change b afterwards.
func DecodeMessage(b []byte) (m Message, err error) {
	if err := m.decode(b); err != nil {
		return Message{}, err
	}
	return m, nil
}

// decode reads a message into the zero Message.
func (m *Message) decode(b []byte) error {
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			m.Kind = Kind(f.uint)
		case 2:
			m.Conversion = string(f.bytes)
		case 3:
			return f.ref(&m.To)
		case 4:
			return f.ref(&m.From)
		case 5:
			m.Time = schemas.Millis(f.uint)
		case 6:
			m.Last = schemas.Millis(f.uint)
		case 7:
			return f.ids(&m.IDs)
		case 8:
			m.Index = int(f.uint)
		case 9:
			m.Tried = int(protowire.DecodeZigZag(f.uint))
		case 10:
			m.Gone = f.uint != 0
		case 11:
			return f.id(&m.Origin)
		case 12:
			m.Cause = Cause(f.uint)
		case 13:
			m.Fresh = f.uint != 0
		case 14:
			st, err := DecodeStatement(f.bytes)
			m.Statement = &st
			return err
		case 15:
			fact, err := DecodeFact(f.bytes)
			m.Fact = &fact
			return err
		case 16:
			held, err := DecodeHeld(f.bytes)
			m.Held = &held
			return err
		case 17:
			fact, err := DecodeFact(f.bytes)
			m.Facts = append(m.Facts, fact)
			return err
		case 18:
			held, err := DecodeHeld(f.bytes)
			m.Helds = append(m.Helds, held)
			return err
		case 19:
			var r Ref
			err := f.ref(&r)
			m.Members = append(m.Members, r)
			return err
		case 20:
			return f.ref(&m.Absorbed)
		case 21:
			m.Request = string(f.bytes)
		}
		return nil
	})
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWire, err)
	}
	return nil
}

// check refuses messages that a step could not handle.
func (m *Message) check() error {
	switch {
	case m.Kind < KindConversion || m.Kind > KindLeave:
		return fmt.Errorf("unknown kind %d", m.Kind)
	case m.ToConversion() && m.Conversion == "":
		return fmt.Errorf("%v without a conversion", m.Kind)
	case !m.ToConversion() && m.To.ID == None:
		return fmt.Errorf("%v without an identifier", m.Kind)
	case m.Kind == KindConversion && m.Statement == nil:
		return fmt.Errorf("%v without a statement", m.Kind)
	case m.Kind == KindKeep && m.Fact == nil:
		return fmt.Errorf("%v without a touch", m.Kind)
	case m.Kind == KindLeave && len(m.Members) != 1:
		return fmt.Errorf("%v of %d members", m.Kind, len(m.Members))
	case m.Kind == KindHome && m.Held == nil:
		return fmt.Errorf("%v without a token", m.Kind)
	case m.Kind == KindEvent && (m.Index < 0 || m.Index >= len(m.IDs) || m.IDs[m.Index] != m.To.ID):
		return fmt.Errorf("%v with a wrong index", m.Kind)
	}
	for i := range m.Facts {
		if len(m.Facts[i].IDs) == 0 {
			return errors.New("fact without identifiers")
		}
	}
	return nil
}

// AppendFact appends the wire form of a Fact.
func AppendFact(b []byte, f *Fact) []byte {
	if f.Event != (EventKey{}) {
		b = appendBytes(b, 1, f.Event[:])
	}
	b = appendUint(b, 2, uint64(f.At))
	b = appendIDs(b, 3, f.IDs)
	b = appendID(b, 4, f.Home)
	b = appendBytes(b, 5, f.Body)
	return appendBool(b, 6, f.Standing)
}

// DecodeFact reads a Fact; it keeps slices of b.
func DecodeFact(b []byte) (Fact, error) {
	var out Fact
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			if len(f.bytes) != len(out.Event) {
				return errors.New("event key of a wrong length")
			}
			out.Event = EventKey(f.bytes)
		case 2:
			out.At = schemas.Millis(f.uint)
		case 3:
			return f.ids(&out.IDs)
		case 4:
			return f.id(&out.Home)
		case 5:
			out.Body = f.bytes
		case 6:
			out.Standing = f.uint != 0
		}
		return nil
	})
	return out, err
}

// AppendHeld appends the wire form of a Held.
func AppendHeld(b []byte, h *Held) []byte {
	b = appendString(b, 1, h.Conversion)
	b = appendPart(b, 2, func(b []byte) []byte { return AppendTerms(b, &h.Terms) })
	b = appendBool(b, 3, h.Custody)
	b = appendID(b, 4, h.Home)
	b = appendUint(b, 5, uint64(h.Revision))
	if h.Digest != 0 {
		b = protowire.AppendTag(b, 6, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, h.Digest)
	}
	return appendBool(b, 7, h.Final)
}

// DecodeHeld reads a Held.
func DecodeHeld(b []byte) (Held, error) {
	var h Held
	err := fields(b, func(f field) (err error) {
		switch f.num {
		case 1:
			h.Conversion = string(f.bytes)
		case 2:
			h.Terms, err = DecodeTerms(f.bytes)
		case 3:
			h.Custody = f.uint != 0
		case 4:
			err = f.id(&h.Home)
		case 5:
			h.Revision = uint32(f.uint)
		case 6:
			h.Digest = f.uint
		case 7:
			h.Final = f.uint != 0
		}
		return err
	})
	return h, err
}

// AppendTerms appends the wire form of Terms.
func AppendTerms(b []byte, t *Terms) []byte {
	b = appendUint(b, 1, uint64(t.Version))
	b = appendBool(b, 2, t.Erased)
	b = appendUint(b, 3, uint64(t.Since))
	b = appendString(b, 4, t.EventID)
	b = appendString(b, 5, t.Name)
	b = appendUint(b, 6, uint64(t.At))
	b = appendMoney(b, 7, t.Value)
	return appendUint(b, 8, uint64(t.NetMinor))
}

// DecodeTerms reads Terms.
func DecodeTerms(b []byte) (Terms, error) {
	var t Terms
	err := fields(b, func(f field) (err error) {
		switch f.num {
		case 1:
			t.Version = uint32(f.uint)
		case 2:
			t.Erased = f.uint != 0
		case 3:
			t.Since = schemas.Millis(f.uint)
		case 4:
			t.EventID = string(f.bytes)
		case 5:
			t.Name = string(f.bytes)
		case 6:
			t.At = schemas.Millis(f.uint)
		case 7:
			t.Value, err = decodeMoney(f.bytes)
		case 8:
			t.NetMinor = int64(f.uint)
		}
		return err
	})
	return t, err
}

// AppendStatement appends the wire form of a Statement. It is canonical: equal statements have equal bytes.
func AppendStatement(b []byte, s *Statement) []byte {
	b = appendString(b, 1, s.EventID)
	b = appendBool(b, 2, s.Refund)
	b = appendUint(b, 3, uint64(s.At))
	b = appendString(b, 4, s.Name)
	return appendMoney(b, 5, s.Amount)
}

// DecodeStatement reads a Statement.
func DecodeStatement(b []byte) (Statement, error) {
	var s Statement
	err := fields(b, func(f field) (err error) {
		switch f.num {
		case 1:
			s.EventID = string(f.bytes)
		case 2:
			s.Refund = f.uint != 0
		case 3:
			s.At = schemas.Millis(f.uint)
		case 4:
			s.Name = string(f.bytes)
		case 5:
			s.Amount, err = decodeMoney(f.bytes)
		}
		return err
	})
	return s, err
}

func appendMoney(b []byte, num protowire.Number, m schemas.Money) []byte {
	if m == (schemas.Money{}) {
		return b
	}
	return appendPart(b, num, func(b []byte) []byte {
		return appendString(appendUint(b, 1, uint64(m.Minor)), 2, m.Currency)
	})
}

func decodeMoney(b []byte) (schemas.Money, error) {
	var m schemas.Money
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			m.Minor = int64(f.uint)
		case 2:
			m.Currency = string(f.bytes)
		}
		return nil
	})
	return m, err
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendBool(b []byte, num protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return appendUint(b, num, 1)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendID(b []byte, num protowire.Number, id ID) []byte {
	if id == None {
		return b
	}
	return appendBytes(b, num, id[:])
}

func appendIDs(b []byte, num protowire.Number, ids []ID) []byte {
	if len(ids) == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(ids)*len(None)))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

func appendRef(b []byte, num protowire.Number, r Ref) []byte {
	if r == (Ref{}) {
		return b
	}
	return appendPart(b, num, func(b []byte) []byte { return appendRefFields(b, r) })
}

func appendRefFields(b []byte, r Ref) []byte {
	return appendUint(appendID(b, 1, r.ID), 2, uint64(r.Gen))
}

// appendPart appends an embedded message: its length is known only afterwards, so the bytes are moved up by the few that
// the length takes.
func appendPart(b []byte, num protowire.Number, body func([]byte) []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	start := len(b)
	b = body(b)
	size := len(b) - start
	var length [10]byte
	n := len(protowire.AppendVarint(length[:0], uint64(size)))
	b = append(b, length[:n]...)
	copy(b[start+n:], b[start:start+size])
	copy(b[start:], protowire.AppendVarint(length[:0], uint64(size)))
	return b
}

// field is one decoded field: uint holds varints and fixed numbers, bytes the others.
type field struct {
	num   protowire.Number
	uint  uint64
	bytes []byte
}

func (f field) id(out *ID) error {
	if len(f.bytes) != len(out) {
		return fmt.Errorf("field %d: pseudonym of %d bytes", f.num, len(f.bytes))
	}
	*out = ID(f.bytes)
	return nil
}

func (f field) ids(out *[]ID) error {
	if len(f.bytes)%len(None) != 0 {
		return fmt.Errorf("field %d: pseudonyms of %d bytes", f.num, len(f.bytes))
	}
	ids := make([]ID, len(f.bytes)/len(None))
	for i := range ids {
		ids[i] = ID(f.bytes[i*len(None):])
	}
	*out = ids
	return nil
}

func (f field) ref(out *Ref) error {
	return fields(f.bytes, func(g field) error {
		switch g.num {
		case 1:
			return g.id(&out.ID)
		case 2:
			out.Gen = uint32(g.uint)
		}
		return nil
	})
}

// fields calls each for every field of an encoded message, in order. Unknown fields reach each as well: it ignores them.
func fields(b []byte, each func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{num: num}
		switch typ {
		case protowire.VarintType:
			f.uint, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.uint, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			f.bytes = f.bytes[:len(f.bytes):len(f.bytes)]
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}
