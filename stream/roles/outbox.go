package roles

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
)

// outbox gathers messages into journal records. A record costs the client and the broker more than a message does, so
// those of one partition share records.
type outbox struct {
	topics *Topics
	open   [][]byte // by partition: the record being filled
	parts  []int32  // partitions with something in open
	full   []*kgo.Record
}

// RecordBytes is how large a journal record grows with more than one message: large enough to make records few, small
// enough for a poll of some hundred records to be a small part of a transaction.
const RecordBytes = 8 << 10

func newOutbox(topics *Topics) outbox {
	return outbox{topics: topics, open: make([][]byte, topics.Partitions)}
}

// add takes a message to an actor of the partition.
func (o *outbox) add(p int32, m *identity.Message) {
	b := o.open[p]
	before := len(b)
	if before == 0 {
		o.parts = append(o.parts, p)
	}
	b = identity.AppendToRecord(b, m)
	if before > 0 && len(b) > RecordBytes {
		o.seal(p, b[:before])
		b = append(b[:0], b[before:]...)
	}
	o.open[p] = b
}

func (o *outbox) seal(p int32, value []byte) {
	o.full = append(o.full, &kgo.Record{Topic: o.topics.Journal, Partition: p, Value: append([]byte(nil), value...)})
}

// take returns the records with all that was added: for each partition, in the order in which it was.
func (o *outbox) take() []*kgo.Record {
	for _, p := range o.parts {
		o.seal(p, o.open[p])
		o.open[p] = o.open[p][:0]
	}
	taken := o.full
	o.parts, o.full = o.parts[:0], nil
	return taken
}
