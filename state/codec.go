package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tributary/identity"
	"tributary/schemas"
)

// ErrFormat is the root of all errors about bytes that this release cannot read: damage, or a store or changelog written
// by another release.
var ErrFormat = errors.New("state format")

// FormatError says which kind of row could not be read. It unwraps to ErrFormat and holds nothing of the row.
type FormatError struct {
	Kind    Kind
	Version uint8 // first byte of the value; 0: there was none, or the key is meant
	Detail  string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%v: %v row, version %d: %s", ErrFormat, e.Kind, e.Version, e.Detail)
}

// Unwrap returns ErrFormat.
func (e *FormatError) Unwrap() error { return ErrFormat }

// reader reads the fields of one value. After the first fault every field is zero; end returns the fault. There is one
// encoding of each value: what end accepts encodes to the same bytes again.
type reader struct {
	b       []byte
	kind    Kind
	version uint8
	fault   string
}

// read begins a value and looks at its version.
func read(k Kind, value []byte, version uint8) reader {
	r := reader{b: value, kind: k}
	r.version = r.byte()
	if r.fault == "" && r.version != version {
		r.fail("not a version of this release")
	}
	return r
}

func (r *reader) fail(fault string) {
	if r.fault == "" {
		r.fault = fault
	}
	r.b = nil
}

// end is nil if the value was read to its end without a fault.
func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail("bytes left over")
	}
	if r.fault == "" {
		return nil
	}
	return &FormatError{Kind: r.kind, Version: r.version, Detail: r.fault}
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("too short")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// flags reads a byte of which only the bits of all may be set.
func (r *reader) flags(all byte) byte {
	f := r.byte()
	if f&^all != 0 {
		r.fail("unknown flags")
		return 0
	}
	return f
}

func (r *reader) uint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		c := r.b[0]
		r.b = r.b[1:]
		return uint64(c)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.b[n-1] == 0 {
		r.fail("not a number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint32() uint32 {
	v := r.uint()
	if v > math.MaxUint32 {
		r.fail("number too large")
		return 0
	}
	return uint32(v)
}

func (r *reader) int() int64 {
	v := r.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) time() schemas.Millis { return schemas.Millis(r.int()) }

// there reads a time that is written only if it is not 0.
func (r *reader) there() schemas.Millis {
	t := r.time()
	if t == 0 && r.fault == "" {
		r.fail("a zero that should be left out")
	}
	return t
}

// bytes reads n bytes, which stay part of the value.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("too short")
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) string() string { return string(r.bytes(r.uint())) }

func (r *reader) id() (id identity.ID) {
	copy(id[:], r.bytes(idBytes))
	return id
}

func (r *reader) ids(n uint64) []identity.ID {
	if n > uint64(len(r.b)/idBytes) {
		r.fail("too short")
		return nil
	}
	if n == 0 {
		return nil
	}
	ids := make([]identity.ID, n)
	for i := range ids {
		ids[i] = identity.ID(r.b[idBytes*i:])
	}
	r.b = r.b[idBytes*n:]
	return ids
}

func (r *reader) money() schemas.Money { return schemas.Money{Minor: r.int(), Currency: r.string()} }

// rest reads all that is left; nil if nothing is.
func (r *reader) rest() []byte {
	if len(r.b) == 0 {
		return nil
	}
	b := r.b
	r.b = nil
	return b[:len(b):len(b)]
}

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func appendInt(b []byte, v int64) []byte { return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63)) }

func appendMillis(b []byte, t schemas.Millis) []byte { return appendInt(b, int64(t)) }

func appendString(b []byte, s string) []byte { return append(appendUint(b, uint64(len(s))), s...) }

func appendIDs(b []byte, ids []identity.ID) []byte {
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

func appendMoney(b []byte, m schemas.Money) []byte {
	return appendString(appendInt(b, m.Minor), m.Currency)
}

// flag is bit if set, else 0.
func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}
