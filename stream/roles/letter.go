package roles

import (
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/stream/watermark"
)

// deadLetter is the refused record with the reason.
func (t *Ingest) deadLetter(r *kgo.Record, why *schemas.Refusal) *kgo.Record {
	return t.Topics.DeadLetters.letter(r, why.Reason, header(HeaderField, why.Field), header(HeaderDetail, why.Detail))
}

// lateLetter is the record of a late event with how late it is.
func (t *Ingest) lateLetter(r *kgo.Record, at schemas.Millis, from watermark.Source) *kgo.Record {
	return t.Topics.Late.letter(r, schemas.ReasonLate, header(HeaderWatermark, from.Watermark.String()),
		header(HeaderAge, strconv.FormatInt(from.Age(at).Milliseconds(), 10)))
}

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// letter is the record with the reason, where it came from and more. Of what is too large for the topic it carries less:
// first of the value, then none of the sender's headers, then no key.
func (l Letters) letter(r *kgo.Record, why schemas.Reason, more ...kgo.RecordHeader) *kgo.Record {
	ours := slices.Concat([]kgo.RecordHeader{header(HeaderReason, string(why))}, more, []kgo.RecordHeader{
		header(HeaderTopic, r.Topic),
		header(HeaderPartition, strconv.Itoa(int(r.Partition))),
		header(HeaderOffset, strconv.FormatInt(r.Offset, 10)),
		header(HeaderTimestamp, r.Timestamp.UTC().Format(time.RFC3339Nano)),
	})
	letter := &kgo.Record{Topic: l.Topic, Key: r.Key, Value: r.Value, Headers: slices.Concat(r.Headers, ours)}
	if letterBytes(letter) > l.Bytes {
		cut := header(HeaderTruncated, strconv.Itoa(len(r.Value)))
		letter.Value = r.Value[:min(len(r.Value), TruncatedBytes, l.Bytes/2)]
		letter.Headers = append(letter.Headers, cut)
		if letterBytes(letter) > l.Bytes {
			letter.Headers = append(ours, cut)
		}
		if letterBytes(letter) > l.Bytes {
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
