package lane

import (
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transaction is what the lane knows of the open one. The client's goroutines report into it by acked.
type transaction struct {
	deadline time.Time // when to commit
	records  int       // consumed
	produced int
	bytes    int // consumed and produced
	held     map[int32]struct{}
	fence    bool // commit the offsets of all partitions, also of those that nothing was consumed of

	mu   sync.Mutex
	err  error           // the first record that didn't reach the log
	next map[int32]int64 // changelog partition → offset after the last record written
}

func newTransaction(deadline time.Time) *transaction {
	return &transaction{deadline: deadline, held: map[int32]struct{}{}, next: map[int32]int64{}}
}

// acked is the promise of every produced record. The client commits whatever succeeded, so one error must abort all.
func (t *transaction) acked(changelog string) func(*kgo.Record, error) {
	return func(record *kgo.Record, err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case err != nil && t.err == nil:
			t.err = fmt.Errorf("produce to %s: %w", record.Topic, err)
		case err == nil && record.Topic == changelog:
			t.next[record.Partition] = max(t.next[record.Partition], record.Offset+1)
		}
	}
}

func (t *transaction) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// wrote is the offset after the last record that this transaction has written to a partition of the changelog, 0 if none.
func (t *transaction) wrote(partition int32) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next[partition]
}

// positions are where the changelog stands after this transaction. Call it after all records were acked.
func (t *transaction) positions(topic [16]byte, now time.Time) map[int32]Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	positions := make(map[int32]Position, len(t.next))
	for partition, next := range t.next {
		positions[partition] = Position{Topic: topic, Next: next, At: now.UnixMilli()}
	}
	return positions
}

// size is roughly what a record occupies in memory: its bytes and its struct.
func size(record *kgo.Record) int {
	bytes := 200 + len(record.Key) + len(record.Value)
	for _, header := range record.Headers {
		bytes += len(header.Key) + len(header.Value)
	}
	return bytes
}
