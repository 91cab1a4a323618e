package roles

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/ingest"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/watermark"
)

// Ingest is the ingest role's task.
type Ingest struct {
	IngestConfig
	sources sources
	outbox  outbox
	pending metrics.Ingested
}

// IngestConfig says how to ingest.
type IngestConfig struct {
	Decide         *ingest.Ingest
	Topics         Topics
	OutOfOrderness time.Duration           // how far watermarks stay behind the newest event
	Allowed        time.Duration           // how far behind its watermark an event is still applied
	Count          func(*metrics.Ingested) // takes the counts of every committed transaction
}

// NewIngest returns the task.
func NewIngest(c IngestConfig) *Ingest {
	t := &Ingest{IngestConfig: c, sources: sources{}, outbox: newOutbox(&c.Topics)}
	t.reset()
	return t
}

// Process decides on source records and returns the journal records, dead letters and late events that follow.
func (t *Ingest) Process(_ context.Context, records []*kgo.Record) ([]*kgo.Record, error) {
	var out []*kgo.Record
	for _, r := range records {
		if letter := t.record(r); letter != nil {
			out = append(out, letter)
		}
	}
	return append(out, t.outbox.take()...), nil
}

// record puts what follows from a source record into the outbox. A refused or late one it returns as a letter.
func (t *Ingest) record(r *kgo.Record) (letter *kgo.Record) {
	result := t.Decide.Record(r.Value, schemas.MillisOf(r.Timestamp))
	if slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == HeaderReplay }) {
		result.Replay()
	}
	from := t.sources.of(lane.TopicPartition{Topic: r.Topic, Partition: r.Partition})
	from.idle = false
	late := len(result.Messages) > 0 && t.late(r, &result, from)
	t.note(&result, late)
	from.counts.add(&result, late)
	switch {
	case result.Refusal != nil:
		return t.deadLetter(r, result.Refusal)
	case late:
		return t.lateLetter(r, result.At, from.Source)
	}
	for i := range result.Messages {
		m := &result.Messages[i]
		t.outbox.add(int32(m.Partition(t.Topics.Partitions)), m)
	}
	return nil
}

// late reports whether an accepted event comes too late, since its journey may be final. Any other moves the watermark of
// its source partition, unless it is replayed.
func (t *Ingest) late(r *kgo.Record, result *ingest.Result, from *source) bool {
	if result.Replayed() || r.Topic == t.Topics.Replay {
		return false
	}
	t.pending.Ages.Observe(from.Age(result.At))
	if !result.AnyAge() && from.Late(result.At, t.Allowed) {
		return true
	}
	from.See(result.At, schemas.MillisOf(r.Timestamp), t.OutOfOrderness)
	return false
}

func (t *Ingest) note(r *ingest.Result, late bool) {
	t.pending.Received++
	switch {
	case r.Refusal != nil:
		t.pending.Refused[r.Refusal.Reason]++
	case r.Filtered != "":
		t.pending.Filtered[r.Filtered]++
	case late:
		t.pending.Late++
	default:
		t.pending.Journaled++
	}
	t.pending.Ignored += int64(r.Ignored)
	r.Identifiers.Each(func(typ string, v identity.Verdict, n int) {
		t.pending.Identifiers[metrics.Identifier{Type: typ, Verdict: v.String()}] += int64(n)
	})
}

// Own is called with the partitions of the lane.
func (t *Ingest) Own(partitions map[string][]int32) {
	t.Count(&metrics.Ingested{Gone: t.sources.own(partitions)})
}

// Noted is called with what Note returned when the partition's offset was last committed.
func (t *Ingest) Noted(p lane.TopicPartition, note string) { t.sources.noted(p, note) }

// Note is the watermark of a source partition, and what became of its records.
func (t *Ingest) Note(p lane.TopicPartition) string { return t.sources.of(p).note() }

// Idle tells the clock of partitions that are new or idle.
func (t *Ingest) Idle(_ context.Context, quiet []lane.TopicPartition) ([]*kgo.Record, error) {
	for _, p := range quiet {
		t.sources.of(p).idle = true
	}
	return t.ticks(), nil
}

// Flush tells the clock of partitions whose watermark has moved.
func (t *Ingest) Flush(context.Context) ([]*kgo.Record, error) { return t.ticks(), nil }

func (t *Ingest) ticks() (out []*kgo.Record) {
	for _, p := range t.sources.ticks(t.Topics.Replay) {
		known := t.sources.of(p)
		out = append(out, t.Topics.timeRecord(watermark.ClockPartition, &watermark.Message{
			Kind: watermark.Tick, Watermark: known.Watermark, Topic: p.Topic, Partition: p.Partition,
			Partitions: t.Topics.Sources[p.Topic], Idle: known.idle}))
		t.pending.Sources[p] = metrics.Source{Watermark: known.Watermark, Idle: known.idle}
	}
	return out
}

// Commit counts what the transaction did.
func (t *Ingest) Commit(map[int32]lane.Position) error {
	t.Count(&t.pending)
	t.sources.commit()
	t.reset()
	return nil
}

// Abort forgets what was counted and how time went on. The same records come again.
func (t *Ingest) Abort() {
	t.sources.abort()
	t.reset()
}

func (t *Ingest) reset() {
	t.outbox.take()
	t.pending = metrics.Ingested{Refused: map[schemas.Reason]int64{}, Filtered: map[schemas.Reason]int64{},
		Identifiers: map[metrics.Identifier]int64{}, Sources: map[lane.TopicPartition]metrics.Source{}}
}

// timeRecord addresses a message about time.
func (t *Topics) timeRecord(partition int32, m *watermark.Message) *kgo.Record {
	return &kgo.Record{Topic: t.Journal, Partition: partition, Value: m.Append(nil)}
}
