package lane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metadataMinAge is how soon a partition's new leader is asked for. The client's default of 5 s would be most of a
// transaction's life.
const metadataMinAge = 500 * time.Millisecond

// endingInPeace is how long the end of a transaction may hold back a rebalance. It takes milliseconds, except when the
// group has forgotten us: then it waits to hear so from the very callback that it holds back.
const endingInPeace = time.Second

// session is one client's life: it ends with the lane, or with an error that leaves open what Kafka committed. All but
// the fields under mu belong to the goroutine of run.
type session struct {
	config *Config
	task   Task
	stats  *Stats
	state  *restorer   // nil without state
	side   *kgo.Client // for questions and restores, so that these don't queue behind the group's long fetches

	kafka *kgo.GroupTransactSession
	kill  context.CancelFunc // ends whatever the client does
	hard  context.Context    // cancelled when the lane may no longer finish its transaction
	soft  context.Context    // Run's
	open  *transaction       // nil between transactions
	owned map[string][]int32

	silence  silence   // of partitions, for an Idler
	nextIdle time.Time // when to ask the Idler

	mu        sync.Mutex
	call      call
	wake      context.Context // ends a poll: there is a call, or Run's context is cancelled
	wakeNow   context.CancelFunc
	joins     int                // assignments of the group to wait for
	joined    chan struct{}      // closed when joins is 0
	notes     []note             // of partitions that have come or are about to come, which the task hasn't heard of
	closing   bool               // no callback may begin to restore
	claims    map[int32]struct{} // partitions of state that this session has told the gate of
	callbacks sync.WaitGroup
}

// call is what the client's callbacks want of the loop.
type call struct {
	failed error // the session is over
	doomed bool  // partitions were taken away: the client won't commit what is open
	wanted bool  // a rebalance waits for the open transaction to end
}

// runSession is one session from its first request to its last callback. nil means that ctx was cancelled and all ended
// well.
func (l *Lane) runSession(ctx context.Context) error {
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(l.config.StopTimeout):
			kill()
		case <-hard.Done():
		}
	})()
	s := &session{config: &l.config, task: l.task, stats: &l.stats, hard: hard, soft: ctx, joined: make(chan struct{}), claims: map[int32]struct{}{}}
	close(s.joined)
	s.wake, s.wakeNow = context.WithCancel(ctx)
	defer func() { s.wakeNow() }()
	if err := s.start(ctx); err != nil {
		return judge(err)
	}
	err := s.loop(ctx)
	s.end()
	return err
}

// start connects. When it returns without error the producer of this transactional id that ran before, if any, is
// fenced and its transaction aborted.
func (s *session) start(ctx context.Context) error {
	connecting, cancel := context.WithTimeout(ctx, s.config.SessionTimeout)
	defer cancel()
	var err error
	s.side, err = kgo.NewClient(append(slices.Clip(s.config.Client), kgo.MetadataMinAge(metadataMinAge))...)
	if err != nil {
		return fatal{fmt.Errorf("settings of the client: %w", err)}
	}
	balancer := kgo.CooperativeStickyBalancer()
	if state, ok := s.task.(Stateful); ok {
		s.state, err = newRestorer(connecting, s.config, s.stats, s.side, state)
		if err != nil {
			s.side.Close()
			return err
		}
		balancer = &warmBalancer{topic: s.config.Topics[0], warm: s.state.warm}
	}
	living, kill := context.WithCancel(context.WithoutCancel(ctx))
	s.kill = kill
	s.kafka, err = kgo.NewGroupTransactSession(append(s.options(balancer), kgo.WithContext(living))...)
	if err != nil {
		s.kill()
		s.side.Close()
		return fatal{fmt.Errorf("settings of the client: %w", err)}
	}
	if _, _, err := s.kafka.Client().ProducerID(connecting); err != nil {
		s.end()
		return fmt.Errorf("begin as transactional id %s: %w", s.config.TransactionalID, err)
	}
	return nil
}

func (s *session) options(balancer kgo.GroupBalancer) []kgo.Opt {
	opts := append(slices.Clip(s.config.Client),
		kgo.ConsumerGroup(s.config.Group),
		kgo.ConsumeTopics(s.config.Topics...),
		kgo.Balancers(balancer),
		kgo.TransactionalID(s.config.TransactionalID),
		kgo.TransactionTimeout(s.config.TransactionTimeout),
		kgo.SessionTimeout(s.config.SessionTimeout),
		kgo.HeartbeatInterval(s.config.HeartbeatInterval),
		kgo.RebalanceTimeout(s.config.RebalanceTimeout),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // the default skips records
		kgo.ProducerLinger(0),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.KeepControlRecords(), // so that offsets, and with them the lag, pass transaction markers
		kgo.RecordPartitioner(newPartitioner(append(slices.Clip(s.config.Addressed), s.config.Changelog))),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsCallbackBlocked(s.wanted),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		kgo.OnPartitionsAssigned(s.assigned),
		kgo.OnOffsetsFetched(s.fetched),
		kgo.AdjustFetchOffsetsFn(s.prepare),
		kgo.WithHooks(groupFailed(s.groupFailed)),
	)
	if s.config.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(s.config.InstanceID))
	}
	return opts
}

// end drops what is open, leaves the group (a static member stays in it), and waits for the last callback, so that the
// task's store may be closed afterwards.
func (s *session) end() {
	s.drop()
	s.mu.Lock()
	s.closing = true
	s.wakeNow()
	s.mu.Unlock()
	s.kafka.AllowRebalance()
	leaving, cancel := context.WithTimeout(s.hard, 5*time.Second)
	defer cancel()
	if err := s.kafka.Client().LeaveGroupContext(leaving); err != nil {
		s.config.Log.Info("lane left its group without a word", "lane", s.config.TransactionalID, "error", err)
	}
	s.kill() // a member that is joining doesn't listen to anything else
	s.kafka.Close()
	s.kafka.AllowRebalance() // Close polls once more, which would keep a goroutine of its own waiting for ever
	s.callbacks.Wait()
	s.mu.Lock()
	claimed := slices.Collect(maps.Keys(s.claims)) // a client that could not leave in time may still call back
	s.mu.Unlock()
	s.disclaim(claimed)
	s.side.Close()
	s.own(nil)
	s.stats.Generation.Store(0)
}

// loop polls, processes and commits until ctx is cancelled (nil) or the session is over (an error).
//
// A rebalance begins only between transactions: from the first poll of a transaction on, the client holds it back until
// AllowRebalance. While the group then joins again, no transaction is begun, since the client can't commit one before it
// has joined, and that may take longer than the broker lets a transaction live.
func (s *session) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		if s.open == nil {
			s.kafka.AllowRebalance()
			s.awaitJoin()
		}
		if err := s.turn(); err != nil {
			return err
		}
	}
	return s.finish()
}

// turn answers a call, or polls once and does what follows from it.
func (s *session) turn() error {
	switch called := s.takeCall(); {
	case called.failed != nil:
		return called.failed
	case called.doomed:
		return s.abort()
	case called.wanted && s.open != nil:
		return s.commit()
	}
	poll, cancel := context.WithDeadline(s.waking(), s.pollUntil())
	fetches := s.kafka.PollRecords(poll, s.config.MaxPollRecords)
	cancel()
	if err := s.check(fetches); err != nil {
		return err
	}
	if s.isDoomed() {
		return nil // what was polled is not processed: the abort goes back before it
	}
	s.stats.polled(fetches)
	s.silence.broken(fetches, s.config.Now())
	if s.hasNotes() {
		s.refreshOwned()
	}
	if records := withoutMarkers(fetches.Records()); len(records) > 0 {
		if err := s.process(records); err != nil {
			return err
		}
	}
	if err := s.idle(); err != nil {
		return err
	}
	switch {
	case s.open == nil:
		return nil
	case s.open.bytes >= s.config.MaxBatchBytes:
		s.stats.EarlyCommits.Add(1)
		return s.commit()
	case !s.config.Now().Before(s.open.deadline):
		return s.commit()
	}
	return nil
}

// withoutMarkers drops the control records that end transactions: no task has a use for them.
func withoutMarkers(records []*kgo.Record) []*kgo.Record {
	return slices.DeleteFunc(records, func(r *kgo.Record) bool { return r.Attrs.IsControl() })
}

// pollUntil is when a poll without records must end. Where nothing is open and nobody waits, far away.
func (s *session) pollUntil() time.Time {
	now := s.config.Now()
	left := time.Hour
	if _, ok := s.task.(Idler); ok {
		left = s.nextIdle.Sub(now)
	}
	if s.open != nil {
		left = min(left, s.open.deadline.Sub(now))
	}
	return time.Now().Add(left)
}

// check looks at what came with a poll instead of records. What the client repeats by itself is logged only.
func (s *session) check(fetches kgo.Fetches) error {
	var worst error
	fetches.EachError(func(topic string, partition int32, err error) {
		_, group := errors.AsType[*kgo.ErrGroupSession](err) // groupFailed has dealt with it
		_, loss := errors.AsType[*kgo.ErrDataLoss](err)
		switch {
		case group, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		case loss:
			worst = fatal{err}
		case isFatal(judge(err)):
			worst = fatal{fmt.Errorf("consume %s partition %d: %w", topic, partition, explain(err))}
		case kerr.IsRetriable(err):
			s.config.Log.Warn("lane can't consume for a moment", "lane", s.config.TransactionalID, "topic", topic, "partition", partition, "error", err)
		case worst == nil:
			worst = fmt.Errorf("consume %s partition %d: %w", topic, partition, err)
		}
	})
	return worst
}

// process hands records to the task inside a transaction.
func (s *session) process(records []*kgo.Record) error {
	if err := s.begin(); err != nil {
		return err
	}
	for _, record := range records {
		s.open.bytes += size(record)
		if !s.owns(record.Topic, record.Partition) {
			s.refreshOwned()
		}
		s.hold(record.Partition)
	}
	if s.config.Spanning {
		s.open.fence = true
		for _, partition := range s.owned[s.config.Topics[0]] {
			s.hold(partition)
		}
	}
	s.open.records += len(records)
	made, err := s.task.Process(s.hard, records)
	if err != nil {
		return fatal{fmt.Errorf("process %s: %w", span(records), err)}
	}
	s.produce(made)
	return nil
}

// hold tells the gate of a partition whose state the open transaction may change.
func (s *session) hold(partition int32) {
	if _, ok := s.open.held[partition]; !ok && s.state != nil {
		s.config.Gate.hold(partition)
		s.open.held[partition] = struct{}{}
	}
}

// span says where records came from.
func span(records []*kgo.Record) string {
	first, last := records[0], records[len(records)-1]
	if len(records) == 1 {
		return fmt.Sprintf("%s/%d@%d", first.Topic, first.Partition, first.Offset)
	}
	return fmt.Sprintf("%s/%d@%d … %s/%d@%d", first.Topic, first.Partition, first.Offset, last.Topic, last.Partition, last.Offset)
}

// idle asks an Idler, when it is time, whether it has something to say.
func (s *session) idle() error {
	idler, ok := s.task.(Idler)
	if !ok {
		return nil
	}
	now := s.config.Now()
	if now.Before(s.nextIdle) || s.waking().Err() != nil { // a call comes first
		return nil
	}
	s.refreshOwned()
	s.nextIdle = now.Add(s.config.IdleInterval)
	if len(s.owned) == 0 {
		return nil
	}
	made, err := idler.Idle(s.hard, s.quiet(now))
	if err != nil {
		return fatal{fmt.Errorf("idle: %w", err)}
	}
	if len(made) == 0 {
		return nil
	}
	if err := s.begin(); err != nil {
		return err
	}
	s.open.fence = true
	s.produce(made)
	return nil
}

func (s *session) begin() error {
	if s.open != nil {
		return nil
	}
	if err := s.kafka.Begin(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	s.open = newTransaction(s.config.Now().Add(s.config.CommitInterval))
	return nil
}

func (s *session) produce(records []*kgo.Record) {
	acked := s.open.acked(s.config.Changelog)
	now := s.config.Now() // else the client asks the clock for every record
	for _, record := range records {
		record.Timestamp = now
		s.open.bytes += size(record)
		s.open.produced++
		s.kafka.Produce(s.hard, record, acked)
	}
}

// finish ends the open transaction after Run was told to stop: committed if nothing speaks against it.
func (s *session) finish() error {
	switch {
	case s.isDoomed():
		return s.abort()
	case s.open != nil:
		return s.commit()
	}
	return nil
}

// commit ends the open transaction. Its lines are in the order that README.md explains.
func (s *session) commit() error {
	began := s.config.Now()
	made, err := s.task.Flush(s.hard)
	if err != nil {
		return fatal{fmt.Errorf("flush: %w", err)}
	}
	s.produce(made)
	// Not the context of Run: an End that is cancelled leaves open what Kafka committed.
	ending, cancel := s.ending()
	defer cancel()
	defer time.AfterFunc(endingInPeace, s.kafka.AllowRebalance).Stop()
	if err := s.kafka.Client().Flush(ending); err != nil {
		return fmt.Errorf("flush the produced records: %w", err)
	}
	if err := s.open.failure(); err != nil {
		return judge(err)
	}
	committed, err := s.kafka.End(kgo.PreTxnCommitFnContext(ending, s.annotate), kgo.TryCommit)
	if err != nil {
		// Not aborted but unknown. The changelog tells the next session.
		return judge(fmt.Errorf("commit: %w", err))
	}
	if !committed {
		s.stats.Aborts.Add(1)
		s.drop()
		s.refreshOwned()
		return nil
	}
	if err := s.task.Commit(s.open.positions(s.state.topicID(), s.config.Now())); err != nil {
		return fatal{fmt.Errorf("commit the state: %w", err)}
	}
	s.stats.Commits.Add(1)
	s.stats.Consumed.Add(int64(s.open.records))
	s.stats.Produced.Add(int64(s.open.produced))
	s.stats.CommitNanos.Add(int64(s.config.Now().Sub(began)))
	s.close()
	return nil
}

// annotate completes the client's request to commit offsets.
func (s *session) annotate(request *kmsg.TxnOffsetCommitRequest) error {
	if s.open.fence {
		s.addOwned(request)
	}
	noter, notes := s.task.(Noter)
	if !notes && s.state == nil {
		return nil
	}
	for _, topic := range request.Topics {
		for i := range topic.Partitions {
			text, partition := "", topic.Partitions[i].Partition
			if s.state != nil {
				text = s.state.reach(partition, s.open.wrote(partition)).String()
			}
			if notes {
				text += noter.Note(TopicPartition{topic.Topic, partition})
			}
			topic.Partitions[i].Metadata = &text
		}
	}
	return nil
}

// addOwned adds the partitions of which nothing was consumed, with the offsets that they have. The group refuses the request
// of a member that it has thrown out, and gives nobody else a partition of it before the transaction has ended. A partition that
// has just come is left out: the task hasn't heard of it, and would replace its note.
func (s *session) addOwned(request *kmsg.TxnOffsetCommitRequest) {
	there := map[TopicPartition]bool{}
	for _, topic := range request.Topics {
		for _, partition := range topic.Partitions {
			there[TopicPartition{topic.Topic, partition.Partition}] = true
		}
	}
	for name, offsets := range s.kafka.Client().CommittedOffsets() {
		topic := kmsg.NewTxnOffsetCommitRequestTopic()
		topic.Topic = name
		for number, offset := range offsets {
			if there[TopicPartition{name, number}] || !s.owns(name, number) {
				continue
			}
			partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			partition.Partition, partition.Offset, partition.LeaderEpoch = number, offset.Offset, offset.Epoch
			topic.Partitions = append(topic.Partitions, partition)
		}
		if len(topic.Partitions) > 0 {
			request.Topics = append(request.Topics, topic)
		}
	}
}

// ending bounds the end of a transaction: longer than the broker lets it live.
func (s *session) ending() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.hard, s.config.TransactionTimeout+5*time.Second)
}

// abort ends the open transaction, if any, without a trace; consuming goes back to the committed offsets. Without an
// open one it makes the client forget the revocation, which would else abort the next transaction.
func (s *session) abort() error {
	if s.open != nil {
		s.stats.Aborts.Add(1)
	}
	s.drop()
	ending, cancel := s.ending()
	defer cancel()
	if _, err := s.kafka.End(ending, kgo.TryAbort); err != nil {
		return judge(fmt.Errorf("abort: %w", err))
	}
	s.refreshOwned()
	return nil
}

// drop makes the task forget the open transaction and lets its partitions go.
func (s *session) drop() {
	s.task.Abort()
	s.silence.reset(s.config.Now()) // consuming goes back
	s.close()
}

func (s *session) close() {
	if s.open == nil {
		return
	}
	s.config.Gate.release(s.open.held)
	s.open = nil
}

// owns is about the set that the task was told.
func (s *session) owns(topic string, partition int32) bool {
	_, found := slices.BinarySearch(s.owned[topic], partition)
	return found
}

func (s *session) own(partitions map[string][]int32) {
	s.owned = partitions
	s.nextIdle = time.Time{}
	s.stats.owned(partitions)
	s.silence.own(partitions, s.config.Now())
	if owner, ok := s.task.(Owner); ok {
		owner.Own(partitions)
	}
}

// refreshOwned asks the client what it owns, and tells the task if that has changed, and the notes of what has come.
func (s *session) refreshOwned() {
	now := map[string][]int32{}
	for topic, partitions := range s.kafka.Client().CommittedOffsets() {
		now[topic] = slices.Sorted(maps.Keys(partitions))
	}
	if !maps.EqualFunc(now, s.owned, slices.Equal) {
		s.own(now)
	}
	if noter, ok := s.task.(Noter); ok {
		for _, n := range s.takeNotes() {
			noter.Noted(n.partition, n.text)
		}
	}
}

// The rest is called by the client's goroutines too.

// wanted is the client's callback when a rebalance must wait for the open transaction.
func (s *session) wanted(context.Context, *kgo.Client) {
	s.notify(func() { s.call.wanted = true })
}

// revoked is the client's callback at the end of a group's generation, and again in the next one with the partitions
// that were taken away: then the member will join once more after this generation has been assigned.
func (s *session) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	defer s.disclaim(partitions[s.config.Topics[0]])
	if len(partitions) == 0 {
		s.notify(func() { s.join(1) })
		return
	}
	s.stats.Revocations.Add(1)
	s.notify(func() {
		s.join(2)
		s.call.doomed = true
	})
}

// lost is the client's callback when the group has forgotten this member.
func (s *session) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	defer s.disclaim(partitions[s.config.Topics[0]])
	s.stats.Losses.Add(1)
	s.notify(func() {
		s.join(1)
		s.call.doomed = true
	})
}

// groupFailed is the client's hook when it couldn't join or stay in the group. It tries again by itself, for ever.
type groupFailed func(error)

// OnGroupManageError is called by the client.
func (g groupFailed) OnGroupManageError(err error) { g(err) }

func (s *session) groupFailed(err error) {
	if err := judge(err); isFatal(err) {
		s.notify(func() { s.call.failed = err })
		return
	}
	s.config.Log.Warn("lane is out of its group for a moment", "lane", s.config.TransactionalID, "error", err)
}

// join notes how many assignments are to come before a transaction may begin. mu is held.
func (s *session) join(assignments int) {
	if s.joins == 0 {
		s.joined = make(chan struct{})
	}
	s.joins = max(s.joins, assignments)
}

// assigned is the client's callback when a generation of the group has begun, whatever it assigns.
func (s *session) assigned(_ context.Context, client *kgo.Client, _ map[string][]int32) {
	_, generation := client.GroupMetadata()
	s.stats.Generation.Store(int64(generation))
	s.config.Log.Info("lane is in its group", "lane", s.config.TransactionalID, "generation", generation)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joins == 0 {
		return
	}
	if s.joins--; s.joins == 0 {
		close(s.joined)
	}
}

// awaitJoin returns when the group has joined, or when there is something else to do.
func (s *session) awaitJoin() {
	for {
		s.mu.Lock()
		joined, wake, called := s.joined, s.wake, s.call
		s.mu.Unlock()
		if called != (call{}) || s.soft.Err() != nil {
			return
		}
		select {
		case <-joined:
			return
		case <-wake.Done():
			s.mu.Lock()
			s.renewWake()
			s.mu.Unlock()
		}
	}
}

// renewWake makes the next poll last. mu is held.
func (s *session) renewWake() {
	if s.wake.Err() != nil {
		s.wake, s.wakeNow = context.WithCancel(s.soft)
	}
}

// prepare is the client's callback between knowing the committed offsets of new partitions and consuming them. Here the
// partitions' state is restored: heartbeats go on meanwhile, and a rebalance cancels ctx.
func (s *session) prepare(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil, context.Canceled
	}
	s.callbacks.Add(1)
	s.claim(offsets[s.config.Topics[0]])
	s.mu.Unlock()
	defer s.callbacks.Done()
	uncommitted := missing(offsets)
	err := pin(ctx, s.side, offsets)
	if err == nil && s.state != nil {
		err = s.state.restoreAll(ctx, offsets[s.config.Topics[0]], uncommitted)
	}
	if err != nil && ctx.Err() == nil {
		s.notify(func() { s.call.failed = judge(err) })
	}
	return offsets, err
}

// note is what was found beside the committed offset of a partition.
type note struct {
	partition TopicPartition
	text      string
}

// fetched is the client's callback with the committed offsets of new partitions, before it consumes them.
func (s *session) fetched(_ context.Context, _ *kgo.Client, answer *kmsg.OffsetFetchResponse) error {
	_, notes := s.task.(Noter)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, group := range answer.Groups {
		for _, topic := range group.Topics {
			for _, partition := range topic.Partitions {
				if partition.Offset < 0 {
					continue // nobody has committed it yet
				}
				n := note{partition: TopicPartition{topic.Topic, partition.Partition}}
				if partition.Metadata != nil {
					n.text = *partition.Metadata
				}
				if m, rest, ok := cutMark(n.text); ok && s.state != nil {
					s.state.mark(partition.Partition, m)
					n.text = rest
				}
				if notes {
					s.notes = append(s.notes, n)
				}
			}
		}
	}
	return nil
}

func (s *session) hasNotes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.notes) > 0
}

// takeNotes returns the notes of owned partitions. The client owns a partition a moment after it has fetched its offset;
// notes of others wait.
func (s *session) takeNotes() (taken []note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []note
	for _, n := range s.notes {
		if s.owns(n.partition.Topic, n.partition.Partition) {
			taken = append(taken, n)
		} else {
			rest = append(rest, n)
		}
	}
	s.notes = rest
	return taken
}

// claim tells the gate of new partitions before their state is looked at. mu is held.
func (s *session) claim(partitions map[int32]kgo.Offset) {
	for partition := range partitions {
		if _, known := s.claims[partition]; !known && s.state != nil {
			s.claims[partition] = struct{}{}
			s.config.Gate.own(partition)
		}
	}
}

// disclaim tells the gate of partitions that are not this lane's any more.
func (s *session) disclaim(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partition := range partitions {
		if _, known := s.claims[partition]; known {
			delete(s.claims, partition)
			s.config.Gate.disown(partition)
		}
	}
}

// notify changes the call and ends a poll.
func (s *session) notify(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.wakeNow()
}

// takeCall is what was called for since the last time. A failure stays.
func (s *session) takeCall() call {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.call
	s.call = call{failed: taken.failed}
	s.renewWake()
	return taken
}

func (s *session) waking() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake
}

func (s *session) isDoomed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.call.doomed
}
