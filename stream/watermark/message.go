package watermark

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tributary/schemas"
)

// Kind is the kind of a message about time. The numbers are those of the wire and never change.
type Kind uint8

// Kinds of messages.
const (
	Tick  Kind = 1 // ingest to the clock: where a source partition is
	Round Kind = 2 // the clock to every partition of the journal
	Heard Kind = 3 // a partition of the journal to the clock: everything before that round was handled
)

var kinds = map[Kind]string{Tick: "tick", Round: "round", Heard: "heard"}

// String is the kind's name.
func (k Kind) String() string { return kinds[k] }

// LastRound is the round in which partitions set their settled time. A message on its way when round 0 began is handled by
// then if it and what follows from it need at most so many hops between partitions.
const LastRound = 8

// Message is a record of the journal that is about time and for nobody's journey.
type Message struct {
	Kind      Kind
	Watermark schemas.Millis

	Topic      string // Tick: of the source
	Partition  int32  // Tick: of the source; Heard: of the journal, which answers
	Partitions int32  // Tick: how many the topic has
	Idle       bool   // Tick: nothing comes and nothing is left to read

	Round uint8 // Round, Heard: 0 to LastRound
}

// mark is the first byte of a message about time. No other message of the journal begins with it: they are protobuf, which has
// no field 0.
const mark = 0

// ErrWire is the root of every decoding error.
var ErrWire = errors.New("message about time")

// Is reports whether the value of a journal record is a message about time.
func Is(value []byte) bool { return len(value) > 0 && value[0] == mark }

// Append appends the wire form of m, which README.md describes.
func (m *Message) Append(b []byte) []byte {
	b = append(b, mark, byte(m.Kind))
	b = binary.AppendUvarint(b, uint64(m.Watermark))
	switch m.Kind {
	case Tick:
		b = binary.AppendUvarint(b, uint64(m.Partition))
		b = binary.AppendUvarint(b, uint64(m.Partitions))
		b = append(b, flag(m.Idle))
		b = append(b, m.Topic...)
	case Round:
		b = append(b, m.Round)
	case Heard:
		b = append(b, m.Round)
		b = binary.AppendUvarint(b, uint64(m.Partition))
	}
	return b
}

// Decode reads a message.
func Decode(value []byte) (m Message, err error) {
	if !Is(value) || len(value) < 2 {
		return m, fmt.Errorf("%w: not one", ErrWire)
	}
	m.Kind = Kind(value[1])
	r := reader{b: value[2:]}
	m.Watermark = r.time()
	switch m.Kind {
	case Tick:
		m.Partition, m.Partitions, m.Idle, m.Topic = r.number(), r.number(), r.flag(), r.rest()
	case Round:
		m.Round = r.round()
	case Heard:
		m.Round, m.Partition = r.round(), r.number()
	default:
		return m, fmt.Errorf("%w: kind %d is not of this release", ErrWire, m.Kind)
	}
	if err := r.end(); err != nil {
		return Message{}, fmt.Errorf("%w: %v: %w", ErrWire, m.Kind, err)
	}
	return m, nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// reader takes values off bytes. After its first error all values are zero.
type reader struct {
	b   []byte
	err error
}

var (
	errShort = errors.New("too short")
	errRange = errors.New("a number out of its range")
	errLong  = errors.New("bytes left over")
)

func (r *reader) uint(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	switch {
	case r.err != nil:
		return 0
	case n <= 0:
		r.err = errShort
		return 0
	case v > most || n > 1 && r.b[n-1] == 0: // too large, or longer than needed
		r.err = errRange
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) time() schemas.Millis { return schemas.Millis(r.uint(uint64(schemas.MaxMillis))) }
func (r *reader) number() int32        { return int32(r.uint(1<<31 - 1)) }
func (r *reader) round() uint8         { return uint8(r.uint(LastRound)) }
func (r *reader) flag() bool           { return r.uint(1) == 1 }

func (r *reader) rest() string {
	rest := string(r.b)
	r.b = nil
	return rest
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		return errLong
	}
	return r.err
}
