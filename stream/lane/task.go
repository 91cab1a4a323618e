package lane

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Task is what a lane runs: it turns records into records, and knows nothing of groups and transactions. One goroutine
// calls its methods.
//
// Between two Commits (or Aborts) lies one transaction. Whatever the task changes in between must stay invisible, to
// readers of its state and to itself after Abort, until Commit says that Kafka holds the transaction. An error from any
// method is a bug or damaged data: the lane stops and returns it. A record that is merely bad is not an error; the task
// answers it with a record for the dead letters.
type Task interface {
	// Process takes records that were polled, each partition's in its order, and returns what to produce; timestamps are
	// the lane's. It is called one or more times in a transaction. The context is cancelled when the lane must die at once.
	Process(ctx context.Context, records []*kgo.Record) ([]*kgo.Record, error)
	// Flush is called when the transaction is about to end, and returns the last records to produce.
	Flush(ctx context.Context) ([]*kgo.Record, error)
	// Commit is called when Kafka has committed. The task makes its changes durable and visible together with positions,
	// which holds an entry for each partition whose changelog the transaction wrote to. If the process dies before
	// Commit is done, the changelog brings the same changes at the next assignment.
	Commit(positions map[int32]Position) error
	// Abort drops everything since the last Commit. The same records come again. It is also called when nothing was
	// begun, and when nobody knows whether Kafka committed: what it drops then comes back through the changelog.
	Abort()
}

// Position is how far the state of one partition includes its changelog. It is stored beside that state, in the same
// write.
type Position struct {
	// Topic is the id of the changelog topic: a topic that was deleted and made again has another.
	Topic [16]byte
	// Next is the first offset of the changelog that the state doesn't include.
	Next int64
	// At is when the state was last known to lack nothing, as epoch milliseconds. Once it is older than the changelog's
	// delete.retention.ms, tombstones that the state hasn't seen may be gone, and the state is of no use.
	At int64
}

// Stateful is a Task with state that is restored from a changelog. It consumes one topic, and the partition p of its
// state and changelog belongs to the partition p of that topic.
//
// These methods are called from goroutines of their own, for several partitions at once, beside Process. A partition
// that is being restored may at the same time be read by Process in a transaction that is doomed: nothing comes of that
// transaction, so any answer will do, but it must be safe.
type Stateful interface {
	Task
	// Position is where the state of a partition stands; ok is false if there is none.
	Position(partition int32) (position Position, ok bool, err error)
	// Restore applies records of the changelog in their order (a nil value deletes its key) and stores position, all in
	// one write. Every assignment of a partition ends with at least one call, with no records if nothing was missing.
	Restore(partition int32, records []*kgo.Record, position Position) error
	// Reset drops all state of a partition, and its position.
	Reset(partition int32) error
}

// Owner is a Task that wants to know which partitions its lane owns.
type Owner interface {
	// Own is called when the set has changed, before any record of a new partition is processed. It may be called in the
	// middle of a transaction and it may come late: the set is for caches and housekeeping, not a lock. Only in a lane that is
	// Config.Spanning is it one: there a transaction that is committed had all partitions of the set.
	Own(partitions map[string][]int32)
}

// Noter is a Task that keeps a note of each partition that it consumes, in Kafka, beside the committed offset: what it
// knows of the records before that offset. The note is part of the transaction, and goes with the partition to whatever
// lane gets it next.
type Noter interface {
	// Noted gives the note of a partition that has come to the lane, before any of its records; empty if there is none beside
	// its offset. It replaces all that the task knew of the partition. Anybody who may write the group's offsets may have written it. It
	// isn't called for a partition that has no committed offset: of such a one nothing was ever consumed.
	Noted(partition TopicPartition, note string)
	// Note is what to keep of a partition. It is asked for after Flush, for each partition whose offset the transaction
	// commits. Kafka takes 4,096 bytes, unless offset.metadata.max.bytes says otherwise.
	Note(partition TopicPartition) string
}

// Idler is a Task that has something to say beside what records make it say, such as that a partition is idle. A Stateful
// task can't be one: the gate knows only of partitions that records came from.
type Idler interface {
	// Idle is called every Config.IdleInterval while the lane owns partitions, whether or not records come, and soon after
	// they have changed. quiet are the partitions of the lane of which nothing came for Config.IdleAfter and nothing is left to read:
	// the broker was asked. It begins a transaction if it returns records; that transaction commits the offsets of all
	// partitions again, so that the group fences it although it consumed nothing.
	Idle(ctx context.Context, quiet []TopicPartition) ([]*kgo.Record, error)
}
