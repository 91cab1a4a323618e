// Package state keeps the rows of identity's actors on disk: one Pebble store an instance, one row an identifier,
// neighbour, member, fact, token, conversion or statement. A store is a cache of the changelog that survives restarts:
// whatever is lost comes back from there.
//
// A lane does its work in a [Batch], which reads its own writes. When the work is done it takes the changed rows for
// the changelog, and once the transaction that carries them is committed, it commits the batch together with the
// changelog's offsets, so that rows and offsets can never disagree:
//
//	b := store.NewBatch()
//	rows := b.Rows(7)                                  // partition 7, an identity.Rows
//	machine.Step(rows, &message, &effects)
//	for _, c := range b.Changes() {                    // one entry a changed row, in the order of keys
//		produce(c.Partition, c.Key, c.Value)           // Value nil: the row is gone
//	}
//	// the Kafka transaction commits; the last entry of partition 7 had offset 41
//	err := b.Commit(map[int32]state.Position{7: {Topic: changelog, Next: 42, At: now}})
//
// A batch that is closed instead leaves nothing behind. A process that dies between the two commits finds at its next
// start that the changelog of partition 7 goes beyond [Store.Position], and brings the rows up with [Store.Restore].
//
// It knows nothing about Kafka, time or what rows mean: it asks no clock and decides nothing.
package state
