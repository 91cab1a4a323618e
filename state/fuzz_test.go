package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"tributary/identity"
)

// encodeAgain decodes a value of the kind and encodes what came out.
func encodeAgain(k Kind, value []byte) ([]byte, error) {
	switch k {
	case kindPosition:
		p, err := decodePosition(value)
		return appendPosition(nil, p), err
	case KindNode:
		n, err := decodeNode(value)
		return appendNode(nil, n), err
	case KindNeighbour:
		n, err := decodeNeighbour(value)
		return appendNeighbour(nil, n), err
	case KindSeen:
		_, err := decodeSeen(value)
		return appendSeen(nil), err
	case KindMember:
		gen, err := decodeMember(value)
		return appendMember(nil, gen), err
	case KindFact, KindStanding, KindKept:
		f, err := decodeFact(k, value)
		return appendFact(nil, f), err
	case KindHeld:
		h, err := decodeHeld(value)
		return appendHeld(nil, h), err
	case KindConversion:
		c, err := decodeConversion(value)
		return appendConversion(nil, c), err
	case KindStatement:
		s, err := decodeStatement(value)
		return appendStatement(nil, s), err
	case KindLedger:
		l, err := decodeLedger(value)
		return appendLedger(nil, l), err
	case kindEvent:
		copies, err := decodeCopies(value)
		return appendCopies(nil, copies), err
	case kindConflict:
		_, err := decodeConflict(value)
		return appendConflict(nil), err
	default:
		plain, err := decodePlain(k, value)
		return appendPlain(nil, plain), err
	}
}

// Bytes either decode and encode to the same bytes, or are a FormatError that names kind and version.
func FuzzValue(f *testing.F) {
	golden, err := os.ReadFile("testdata/rows-v1.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		fields := strings.Fields(line)
		key, _ := hex.DecodeString(fields[1])
		value, _ := hex.DecodeString(fields[2])
		f.Add(key[0], value)
	}
	f.Fuzz(func(t *testing.T, kind byte, value []byte) {
		k := Kind(kind)
		if kinds[k].name == "" {
			return
		}
		again, err := encodeAgain(k, value)
		if err == nil {
			if !bytes.Equal(again, value) {
				t.Fatalf("%v: %x became %x", k, value, again)
			}
			return
		}
		format, ok := err.(*FormatError)
		if !ok || format.Kind != k || len(value) > 0 && format.Version != value[0] || format.Detail == "" {
			t.Fatalf("%v: %x: %v", k, value, err)
		}
	})
}

// Any entry is refused or restored, and what was restored can be read in every way.
func FuzzRestore(f *testing.F) {
	node := append([]byte{byte(KindNode)}, make([]byte, idBytes)...)
	f.Add(node, appendNode(nil, identity.Node{Gen: 1}), false)
	fact := append([]byte{byte(KindFact)}, make([]byte, idBytes+factKeyBytes)...)
	f.Add(fact, appendFact(nil, click), false)
	f.Add(fact, []byte(nil), true)
	s, err := OpenMemory()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, key, value []byte, deleted bool) {
		if deleted {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		checked := CheckEntry(key, value)
		err := s.Restore(1, []Entry{{key, value}, {key, value}}, Position{Next: 1})
		if (checked == nil) != (err == nil) {
			t.Fatalf("%v, but %v", checked, err)
		}
		b := s.NewBatch()
		defer b.Close()
		readAll(b.Rows(1))
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
	})
}

// The key of a timer and the values of a sweep and a generation decode and encode to the same bytes, or are a FormatError.
func FuzzTimerAndSweep(f *testing.F) {
	f.Add(Timer{Due: 5, Kind: TimerFinal, Root: identity.ID{1}}.key())
	f.Add(appendSweep(nil, sweep{before: 5}))
	f.Add(appendSweep(nil, sweep{before: 5, next: []byte("next")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		timer, wrong := timerOf(b)
		if wrong == nil && !bytes.Equal(timer.key(), b) {
			t.Errorf("timer %x became %x", b, timer.key())
		}
		s, err := decodeSweep(b)
		if err == nil && !bytes.Equal(appendSweep(nil, s), b) {
			t.Errorf("sweep %x became %x", b, appendSweep(nil, s))
		}
		g, damaged := decodeGeneration(b)
		if damaged == nil && !bytes.Equal(appendUint(nil, uint64(g)), b) {
			t.Errorf("generation %x became %x", b, appendUint(nil, uint64(g)))
		}
		for _, err := range []error{wrong, err, damaged} {
			if _, ok := errors.AsType[*FormatError](err); err != nil && !ok {
				t.Errorf("%x: %v", b, err)
			}
		}
	})
}
