package bench

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/service"
)

// bytes runs the service once over the population and weighs what it left.
func (b *bench) bytes(ctx context.Context) ([]Row, error) {
	records := b.population()
	s, err := b.application()
	if err != nil {
		return nil, err
	}
	remove, err := b.createTopics(ctx, s)
	defer remove()
	if err != nil {
		return nil, err
	}
	if _, err := b.serve(ctx, s, records); err != nil {
		return nil, err
	}
	touches, raw := touchesOf(records)
	stored, err := stateBytes(s.State.Dir)
	if err != nil {
		return nil, err
	}
	names := service.TopicsOf(s)
	journal, err := b.weigh(ctx, names.Journal, messagesIn)
	if err != nil {
		return nil, err
	}
	changelog, err := b.weigh(ctx, names.Changelog, func(*kgo.Record) int { return 1 })
	if err != nil {
		return nil, err
	}
	b.Say("bytes: %d touches, %d changelog rows, %d journal messages", touches, changelog.entries, journal.entries)
	row := func(what string, n int) Row {
		return Row{
			What:     what,
			Measured: fmt.Sprintf("%.0f B a touch", float64(n)/float64(touches)),
			Beside:   fmt.Sprintf("%.0f B of events a touch", float64(raw)/float64(touches)),
			Ratio:    float64(n) / float64(raw),
		}
	}
	return []Row{
		row(fmt.Sprintf("state on disk, %s events with %s touches", count(len(records)), count(touches)), stored),
		row(fmt.Sprintf("changelog, keys and values of %.1f rows a touch", float64(changelog.entries)/float64(touches)), changelog.bytes),
		row("changelog on the broker, compressed and before compaction", changelog.stored),
		row(fmt.Sprintf("journal, values and headers of %.1f messages a touch", float64(journal.entries)/float64(touches)), journal.bytes),
		row("journal on the broker, compressed", journal.stored),
	}, nil
}

// touchesOf is how many different touches the records hold, and the bytes of all their events.
func touchesOf(records []record) (touches, raw int) {
	seen := map[string]bool{}
	for _, r := range records {
		raw += len(r.value)
		if e, err := (schemas.Decoder{}).Event(r.value); err == nil && e.Touch != nil {
			seen[e.ID] = true
		}
	}
	return len(seen), raw
}

// stateBytes is the size of all tables of a store that nobody has open, after everything in memory was written.
func stateBytes(dir string) (int, error) {
	store, err := state.Open(dir, state.Options{})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	if err := store.Flush(); err != nil {
		return 0, err
	}
	return int(store.Metrics().TableBytes), nil
}

// messagesIn is how many messages a record of the journal holds.
func messagesIn(r *kgo.Record) (n int) {
	_ = identity.EachMessage(r.Value, func(*identity.Message) error { // the service has read it without error
		n++
		return nil
	})
	return n
}

// weight is how heavy a topic is.
type weight struct {
	entries int
	bytes   int // keys, values and headers of committed records
	stored  int // on the broker
}

// weigh reads a topic to its end. entriesIn says how many entries a record holds.
func (b *bench) weigh(ctx context.Context, topic string, entriesIn func(*kgo.Record) int) (w weight, err error) {
	client, err := b.reader(kgo.KeepControlRecords())
	if err != nil {
		return w, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return w, err
	}
	starts, from := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			starts[o.Partition], from[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts})
	for len(from) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return w, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				w.entries += entriesIn(r)
				w.bytes += bytesIn(r)
			}
			if r.Offset+1 >= from[r.Partition] { // control records count: the last of a transaction is one
				delete(from, r.Partition)
			}
		})
	}
	w.stored, err = storedBytes(ctx, admin, topic)
	return w, err
}

func bytesIn(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// storedBytes is the size of a topic on the disks of one replica of each partition.
func storedBytes(ctx context.Context, admin *kadm.Client, topic string) (int, error) {
	dirs, err := admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return 0, err
	}
	sizes := map[int32]int64{}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == topic {
				sizes[p.Partition] = max(sizes[p.Partition], p.Size)
			}
		})
	})
	sum := 0
	for _, size := range sizes {
		sum += int(size)
	}
	return sum, nil
}
