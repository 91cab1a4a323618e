package state

import (
	"encoding/binary"
	"fmt"

	"tributary/identity"
	"tributary/schemas"
)

// Kind is the kind of a row: the first byte of its key behind the partition. The numbers are those of the changelog and
// never change.
type Kind uint8

// Kinds of rows. FORMAT.md has their keys and values. To add one: a number here, a line in kinds, a codec, a page.
const (
	KindNode       Kind = 0x01 // id
	KindNeighbour  Kind = 0x02 // id, neighbour's id
	KindSeen       Kind = 0x03 // id, hash of a list of identifiers
	KindMember     Kind = 0x04 // root, member's id
	KindFact       Kind = 0x05 // root, time, event, copy
	KindHeld       Kind = 0x06 // root, conversion key
	KindConversion Kind = 0x07 // conversion key
	KindStatement  Kind = 0x08 // conversion key, event
	KindStanding   Kind = 0x09 // root, time, event, copy: a fact that holds from its time on
	KindKept       Kind = 0x0A // id, time, event, copy: a touch that a shared identifier keeps
	KindLedger     Kind = 0x0F // no key: how events ended in the partition

	// Plain rows: their owner chooses key and value.
	KindWatermark  Kind = 0x10 // a source partition's watermark
	KindTimer      Kind = 0x11 // what is due, ordered by time
	KindSweep      Kind = 0x12 // how far the search for what is old has come
	KindGeneration Kind = 0x13 // with which identifiers without a node begin

	// Local rows are not in the changelog. They are made again from the others.
	kindPosition Kind = 0x00 // no key: where in the changelog the rows are
	kindEvent    Kind = 0xF0 // root, event: times and copies of the facts of one event
	kindConflict Kind = 0xF1 // root, event: the event has more than one fact
)

// kind describes one kind of row.
type kind struct {
	name  string
	key   int  // bytes of the key behind the kind; for plain rows the largest number
	local bool // not in the changelog
	plain bool // the value is opaque here
	alone bool // never read by range: there is one row an actor
	check func(value []byte) error
}

// MaxPlainKey is the largest key of a plain row in bytes.
const MaxPlainKey = 1024

var kinds = [256]kind{
	kindPosition:   {name: "position", key: 0, local: true, alone: true, check: checkOf(decodePosition)},
	KindNode:       {name: "node", key: idBytes, alone: true, check: checkOf(decodeNode)},
	KindNeighbour:  {name: "neighbour", key: 2 * idBytes, check: checkOf(decodeNeighbour)},
	KindSeen:       {name: "seen", key: idBytes + 8, check: checkOf(decodeSeen)},
	KindMember:     {name: "member", key: 2 * idBytes, check: checkOf(decodeMember)},
	KindFact:       {name: "fact", key: idBytes + factKeyBytes, check: checkFact(KindFact)},
	KindStanding:   {name: "standing", key: idBytes + factKeyBytes, check: checkFact(KindStanding)},
	KindKept:       {name: "kept", key: idBytes + factKeyBytes, check: checkFact(KindKept)},
	KindHeld:       {name: "held", key: 2 * idBytes, check: checkOf(decodeHeld)},
	KindConversion: {name: "conversion", key: idBytes, alone: true, check: checkOf(decodeConversion)},
	KindStatement:  {name: "statement", key: idBytes + eventBytes, check: checkOf(decodeStatement)},
	KindLedger:     {name: "ledger", key: 0, alone: true, check: checkOf(decodeLedger)},
	KindWatermark:  {name: "watermark", key: MaxPlainKey, plain: true, check: checkPlain(KindWatermark)},
	KindTimer:      {name: "timer", key: MaxPlainKey, plain: true, check: checkPlain(KindTimer)},
	KindSweep:      {name: "sweep", key: 1, plain: true, check: checkPlain(KindSweep)},
	KindGeneration: {name: "generation", key: 0, plain: true, check: checkPlain(KindGeneration)},
	kindEvent:      {name: "event", key: idBytes + eventBytes, local: true, alone: true, check: checkOf(decodeCopies)},
	kindConflict:   {name: "conflict", key: idBytes + eventBytes, local: true, check: checkOf(decodeConflict)},
}

func checkOf[T any](decode func([]byte) (T, error)) func([]byte) error {
	return func(value []byte) error {
		_, err := decode(value)
		return err
	}
}

func checkFact(k Kind) func([]byte) error {
	return func(value []byte) error {
		_, err := decodeFact(k, value)
		return err
	}
}

func checkPlain(k Kind) func([]byte) error {
	return func(value []byte) error {
		_, err := decodePlain(k, value)
		return err
	}
}

// String is the kind's name, or its number if it has none.
func (k Kind) String() string {
	if name := kinds[k].name; name != "" {
		return name
	}
	return fmt.Sprintf("kind 0x%02x", uint8(k))
}

const (
	idBytes        = 16
	eventBytes     = 12
	partitionBytes = 2
	headBytes      = partitionBytes + 1 + idBytes     // partition, kind and actor: what rows read by range have in common
	factKeyBytes   = 8 + eventBytes + 8               // time, event, copy
	maxKeyBytes    = headBytes + idBytes + eventBytes // of rows that are not plain
	maxPartition   = 1<<16 - 2                        // the last one is the store's own
)

// head is what the keys of an actor's rows of one kind begin with. Plain rows have no actor; its place is zero.
type head [headBytes]byte

// appendHead appends what every key begins with.
func appendHead(b []byte, partition int32, k Kind) []byte {
	return append(b, byte(partition>>8), byte(partition), byte(k))
}

// appendTime appends t so that the order of bytes is the order of times: big-endian with the sign bit turned.
func appendTime(b []byte, t schemas.Millis) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t)^1<<63)
}

func timeOf(b []byte) schemas.Millis { return schemas.Millis(binary.BigEndian.Uint64(b) ^ 1<<63) }

// factPlace is what a fact's key says behind its root.
func factPlace(key []byte) (at schemas.Millis, event identity.EventKey, copy uint64) {
	key = key[headBytes:]
	return timeOf(key), identity.EventKey(key[8:20]), binary.BigEndian.Uint64(key[20:])
}

// after is the smallest key above all that begin with prefix; nil if there is none.
func after(prefix []byte) []byte {
	for n := len(prefix); n > 0; n-- {
		if c := prefix[n-1]; c != 0xFF {
			end := append([]byte(nil), prefix[:n]...)
			end[n-1] = c + 1
			return end
		}
	}
	return nil
}

// CheckEntry looks whether key and value, nil for a deletion, are a changelog entry that this release understands. Its
// errors are a *FormatError.
func CheckEntry(key, value []byte) error {
	if len(key) == 0 {
		return &FormatError{Detail: "no key"}
	}
	k := Kind(key[0])
	info := kinds[k]
	switch n := len(key) - 1; {
	case info.name == "" || info.local:
		return &FormatError{Kind: k, Detail: "not a kind of this release"}
	case info.plain && n <= info.key, n == info.key:
	default:
		return &FormatError{Kind: k, Detail: fmt.Sprintf("key of %d bytes", n)}
	}
	if value == nil {
		return nil
	}
	return info.check(value)
}
