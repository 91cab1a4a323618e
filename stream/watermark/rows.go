package watermark

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"tributary/schemas"
)

// Rows are the rows of one partition of the journal that belong to this package. Bytes are the receiver's until it returns.
type Rows interface {
	Get(key []byte) (value []byte, ok bool)
	Put(key, value []byte)
	// Each calls yield for the rows whose key begins with prefix, ascending, until it returns false. It must not write.
	Each(prefix []byte, yield func(key, value []byte) bool)
}

// ErrRow is the root of the errors about rows that can't be read.
var ErrRow = errors.New("row about time")

// Rows, by the first byte of their key.
const (
	rowTimes  = 'p' // of the partition itself
	rowCycle  = 'c' // of the clock: the cycle
	rowSource = 's' // of the clock: topic, 0, partition in 4 bytes
)

// Times are what a partition of the journal knows of time. Neither goes back.
type Times struct {
	Watermark schemas.Millis // everything that ingest sent of events up to here has been handled here; 0: not known
	Settled   schemas.Millis // so has everything that followed from it within LastRound hops, from all partitions; 0: not known
}

// TimesOf reads the times of a partition.
func TimesOf(rows Rows) (t Times, err error) {
	value, ok := rows.Get([]byte{rowTimes})
	if !ok {
		return t, nil
	}
	return decodeTimes(value)
}

func (t Times) put(rows Rows) {
	value := binary.AppendUvarint(nil, uint64(t.Watermark))
	rows.Put([]byte{rowTimes}, binary.AppendUvarint(value, uint64(t.Settled)))
}

func decodeTimes(value []byte) (Times, error) {
	r := reader{b: value}
	t := Times{Watermark: r.time(), Settled: r.time()}
	return t, rowError("times", r.end())
}

// place is a source partition.
type place struct {
	topic     string
	partition int32
}

// source is what the clock knows of a source partition.
type source struct {
	watermark  schemas.Millis
	idle       bool
	partitions int32 // of its topic
}

func sourceKey(p place) []byte {
	key := append([]byte{rowSource}, p.topic...)
	return binary.BigEndian.AppendUint32(append(key, 0), uint32(p.partition))
}

func (s source) put(rows Rows, p place) {
	value := append(binary.AppendUvarint(nil, uint64(s.watermark)), flag(s.idle))
	rows.Put(sourceKey(p), binary.AppendUvarint(value, uint64(s.partitions)))
}

func decodeSource(key, value []byte) (p place, s source, err error) {
	end := bytes.IndexByte(key, 0)
	if end < 1 || len(key) != end+5 {
		return p, s, rowError("source", errors.New("a key of another form"))
	}
	p = place{string(key[1:end]), int32(binary.BigEndian.Uint32(key[end+1:]))}
	r := reader{b: value}
	s = source{watermark: r.time(), idle: r.flag(), partitions: r.number()}
	return p, s, rowError("source", r.end())
}

// eachSource calls each for what the clock knows.
func eachSource(rows Rows, each func(place, source)) (err error) {
	rows.Each([]byte{rowSource}, func(key, value []byte) bool {
		var p place
		var s source
		if p, s, err = decodeSource(key, value); err == nil {
			each(p, s)
		}
		return err == nil
	})
	return err
}

// cycle is the clock's newest cycle.
type cycle struct {
	watermark schemas.Millis
	round     uint8 // LastRound: it is over
	heard     []byte
}

// cycleOf reads the newest cycle. Before the first one, it is one that is over.
func cycleOf(rows Rows) (cycle, error) {
	value, ok := rows.Get([]byte{rowCycle})
	if !ok {
		return cycle{round: LastRound}, nil
	}
	r := reader{b: value}
	c := cycle{watermark: r.time(), round: r.round()}
	c.heard = []byte(r.rest())
	return c, rowError("cycle", r.end())
}

func (c cycle) put(rows Rows) {
	value := append(binary.AppendUvarint(nil, uint64(c.watermark)), c.round)
	rows.Put([]byte{rowCycle}, append(value, c.heard...))
}

func rowError(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrRow, what, err)
}
