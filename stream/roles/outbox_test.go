package roles

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"tributary/identity"
)

// What comes out of the outbox is, partition by partition, what was put in, in its order; and no record has more than one
// message unless all of it is within RecordBytes.
func TestOutboxKeepsOrderAndSize(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	o := newOutbox(&Topics{Journal: "journal", Partitions: 4})
	for range 20 {
		sent, got := map[int32][]identity.Message{}, map[int32][]identity.Message{}
		for range r.IntN(500) {
			m := sized(r)
			p := int32(r.IntN(4))
			o.add(p, &m)
			sent[p] = append(sent[p], m)
		}
		for _, record := range o.take() {
			n := 0
			err := identity.EachMessage(record.Value, func(m *identity.Message) error {
				n++
				got[record.Partition] = append(got[record.Partition], *m)
				return nil
			})
			if err != nil || record.Topic != "journal" {
				t.Fatalf("record of topic %s: %v", record.Topic, err)
			}
			if n > 1 && len(record.Value) > RecordBytes {
				t.Errorf("a record of %d messages and %d bytes", n, len(record.Value))
			}
		}
		if !reflect.DeepEqual(got, sent) {
			t.Fatal("other messages came out than were put in")
		}
	}
	if left := o.take(); len(left) > 0 {
		t.Errorf("%d records are left", len(left))
	}
}

// sized is a message of any size, sometimes larger than a record of several may be.
func sized(r *rand.Rand) identity.Message {
	size := r.IntN(300)
	if r.IntN(50) == 0 {
		size = r.IntN(2 * RecordBytes)
	}
	return identity.Message{Kind: identity.KindErase, Conversion: string(make([]byte, 1+size))}
}
