package roles

import (
	"encoding/binary"
	"errors"
	"time"

	"tributary/schemas"
)

// append writes the header's form: watermark and partition, both big-endian, then the topic.
func (s sourceWatermark) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(s.watermark))
	b = binary.BigEndian.AppendUint32(b, uint32(s.partition))
	return append(b, s.topic...)
}

func parseSourceWatermark(b []byte) (s sourceWatermark, err error) {
	if len(b) < 12 {
		return s, errors.New("watermark header too short")
	}
	s.watermark = schemas.Millis(binary.BigEndian.Uint64(b))
	s.partition = int32(binary.BigEndian.Uint32(b[8:]))
	s.topic = string(b[12:])
	return s, nil
}

// sources tracks the newest event time of source partitions.
type sources struct {
	outOfOrderness time.Duration
	newest         map[source]schemas.Millis
}

type source struct {
	topic     string
	partition int32
}

// see notes an event and returns the partition's watermark: the newest event time less the disorder that is usual.
func (s *sources) see(from source, at schemas.Millis) schemas.Millis {
	if s.newest == nil {
		s.newest = make(map[source]schemas.Millis)
	}
	if at > s.newest[from] {
		s.newest[from] = at
	}
	return s.newest[from].Add(-s.outOfOrderness)
}

// clocks are the watermarks that journal partitions have heard of.
type clocks struct {
	heard map[int32]map[source]schemas.Millis
}

func (c *clocks) hear(partition int32, s sourceWatermark) {
	if c.heard == nil {
		c.heard = make(map[int32]map[source]schemas.Millis)
	}
	if c.heard[partition] == nil {
		c.heard[partition] = make(map[source]schemas.Millis)
	}
	from := source{s.topic, s.partition}
	c.heard[partition][from] = max(c.heard[partition][from], s.watermark)
}

// watermark is the minimum over the sources heard of; 0 if none was.
func (c *clocks) watermark(partition int32) (w schemas.Millis) {
	for _, m := range c.heard[partition] {
		if w == 0 || m < w {
			w = m
		}
	}
	return w
}

func (c *clocks) forget(partition int32) { delete(c.heard, partition) }
