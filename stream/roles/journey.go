package roles

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/watermark"
)

// Journey is the journey role's task: the partitions of the journal that it is given, over one store.
type Journey struct {
	processor *attribution.Processor
	store     *state.Store
	topics    Topics
	count     func(*metrics.Journeyed)
	clock     watermark.Clock
	press     press
	owned     []int32
	outbox    outbox
	handover  *handover

	batch   *state.Batch // of the open transaction; nil between transactions
	work    *attribution.Work
	times   map[int32]watermark.Times // of the partitions of the transaction
	ticked  bool                      // the clock has heard something in it
	pending metrics.Journeyed
	out     []*kgo.Record
	from    int32                 // the partition whose record or message is being handled
	queue   []delivery            // messages that are handed over, in the order in which they were sent
	last    map[int32]*kgo.Record // of the journal records of the transaction, by the partition that they go to
}

// delivery is a message to an actor of a partition of this lane.
type delivery struct {
	to int32
	identity.Message
}

// NewJourney returns the task, whose lane must be a spanning one. count takes the counts of every committed transaction. The store
// stays the caller's.
func NewJourney(p *attribution.Processor, store *state.Store, topics Topics, count func(*metrics.Journeyed)) *Journey {
	clock := watermark.Clock{Topics: slices.Sorted(maps.Keys(topics.Sources)), Partitions: topics.Partitions}
	t := &Journey{processor: p, store: store, topics: topics, count: count, clock: clock}
	t.outbox = newOutbox(&t.topics)
	t.handover = newHandover(topics.Partitions)
	t.reset()
	return t
}

// Process steps journal records and the messages that follow from them, and returns those that are for other lanes, or that wait for
// their turn (see handover).
func (t *Journey) Process(_ context.Context, records []*kgo.Record) (out []*kgo.Record, err error) {
	defer damage(&err)
	if t.batch == nil {
		t.batch = t.store.NewBatch()
		t.work = t.processor.Begin(rowsOf{t.batch}, t)
	}
	for _, r := range records {
		if err := t.record(r); err != nil {
			return nil, fmt.Errorf("%s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	return t.take(), t.batch.Err()
}

// record handles a journal record with all that is handed over because of it.
func (t *Journey) record(r *kgo.Record) error {
	t.from = r.Partition
	at := schemas.MillisOf(r.Timestamp)
	if err := t.contents(r, at); err != nil {
		return err
	}
	t.handover.done(r.Partition, r.Offset)
	return nil
}

func (t *Journey) contents(r *kgo.Record, at schemas.Millis) error {
	if watermark.Is(r.Value) {
		if err := t.time(r); err != nil {
			return err
		}
		return t.deliver(at)
	}
	return identity.EachMessage(r.Value, func(m *identity.Message) error {
		if owner := int32(m.Partition(t.topics.Partitions)); owner != r.Partition {
			return fmt.Errorf("%w: a %v of partition %d: was the number of partitions changed?", identity.ErrWire, m.Kind, owner)
		}
		if err := t.message(r.Partition, m, at); err != nil {
			return err
		}
		return t.deliver(at)
	})
}

// deliver handles the messages that are handed over, until no more follow from them.
func (t *Journey) deliver(at schemas.Millis) error {
	for i := 0; i < len(t.queue); i++ {
		d := t.queue[i] // a copy: the queue grows
		if err := t.message(d.to, &d.Message, at); err != nil {
			return err
		}
	}
	clear(t.queue)
	t.queue = t.queue[:0]
	return nil
}

// message lets an actor of a partition handle a message that follows from a record of the time at.
func (t *Journey) message(partition int32, m *identity.Message, at schemas.Millis) error {
	stamp, err := t.stamp(partition, at)
	if err != nil {
		return err
	}
	t.pending.Messages[m.Kind]++
	if m.Erases() {
		t.pending.Erasing++
	}
	t.from = partition
	t.work.Message(partition, m, stamp)
	return nil
}

// stamp is the time of a record, and a partition's.
func (t *Journey) stamp(partition int32, at schemas.Millis) (attribution.Stamp, error) {
	times, ok := t.times[partition]
	if !ok {
		var err error
		if times, err = watermark.TimesOf(t.timeRows(partition)); err != nil {
			return attribution.Stamp{}, err
		}
		t.times[partition] = times
	}
	return attribution.Stamp{At: at, Watermark: times.Watermark}, nil
}

// Flush scores what the transaction changed and returns the records, and the changelog of every changed row.
func (t *Journey) Flush(context.Context) (out []*kgo.Record, err error) {
	defer damage(&err)
	if t.batch == nil {
		return nil, nil
	}
	t.work.Finish()
	if t.ticked {
		if err := t.clock.Start(t.timeRows(watermark.ClockPartition), t.sendTime); err != nil {
			return nil, err
		}
	}
	for partition, ended := range t.work.Ledgers {
		t.batch.Rows(partition).AddLedger(ended)
	}
	changes := t.batch.Changes()
	t.out = slices.Grow(t.out, len(changes))
	for _, c := range changes {
		t.out = append(t.out, t.press.record(kgo.Record{Topic: t.topics.Changelog, Partition: c.Partition, Key: c.Key, Value: c.Value}))
	}
	return t.take(), t.batch.Err()
}

// Commit applies the rows together with the changelog positions that they are at.
func (t *Journey) Commit(positions map[int32]lane.Position) error {
	if t.batch == nil {
		return nil
	}
	at := make(map[int32]state.Position, len(positions))
	for partition, p := range positions {
		at[partition] = state.Position(p)
	}
	if err := t.batch.Commit(at); err != nil {
		return err
	}
	t.pending.Ledger, t.pending.Shared = t.work.Ledger(), t.work.Shared
	t.pending.Withheld = t.work.Withheld
	t.pending.ExpiredEvents, t.pending.Expired = t.work.ExpiredEvents, t.work.Expired
	t.count(&t.pending)
	t.handover.commit(func(to int32) int64 { return t.last[to].Offset })
	t.reset()
	return nil
}

// Abort drops everything since the last commit.
func (t *Journey) Abort() {
	if t.batch != nil {
		t.batch.Close()
	}
	t.handover.abort()
	t.reset()
}

func (t *Journey) reset() {
	t.batch, t.work, t.out = nil, nil, nil
	t.queue, t.last = t.queue[:0], map[int32]*kgo.Record{}
	t.outbox.take()
	t.times, t.ticked = map[int32]watermark.Times{}, false
	t.pending = metrics.Journeyed{Messages: map[identity.Kind]int64{}, TimeMessages: map[watermark.Kind]int64{},
		Revisions: map[metrics.Revision]int64{}, Audits: map[schemas.AuditKind]int64{}, Times: t.times}
}

func (t *Journey) take() []*kgo.Record {
	journal := t.outbox.take()
	for _, r := range journal {
		t.last[r.Partition] = r
	}
	out := append(t.out, journal...)
	t.out = nil
	return out
}

// Own is called with the partitions of the lane.
func (t *Journey) Own(partitions map[string][]int32) {
	owned := partitions[t.topics.Journal]
	gone := slices.DeleteFunc(t.owned, func(p int32) bool { return slices.Contains(owned, p) })
	t.owned = slices.Clone(owned)
	t.handover.own(owned)
	t.count(&metrics.Journeyed{Gone: gone})
}

// Noted is called with what Note returned when the partition's offset was last committed.
func (t *Journey) Noted(p lane.TopicPartition, note string) { t.handover.noted(p.Partition, note) }

// Note says what the partition has sent that may still be in the journal.
func (t *Journey) Note(p lane.TopicPartition) string { return t.handover.note(p.Partition) }

// Position is where the rows of a partition stand.
func (t *Journey) Position(partition int32) (lane.Position, bool, error) {
	p, ok, err := t.store.Position(partition)
	return lane.Position(p), ok, err
}

// Restore applies changelog records and the position behind them.
func (t *Journey) Restore(partition int32, records []*kgo.Record, position lane.Position) error {
	entries := make([]state.Entry, len(records))
	for i, r := range records {
		entries[i] = state.Entry{Key: r.Key, Value: r.Value}
	}
	return t.store.Restore(partition, entries, state.Position(position))
}

// Reset drops the rows of a partition.
func (t *Journey) Reset(partition int32) error { return t.store.Drop(partition) }

// Journal is called by the work for every message to another actor.
func (t *Journey) Journal(partition int32, m identity.Message) {
	if t.handover.allow(t.from, partition, &m) {
		t.queue = append(t.queue, delivery{partition, m})
	} else {
		t.outbox.add(partition, &m)
	}
}

// Attribution is called by the work for every revision.
func (t *Journey) Attribution(a *schemas.Attribution) {
	t.pending.Revisions[metrics.Revision{Change: a.Change, Cause: a.Cause}]++
	encode := a.Encode
	if t.topics.Protobuf {
		encode = a.EncodeProto
	}
	t.out = append(t.out, t.press.record(kgo.Record{Topic: t.topics.Attributions, Key: []byte(a.ConversionID), Value: t.press.write(encode)}))
}

// Alias is called by the work for every customer that goes on under another name, or under its own again: that is a
// tombstone.
func (t *Journey) Alias(a schemas.Alias) {
	r := t.press.record(kgo.Record{Topic: t.topics.Aliases, Key: []byte(a.Old)})
	if a.New != "" {
		r.Value = t.press.write(a.Encode)
	}
	t.out = append(t.out, r)
}

// Audit is called by the work for every receipt.
func (t *Journey) Audit(a schemas.Audit) {
	t.pending.Audits[a.Kind]++
	t.out = append(t.out, t.press.record(kgo.Record{Topic: t.topics.Audit, Value: t.press.write(a.Encode)}))
}

// rowsOf fits a batch of the store to what the processor asks for.
type rowsOf struct{ *state.Batch }

func (b rowsOf) Rows(partition int32) attribution.Rows { return b.Batch.Rows(partition) }

// damage turns the processor's report of unreadable state into an error: the lane stops.
func damage(err *error) {
	if r := recover(); r != nil {
		d, ok := r.(attribution.Damage)
		if !ok {
			panic(r)
		}
		*err = d
	}
}
