package watermark

import (
	"fmt"
	"math/bits"

	"tributary/schemas"
)

// ClockPartition is the partition of the journal that the clock lives in.
const ClockPartition = 0

// step is how far the watermark moves at least from one cycle to the next: time enough for a cycle to end.
const step schemas.Millis = 1000

// Clock says how messages about time are handled. Its state is in rows: those of the partition that a message went to.
type Clock struct {
	Topics     []string // the sources; the clock waits for every partition of each
	Partitions int      // of the journal
}

// Send takes a message to a partition of the journal.
type Send func(partition int32, m Message)

// Handle takes a message to a partition of the journal and returns the partition's times. Messages come in the order of their
// offsets; what is sent is part of the same transaction.
func (c *Clock) Handle(rows Rows, partition int32, m *Message, send Send) (Times, error) {
	times, err := TimesOf(rows)
	switch {
	case err != nil:
		return times, err
	case m.Kind == Round:
		return c.round(rows, times, partition, m, send), nil
	case partition != ClockPartition:
		return times, fmt.Errorf("%w: a %v in partition %d", ErrWire, m.Kind, partition)
	case m.Kind == Heard:
		return times, c.heard(rows, m, send)
	}
	source{watermark: m.Watermark, idle: m.Idle, partitions: m.Partitions}.put(rows, place{m.Topic, m.Partition})
	return times, nil
}

// round is what a partition does when the clock says a time: it has by now handled everything that was sent to it before.
func (c *Clock) round(rows Rows, times Times, partition int32, m *Message, send Send) Times {
	before := times
	times.Watermark = max(times.Watermark, m.Watermark)
	if m.Round == LastRound {
		times.Settled = max(times.Settled, m.Watermark)
	} else {
		send(ClockPartition, Message{Kind: Heard, Watermark: m.Watermark, Round: m.Round, Partition: partition})
	}
	if times != before {
		times.put(rows)
	}
	return times
}

// heard begins the next round when every partition has answered. Answers to another round than this are old.
func (c *Clock) heard(rows Rows, m *Message, send Send) error {
	now, err := cycleOf(rows)
	if err != nil || now.round == LastRound || m.Watermark != now.watermark || m.Round != now.round {
		return err
	}
	if int(m.Partition) >= c.Partitions || len(now.heard) != c.bytes() {
		return fmt.Errorf("%w: partition %d of %d answers: was the number of partitions changed?", ErrWire, m.Partition, c.Partitions)
	}
	now.heard[m.Partition/8] |= 1 << (m.Partition % 8)
	if ones(now.heard) == c.Partitions {
		c.broadcast(&now, now.round+1, send)
	}
	now.put(rows)
	return nil
}

// bytes is how many hold a bit for every partition.
func (c *Clock) bytes() int { return (c.Partitions + 7) / 8 }

func ones(set []byte) (n int) {
	for _, b := range set {
		n += bits.OnesCount8(b)
	}
	return n
}

// broadcast begins a round, for which nobody has answered yet. To the last one nobody does.
func (c *Clock) broadcast(now *cycle, round uint8, send Send) {
	now.round, now.heard = round, nil
	if round < LastRound {
		now.heard = make([]byte, c.bytes())
	}
	for partition := range int32(c.Partitions) {
		send(partition, Message{Kind: Round, Watermark: now.watermark, Round: round})
	}
}

// Start begins the next cycle if none is under way and the watermark has moved. Call it with the rows of the clock's partition
// at the end of a transaction that handled messages to the clock.
func (c *Clock) Start(rows Rows, send Send) error {
	now, err := cycleOf(rows)
	if err != nil || now.round < LastRound {
		return err
	}
	watermark, idle, err := c.watermark(rows)
	if err != nil || watermark < now.watermark+step && !(idle && watermark > now.watermark) {
		return err
	}
	now.watermark = watermark
	c.broadcast(&now, 0, send)
	now.put(rows)
	return nil
}

// watermark is that of all sources: the smallest of those that aren't idle. If all are, it is the largest, since nothing is
// left anywhere. It is 0 until every partition of every source was heard of.
func (c *Clock) watermark(rows Rows) (watermark schemas.Millis, idle bool, err error) {
	var lowest, highest schemas.Millis
	busy := 0
	known, wanted := map[string]int32{}, map[string]int32{}
	for _, topic := range c.Topics {
		wanted[topic] = 1
	}
	err = eachSource(rows, func(p place, s source) {
		if wanted[p.topic] == 0 {
			return // no source any more
		}
		known[p.topic]++
		wanted[p.topic] = max(wanted[p.topic], s.partitions)
		highest = max(highest, s.watermark)
		if s.idle {
			return
		}
		if busy == 0 || s.watermark < lowest {
			lowest = s.watermark
		}
		busy++
	})
	for topic, n := range wanted {
		if known[topic] < n {
			return 0, false, err
		}
	}
	if busy > 0 {
		return lowest, false, err
	}
	return highest, true, err
}
