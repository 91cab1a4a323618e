package watermark

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tributary/schemas"
)

// Table is what an application knows of time, for people to read. It is made of rows: those of the clock and those of every
// partition of the journal.
type Table struct {
	Sources    []SourceTimes // by topic and partition
	Partitions []Times       // of the journal, by number
}

// SourceTimes is what the clock knows of a source partition.
type SourceTimes struct {
	Topic     string
	Partition int32
	Watermark schemas.Millis // 0: no event yet
	Idle      bool
	Behind    time.Duration // the newest watermark of all; 0 if there is no event yet
}

// TableOf reads the rows of the journal's partitions, of which the number is that of the slice.
func TableOf(partitions []Rows) (t Table, err error) {
	for number, rows := range partitions {
		times, err := TimesOf(rows)
		if err != nil {
			return t, fmt.Errorf("partition %d: %w", number, err)
		}
		t.Partitions = append(t.Partitions, times)
	}
	if len(partitions) == 0 {
		return t, nil
	}
	var newest schemas.Millis
	err = eachSource(partitions[ClockPartition], func(p place, s source) {
		newest = max(newest, s.watermark)
		t.Sources = append(t.Sources, SourceTimes{Topic: p.topic, Partition: p.partition, Watermark: s.watermark, Idle: s.idle})
	})
	for i := range t.Sources {
		if s := &t.Sources[i]; s.Watermark > 0 {
			s.Behind = Source{Watermark: newest}.Age(s.Watermark)
		}
	}
	slices.SortFunc(t.Sources, func(a, b SourceTimes) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return t, err
}

// RowMap is rows in memory. The zero value can be read; make one to write to it.
type RowMap map[string]string

// Get returns the value of a row.
func (m RowMap) Get(key []byte) ([]byte, bool) {
	value, ok := m[string(key)]
	return []byte(value), ok
}

// Put writes a row.
func (m RowMap) Put(key, value []byte) { m[string(key)] = string(value) }

// Each calls yield for the rows whose key begins with prefix, ascending, until it returns false.
func (m RowMap) Each(prefix []byte, yield func(key, value []byte) bool) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, string(prefix)) && !yield([]byte(key), []byte(m[key])) {
			return
		}
	}
}
