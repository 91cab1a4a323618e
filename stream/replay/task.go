package replay

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/stream/lane"
	"tributary/stream/roles"
)

// task copies records of the stretch.
type task struct {
	config *Config
	topic  string // that takes them
	spans  map[int32]span
	finish func() // everything is copied

	at, committed    map[int32]int64 // first offset not passed, by partition
	copied, skipped  int64           // by committed transactions
	copying, leaving int64           // by the open one
	next             time.Time       // when the rate allows the next record
}

func newTask(c *Config, spans map[int32]span, from map[int32]int64, finish func()) *task {
	t := &task{config: c, topic: c.Settings.ReplayTopic(), spans: spans, finish: finish, at: map[int32]int64{}, committed: map[int32]int64{}}
	for partition, offset := range from {
		t.at[partition], t.committed[partition] = offset, offset
	}
	return t
}

// poll is how many records are taken at once: a tenth of a second's, so that a transaction is not much longer than it
// should be.
func (t *task) poll() int {
	if t.config.Rate == 0 {
		return 5000
	}
	return min(max(t.config.Rate/10, 1), 5000)
}

// Process returns the copies.
func (t *task) Process(ctx context.Context, records []*kgo.Record) (copies []*kgo.Record, err error) {
	for _, r := range records {
		s, ok := t.spans[r.Partition]
		if !ok || r.Offset < s.start {
			continue
		}
		t.at[r.Partition] = min(r.Offset+1, s.end)
		if r.Offset >= s.end {
			continue // up to the end there was a gap
		}
		if c := t.copy(r); c != nil {
			copies = append(copies, c)
			t.copying++
		} else {
			t.leaving++
		}
	}
	return copies, t.wait(ctx, len(copies))
}

// wait keeps to the rate.
func (t *task) wait(ctx context.Context, n int) error {
	if t.config.Rate == 0 || n == 0 {
		return nil
	}
	now := time.Now()
	if t.next.Before(now) {
		t.next = now
	}
	t.next = t.next.Add(time.Duration(n) * time.Second / time.Duration(t.config.Rate))
	select {
	case <-ctx.Done(): // the lane is about to die, and drops the transaction
	case <-time.After(t.next.Sub(now)):
	}
	return nil
}

// copy is the record as its sender wrote it, with the mark of a replay; nil if a replay made it, if it is a letter that could
// not carry all of it, or if it is larger than any event. What its sender marked is no replay's: nobody else has it.
func (t *task) copy(r *kgo.Record) *kgo.Record {
	if len(r.Value) > schemas.MaxEventBytes {
		return nil
	}
	c := &kgo.Record{Topic: t.topic, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		switch {
		case h.Key == roles.HeaderReplay && len(h.Value) > 0, h.Key == roles.HeaderTruncated:
			return nil
		case !strings.HasPrefix(h.Key, "tributary-"):
			c.Headers = append(c.Headers, h)
		}
	}
	c.Headers = append(c.Headers, kgo.RecordHeader{Key: roles.HeaderReplay, Value: []byte(t.config.From)})
	return c
}

// Flush has nothing to add.
func (t *task) Flush(context.Context) ([]*kgo.Record, error) { return nil, nil }

// Commit counts what the transaction did, and ends the lane when all is done.
func (t *task) Commit(map[int32]lane.Position) error {
	t.copied, t.skipped = t.copied+t.copying, t.skipped+t.leaving
	t.copying, t.leaving = 0, 0
	for partition, offset := range t.at {
		t.committed[partition] = offset
	}
	t.report()
	return nil
}

// Abort drops what is open. The same records come again.
func (t *task) Abort() {
	t.copying, t.leaving = 0, 0
	for partition, offset := range t.committed {
		t.at[partition] = offset
	}
}

// Idle ends partitions that have nothing left to read though their stretch goes on: to its end there are only markers, or
// records that were aborted or compacted. One with records in the open transaction waits: it may be aborted.
func (t *task) Idle(_ context.Context, quiet []lane.TopicPartition) ([]*kgo.Record, error) {
	for partition, s := range t.spans {
		settled := t.at[partition] == t.committed[partition]
		if settled && slices.Contains(quiet, lane.TopicPartition{Topic: t.config.From, Partition: partition}) {
			t.at[partition], t.committed[partition] = s.end, s.end
		}
	}
	t.report()
	return nil, nil
}

func (t *task) report() {
	p := t.progress()
	if t.config.Progress != nil {
		t.config.Progress(p)
	}
	if p.Done() {
		t.finish()
	}
}

func (t *task) progress() Progress {
	p := Progress{Copied: t.copied, Skipped: t.skipped}
	for partition, s := range t.spans {
		p.Of += s.end - s.start
		p.Offsets += min(t.committed[partition], s.end) - s.start
	}
	return p
}
