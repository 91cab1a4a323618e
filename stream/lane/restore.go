package lane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	restoresAtOnce = 4               // partitions read side by side
	restoreFetch   = 8 << 20         // bytes of one answer, before decompression
	restorePace    = 5 * time.Second // between two log lines of progress
	// defaultTombstones is Kafka's delete.retention.ms, for a cluster that doesn't let us read it.
	defaultTombstones = 24 * time.Hour
)

// restorer brings the state of partitions up to the end of their changelog.
type restorer struct {
	config     *Config
	stats      *Stats
	state      Stateful
	client     *kgo.Client
	admin      *kadm.Client
	topic      kadm.TopicID
	partitions int32
	tombstones time.Duration // how long the changelog keeps the record of a deletion

	mu      sync.Mutex
	leaders map[int32]int32
	found   map[int32]mark  // beside the offsets of partitions that come
	reached map[int32]int64 // how far the changelog is known to go
}

// newRestorer looks at the changelog. It fails fatally if that doesn't fit the consumed topic.
func newRestorer(ctx context.Context, config *Config, stats *Stats, client *kgo.Client, state Stateful) (*restorer, error) {
	r := &restorer{config: config, stats: stats, state: state, client: client, admin: kadm.NewClient(client), leaders: map[int32]int32{},
		found: map[int32]mark{}, reached: map[int32]int64{}}
	details, err := r.admin.ListTopics(ctx, config.Topics[0], config.Changelog)
	if err != nil {
		return nil, fmt.Errorf("look up the changelog: %w", err)
	}
	for _, topic := range []string{config.Topics[0], config.Changelog} {
		if err := details[topic].Err; err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, err)
		}
	}
	input, changelog := len(details[config.Topics[0]].Partitions), len(details[config.Changelog].Partitions)
	if input != changelog {
		return nil, fatal{fmt.Errorf("topic %s has %d partitions and its changelog %s has %d: they must have the same number", config.Topics[0], input, config.Changelog, changelog)}
	}
	r.topic, r.partitions = details[config.Changelog].ID, int32(changelog)
	r.tombstones = r.deleteRetention(ctx)
	return r, nil
}

func (r *restorer) deleteRetention(ctx context.Context) time.Duration {
	configs, err := r.admin.DescribeTopicConfigs(ctx, r.config.Changelog)
	if err != nil {
		return defaultTombstones
	}
	config, err := configs.On(r.config.Changelog, nil)
	if err != nil {
		return defaultTombstones
	}
	for _, entry := range config.Configs {
		if entry.Key != "delete.retention.ms" || entry.Value == nil {
			continue
		}
		var millis int64
		if _, err := fmt.Sscan(*entry.Value, &millis); err == nil {
			return time.Duration(millis) * time.Millisecond
		}
	}
	return defaultTombstones
}

// topicID is the changelog's, zero where there is no state.
func (r *restorer) topicID() [16]byte {
	if r == nil {
		return [16]byte{}
	}
	return r.topic
}

// warm is which partitions have usable state here, and up to which offset of the changelog.
func (r *restorer) warm() map[int32]int64 {
	found := map[int32]int64{}
	for partition := range r.partitions {
		position, ok, err := r.state.Position(partition)
		if err == nil && ok && position.Topic == r.topic {
			found[partition] = position.Next
		}
	}
	return found
}

// missing are the partitions for which the group has no committed offset.
func missing(offsets map[string]map[int32]kgo.Offset) map[int32]bool {
	found := map[int32]bool{}
	for _, partitions := range offsets {
		for partition, offset := range partitions {
			if offset.EpochOffset().Offset < 0 {
				found[partition] = true
			}
		}
	}
	return found
}

// pin replaces "from the start" by the offset that this is now. The client takes a partition without a committed offset for
// committed at 0, so that the first abort would go back to 0 although the log may begin later.
func pin(ctx context.Context, client *kgo.Client, offsets map[string]map[int32]kgo.Offset) error {
	var topics []string
	for topic, partitions := range offsets {
		for _, offset := range partitions {
			if offset.EpochOffset().Offset < 0 {
				topics = append(topics, topic)
				break
			}
		}
	}
	if len(topics) == 0 {
		return nil
	}
	starts, err := kadm.NewClient(client).ListStartOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("find where the topics begin: %w", err)
	}
	for _, topic := range topics {
		for partition, offset := range offsets[topic] {
			if offset.EpochOffset().Offset >= 0 {
				continue
			}
			start, ok := starts.Lookup(topic, partition)
			if !ok || start.Err != nil {
				return fmt.Errorf("find where %s partition %d begins: %w", topic, partition, errors.Join(start.Err, kerr.UnknownTopicOrPartition))
			}
			offsets[topic][partition] = kgo.NewOffset().At(start.Offset)
		}
	}
	return nil
}

// restoreAll restores the partitions of offsets, a few at a time. It returns the first error after all have ended.
func (r *restorer) restoreAll(ctx context.Context, offsets map[int32]kgo.Offset, uncommitted map[int32]bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	slots := make(chan struct{}, restoresAtOnce)
	for partition := range offsets {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r.stats.Restoring.Add(1)
			defer r.stats.Restoring.Add(-1)
			if err := r.restore(ctx, partition, !uncommitted[partition]); err != nil {
				cancel(fmt.Errorf("restore %s partition %d: %w", r.config.Changelog, partition, err))
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// log is where a partition of the changelog begins and ends. The end is the high watermark, not the last stable offset:
// an open transaction holds that one back below records that are committed.
type log struct{ start, end int64 }

// restore brings one partition to the end that its changelog has now. committed says whether the group has an offset for
// it: without one there can't be state.
func (r *restorer) restore(ctx context.Context, partition int32, committed bool) error {
	if err := r.config.Gate.wait(ctx, partition); err != nil {
		return err
	}
	defer r.stats.restoreOver(partition)
	for {
		now := r.config.Now()
		bounds, err := r.bounds(ctx, partition)
		if err != nil {
			return err
		}
		if err := r.checkMark(partition, bounds); err != nil {
			return fatal{fmt.Errorf("%w: bring the records back; or, to begin anew, take another application_id", err)}
		}
		position, ok, err := r.state.Position(partition)
		if err != nil {
			return fatal{fmt.Errorf("read the position: %w", err)}
		}
		if why := r.useless(position, bounds, now, committed); ok && why != "" {
			if err := r.reset(partition, position, why); err != nil {
				return err
			}
			ok = false
		}
		if !ok {
			position = Position{Topic: r.topic, Next: bounds.start, At: now.UnixMilli()}
		}
		rows, err := r.read(ctx, partition, &position, bounds.end)
		switch {
		case errors.Is(err, kerr.OffsetOutOfRange):
			// The log moved its start past us between the question and the read. Ask again.
			continue
		case err != nil:
			return err
		case rows > 0 && !committed:
			return fatal{fmt.Errorf("group %s, topic %s: %w: set the group's offset to where the state stands, or delete the changelog and begin anew", r.config.Group, r.config.Topics[0], ErrOffsetsLost)}
		}
		position.At = now.UnixMilli()
		if err := r.state.Restore(partition, nil, position); err != nil {
			return fatal{fmt.Errorf("store the position: %w", err)}
		}
		r.reach(partition, position.Next)
		r.stats.Restores.Add(1)
		return nil
	}
}

// mark is what was found beside the offset of a partition that is about to come.
func (r *restorer) mark(partition int32, m mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found[partition] = m
}

func (r *restorer) checkMark(partition int32, now log) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.found[partition]
	if !ok {
		return nil
	}
	return m.check(r.topic, now)
}

// reach notes how far the changelog of a partition goes, at least, and returns the mark that says so.
func (r *restorer) reach(partition int32, next int64) mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached[partition] = max(r.reached[partition], next)
	return mark{r.topic, r.reached[partition]}
}

// useless is why local state can't be brought up to date, or "".
func (r *restorer) useless(position Position, bounds log, now time.Time, committed bool) string {
	age := now.Sub(time.UnixMilli(position.At))
	switch {
	case position.Topic != r.topic:
		return "the changelog is another topic than the state was built from"
	case position.Next > bounds.end:
		return "the state is ahead of its changelog, which lost records"
	case position.Next < bounds.start:
		return "the changelog begins after the state ends"
	case !committed && position.Next > bounds.start:
		return "the group has no committed offset"
	// One offset is the marker of the last transaction; what could have been forgotten is a record and its marker.
	case age > r.tombstones && bounds.end-position.Next > 1:
		return "the state is older than the changelog keeps deletions"
	}
	return ""
}

func (r *restorer) reset(partition int32, position Position, why string) error {
	r.config.Log.Warn("local state dropped, the whole changelog is read", "changelog", r.config.Changelog, "partition", partition, "position", position.Next, "why", why)
	r.stats.Resets.Add(1)
	if err := r.state.Reset(partition); err != nil {
		return fatal{fmt.Errorf("drop the state: %w", err)}
	}
	return nil
}

func (r *restorer) bounds(ctx context.Context, partition int32) (log, error) {
	starts, err := r.admin.ListStartOffsets(ctx, r.config.Changelog)
	if err != nil {
		return log{}, fmt.Errorf("find the start: %w", err)
	}
	ends, err := r.admin.ListEndOffsets(ctx, r.config.Changelog)
	if err != nil {
		return log{}, fmt.Errorf("find the end: %w", err)
	}
	start, _ := starts.Lookup(r.config.Changelog, partition)
	end, ok := ends.Lookup(r.config.Changelog, partition)
	if err := errors.Join(start.Err, end.Err); err != nil || !ok {
		return log{}, fmt.Errorf("find start and end: %w", errors.Join(err, kerr.UnknownTopicOrPartition))
	}
	return log{start.Offset, end.Offset}, nil
}

// read applies the committed records from position up to end, and moves position along. It waits for transactions that are open
// below the end, until one way or the other nothing has moved for RestoreStall.
func (r *restorer) read(ctx context.Context, partition int32, position *Position, end int64) (rows int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(r.config.RestoreStall, func() {
		cancel(fmt.Errorf("no progress for %v on the way to offset %d: a transaction is open, or the log lost its end", r.config.RestoreStall, end))
	})
	defer watchdog.Stop()
	spoke := time.Now()
	r.stats.restored(partition, max(0, end-position.Next), spoke)
	for position.Next < end {
		records, next, err := r.fetch(ctx, partition, position.Next, end)
		if err != nil {
			return rows, err
		}
		if next == position.Next {
			continue
		}
		watchdog.Reset(r.config.RestoreStall)
		position.Next = next
		if err := r.state.Restore(partition, records, *position); err != nil {
			return rows, fatal{fmt.Errorf("apply up to offset %d: %w", next, err)}
		}
		rows += int64(len(records))
		r.stats.RestoredRows.Add(int64(len(records)))
		progress := r.stats.restored(partition, max(0, end-next), time.Now())
		if time.Since(spoke) > restorePace {
			spoke = time.Now()
			r.config.Log.Info("restoring", "changelog", r.config.Changelog, "partition", partition, "rows", rows, "offsets_left", progress.Left,
				"about", progress.Estimate.Round(time.Second))
		}
	}
	return rows, nil
}

// fetch asks the partition's leader once. It returns committed records, and the offset after all that was looked at:
// unlike a plain consumer this sees how far the log is read when its tail holds only markers and aborted records. The next offset
// is from itself when there is nothing to read yet.
func (r *restorer) fetch(ctx context.Context, partition int32, from, end int64) ([]*kgo.Record, int64, error) {
	answer, err := r.ask(ctx, partition, from)
	if err != nil {
		return nil, from, err
	}
	part, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: from, IsolationLevel: kgo.ReadCommitted(), Topic: r.config.Changelog, Partition: partition,
	}, answer, kgo.DefaultDecompressor(), nil)
	switch {
	case part.Err == nil:
	case kerr.IsRetriable(part.Err):
		return nil, from, r.lostLeader(ctx, partition)
	default:
		return nil, from, part.Err
	}
	if next == from && len(answer.RecordBatches) == 0 && part.LastStableOffset >= end {
		return nil, end, nil // the tail was compacted away
	}
	return part.Records, next, nil
}

// ask sends one fetch to the leader. A leader that is gone or moving is an answer without records.
func (r *restorer) ask(ctx context.Context, partition int32, from int64) (*kmsg.FetchResponseTopicPartition, error) {
	nothing := &kmsg.FetchResponseTopicPartition{Partition: partition, LastStableOffset: -1}
	leader, err := r.leader(ctx, partition)
	if err != nil || leader < 0 {
		return nothing, errors.Join(err, r.lostLeader(ctx, partition))
	}
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis, request.MinBytes, request.MaxBytes = 200, 1, restoreFetch
	request.IsolationLevel = 1
	request.SessionEpoch = -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.config.Changelog, r.topic
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = partition, from, restoreFetch
	topic.Partitions = append(topic.Partitions, part)
	request.Topics = append(request.Topics, topic)
	raw, err := r.client.Broker(int(leader)).RetriableRequest(ctx, request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nothing, r.lostLeader(ctx, partition)
	}
	response := raw.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
		return nil, err
	}
	if len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1 {
		return nothing, nil
	}
	return &response.Topics[0].Partitions[0], nil
}

// leader is the broker to ask about a partition, -1 if there is none now.
func (r *restorer) leader(ctx context.Context, partition int32) (int32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leader, ok := r.leaders[partition]; ok {
		return leader, nil
	}
	details, err := r.admin.ListTopics(ctx, r.config.Changelog)
	if err != nil {
		return -1, fmt.Errorf("find the leader: %w", err)
	}
	for number, detail := range details[r.config.Changelog].Partitions {
		r.leaders[number] = detail.Leader
	}
	leader, ok := r.leaders[partition]
	if !ok {
		return -1, nil
	}
	return leader, nil
}

// lostLeader forgets who leads a partition, and waits a little before somebody asks again.
func (r *restorer) lostLeader(ctx context.Context, partition int32) error {
	r.mu.Lock()
	delete(r.leaders, partition)
	r.mu.Unlock()
	pause := time.NewTimer(100 * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
