package roles

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/watermark"
)

// timersAtOnce is how many timers of a partition fire at one record of time. If more are due, the partition tells itself the time
// again, so that a transaction stays small.
const timersAtOnce = 1000

// time handles a record of the journal that is about time.
func (t *Journey) time(r *kgo.Record) error {
	m, err := watermark.Decode(r.Value)
	if err != nil {
		return err
	}
	t.pending.TimeMessages[m.Kind]++
	times, err := t.clock.Handle(t.timeRows(r.Partition), r.Partition, &m, t.sendTime)
	if err != nil {
		return err
	}
	t.times[r.Partition] = times
	t.ticked = t.ticked || m.Kind != watermark.Round
	if m.Kind != watermark.Round || m.Round != watermark.LastRound || m.Watermark < times.Settled {
		return nil // a record with a newer time goes on with the timers
	}
	stamp, err := t.stamp(r.Partition, schemas.MillisOf(r.Timestamp))
	if err == nil && t.work.Advance(r.Partition, times.Settled, timersAtOnce, stamp) {
		t.sendTime(r.Partition, m)
	}
	return err
}

func (t *Journey) sendTime(partition int32, m watermark.Message) {
	t.out = append(t.out, t.topics.timeRecord(partition, &m))
}

// timeRows are the rows about time of a partition.
func (t *Journey) timeRows(partition int32) watermark.Rows {
	return timeRows{t.batch.Rows(partition)}
}

type timeRows struct{ rows *state.Rows }

func (t timeRows) Get(key []byte) ([]byte, bool) { return t.rows.Plain(state.KindWatermark, key) }
func (t timeRows) Put(key, value []byte)         { t.rows.PutPlain(state.KindWatermark, key, value) }

func (t timeRows) Each(prefix []byte, yield func(key, value []byte) bool) {
	after := append([]byte(nil), prefix...)
	after[len(after)-1]++ // prefixes are letters
	t.rows.Plains(state.KindWatermark, prefix, after, yield)
}
