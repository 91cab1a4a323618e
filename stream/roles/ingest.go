package roles

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/ingest"
	"tributary/stream/lane"
	"tributary/stream/metrics"
)

// Ingest is the ingest role's task.
type Ingest struct {
	decide  *ingest.Ingest
	topics  Topics
	count   func(*metrics.Ingested)
	sources sources
	outbox  outbox
	pending metrics.Ingested
}

// NewIngest returns the task. count takes the counts of every committed transaction.
func NewIngest(decide *ingest.Ingest, topics Topics, outOfOrderness time.Duration, count func(*metrics.Ingested)) *Ingest {
	t := &Ingest{decide: decide, topics: topics, count: count, sources: sources{outOfOrderness: outOfOrderness}}
	t.outbox = newOutbox(&t.topics)
	t.Abort()
	return t
}

// Process decides on source records and returns the journal records and dead letters that follow.
func (t *Ingest) Process(_ context.Context, records []*kgo.Record) ([]*kgo.Record, error) {
	var out []*kgo.Record
	heard := make(map[int32]sourceWatermark) // by journal partition: the last one told to it
	for _, r := range records {
		t.pending.Received++
		result := t.decide.Record(r.Value, schemas.MillisOf(r.Timestamp))
		t.note(&result)
		if result.Refusal != nil {
			out = append(out, t.deadLetter(r, result.Refusal))
			continue
		}
		if len(result.Messages) == 0 {
			continue
		}
		from := source{r.Topic, r.Partition}
		watermark := t.sources.see(from, result.At)
		for i := range result.Messages {
			m := &result.Messages[i]
			p := int32(m.Partition(t.topics.Partitions))
			t.outbox.add(p, m)
			heard[p] = sourceWatermark{r.Topic, r.Partition, watermark}
		}
	}
	return append(out, stamp(t.outbox.take(), heard)...), nil
}

// stamp puts the watermark of each partition on the last of its records.
func stamp(journal []*kgo.Record, heard map[int32]sourceWatermark) []*kgo.Record {
	for _, r := range slices.Backward(journal) {
		if w, ok := heard[r.Partition]; ok {
			r.Headers = []kgo.RecordHeader{{Key: headerWatermark, Value: w.append(nil)}}
			delete(heard, r.Partition)
		}
	}
	return journal
}

func (t *Ingest) note(r *ingest.Result) {
	switch {
	case r.Refusal != nil:
		t.pending.Refused[r.Refusal.Reason]++
	case r.Filtered != "":
		t.pending.Filtered[r.Filtered]++
	default:
		t.pending.Journaled++
	}
	t.pending.Ignored += int64(r.Ignored)
	r.Identifiers.Each(func(typ string, v identity.Verdict, n int) {
		t.pending.Identifiers[metrics.Identifier{Type: typ, Verdict: v.String()}] += int64(n)
	})
}

// Flush has nothing to add: ingest keeps nothing back.
func (t *Ingest) Flush(context.Context) ([]*kgo.Record, error) { return nil, nil }

// Commit counts what the transaction did.
func (t *Ingest) Commit(map[int32]lane.Position) error {
	t.count(&t.pending)
	t.Abort()
	return nil
}

// Abort forgets what was counted. The watermarks of sources stay: the same records come again.
func (t *Ingest) Abort() {
	t.pending = metrics.Ingested{Refused: map[schemas.Reason]int64{}, Filtered: map[schemas.Reason]int64{}, Identifiers: map[metrics.Identifier]int64{}}
}

// deadLetter is the refused record with the reason and where it came from. Of what is too large for the topic it carries
// less: first of the value, then none of the sender's headers, then no key.
func (t *Ingest) deadLetter(r *kgo.Record, why *schemas.Refusal) *kgo.Record {
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	ours := []kgo.RecordHeader{
		header(HeaderReason, string(why.Reason)),
		header(HeaderField, why.Field),
		header(HeaderDetail, why.Detail),
		header(HeaderTopic, r.Topic),
		header(HeaderPartition, strconv.Itoa(int(r.Partition))),
		header(HeaderOffset, strconv.FormatInt(r.Offset, 10)),
		header(HeaderTimestamp, r.Timestamp.UTC().Format(time.RFC3339Nano)),
	}
	letter := &kgo.Record{Topic: t.topics.DeadLetters, Key: r.Key, Value: r.Value, Headers: slices.Concat(r.Headers, ours)}
	if room := t.topics.LetterBytes; letterBytes(letter) > room {
		cut := header(HeaderTruncated, strconv.Itoa(len(r.Value)))
		letter.Value = r.Value[:min(len(r.Value), TruncatedBytes, room/2)]
		letter.Headers = append(letter.Headers, cut)
		if letterBytes(letter) > room {
			letter.Headers = append(ours, cut)
		}
		if letterBytes(letter) > room {
			letter.Key = nil
		}
	}
	return letter
}

// letterBytes is at least what the record takes in a batch of its own.
func letterBytes(r *kgo.Record) int {
	const batch, length = 128, 5 // header of the batch and of the record; a varint
	n := batch + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 2*length + len(h.Key) + len(h.Value)
	}
	return n
}
