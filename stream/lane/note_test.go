package lane

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tributary/stream/kafkatest"
)

// clerk notes of each partition how many records it has seen, and tells its own lane when it has nothing to do.
type clerk struct {
	script

	mu        sync.Mutex
	seen      map[TopicPartition]int
	committed map[TopicPartition]int
	notes     map[TopicPartition]string // as they came
	quiet     []TopicPartition          // at the last question
	asked     int
}

func newClerk() *clerk {
	c := &clerk{seen: map[TopicPartition]int{}, committed: map[TopicPartition]int{}, notes: map[TopicPartition]string{}}
	c.process = func(records []*kgo.Record) ([]*kgo.Record, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, r := range records {
			if r.Attrs.IsControl() {
				return nil, fmt.Errorf("a marker at %d", r.Offset)
			}
			c.seen[TopicPartition{r.Topic, r.Partition}]++
		}
		return nil, nil
	}
	return c
}

func (c *clerk) Noted(p TopicPartition, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[p] = note
	c.seen[p], _ = strconv.Atoi(note)
	c.committed[p] = c.seen[p]
}

func (c *clerk) Note(p TopicPartition) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strconv.Itoa(c.seen[p])
}

func (c *clerk) Commit(map[int32]Position) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, n := range c.seen {
		c.committed[p] = n
	}
	return nil
}

func (c *clerk) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = maps.Clone(c.committed)
}

func (c *clerk) Idle(_ context.Context, quiet []TopicPartition) ([]*kgo.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = slices.SortedFunc(slices.Values(quiet), func(a, b TopicPartition) int { return int(a.Partition - b.Partition) })
	c.asked++
	return nil, nil
}

func (c *clerk) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, seen := range c.committed {
		n += seen
	}
	return n
}

func (c *clerk) questions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func (c *clerk) quietPartitions() (numbers []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.quiet {
		numbers = append(numbers, p.Partition)
	}
	return numbers
}

// run runs the clerk's lane until the returned function is called.
func (c *clerk) run(t *testing.T, r *river, config Config) (lane *Lane, stop func()) {
	t.Helper()
	config.CommitInterval = 10 * time.Millisecond
	lane = mustLane(t, r, config, c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lane.Run(ctx) }()
	return lane, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("lane: %v", err)
		}
	})
}

// What the task noted comes back with each partition, to whoever gets it, as of the last transaction that committed.
func TestNotesGoWithTheirPartitions(t *testing.T) {
	notesGo(t, kafkatest.StartFake(t, kafkatest.Options{}))
}

func notesGo(t *testing.T, cluster *kafkatest.Cluster) {
	ctx := limit(t)
	r := newRiver(t, cluster, 3, 1)
	sent := map[int32]int{}
	before := map[TopicPartition]string{}
	for round := range 3 {
		for n := range 40 {
			partition := int32(n+n/7) % 3
			sent[partition]++
			r.source.Produce(ctx, &kgo.Record{Topic: r.in, Partition: partition, Value: []byte("x")}, nil)
		}
		if err := r.source.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		c := newClerk()
		_, stop := c.run(t, r, Config{})
		defer stop()
		until(ctx, t, "all is counted", func() bool { return c.total() == 40*(round+1) })
		stop()
		for partition := range r.partitions {
			p := TopicPartition{r.in, partition}
			if c.notes[p] != before[p] {
				t.Errorf("round %d, partition %d: note %q, want %q", round, partition, c.notes[p], before[p])
			}
			before[p] = strconv.Itoa(sent[partition])
		}
	}
}

// An aborted transaction leaves the notes of the one before.
func TestNotesOfAnAbortedTransaction(t *testing.T) {
	ctx := limit(t)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := newRiver(t, cluster, 1, 1)
	r.send(ctx, fixed(), 10)
	fault := cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError})
	c := newClerk()
	_, stop := c.run(t, r, Config{})
	defer stop()
	until(ctx, t, "all is counted", func() bool { return c.total() >= 10 })
	if n := c.total(); n != 10 || fault.Hits() == 0 {
		t.Fatalf("%d records counted, 10 were sent; %d faults", n, fault.Hits())
	}
}

// A lane that the group has thrown out can't speak: what it says without input is fenced, too.
func TestIdlerIsFenced(t *testing.T) {
	ctx, stop := context.WithCancel(limit(t))
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := newRiver(t, cluster, 1, 1)
	fault := cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration})
	lane := mustLane(t, r, Config{IdleInterval: 20 * time.Millisecond, CommitInterval: 10 * time.Millisecond},
		&beacon{topic: r.out, script: script{commit: stop}})
	if err := lane.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if fault.Hits() != 1 || lane.Stats().Aborts.Load() != 1 {
		t.Fatalf("%d faults, %d aborts; want 1 of each", fault.Hits(), lane.Stats().Aborts.Load())
	}
}

// A partition is quiet when nothing comes and nothing is left to read. One that can't be read is not, and one whose last
// records were an aborted transaction is.
func TestQuietPartitions(t *testing.T) {
	ctx := limit(t)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := newRiver(t, cluster, 3, 1)
	unreadable := cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: r.in, Partitions: []int32{1}, Err: kerr.NotLeaderForPartition, Count: -1})
	if err := r.source.ProduceSync(ctx, &kgo.Record{Topic: r.in, Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	aborted := cluster.Client(t, kgo.TransactionalID("aborts"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := aborted.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := aborted.ProduceSync(ctx, &kgo.Record{Topic: r.in, Partition: 2, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := aborted.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	c := newClerk()
	lane, stop := c.run(t, r, Config{IdleInterval: 10 * time.Millisecond, IdleAfter: 50 * time.Millisecond})
	defer stop()
	until(ctx, t, "the readable ones are quiet", func() bool { return slices.Equal(c.quietPartitions(), []int32{0, 2}) })
	asked := c.questions()
	until(ctx, t, "it was asked again", func() bool { return c.questions() > asked+20 })
	if quiet := c.quietPartitions(); !slices.Equal(quiet, []int32{0, 2}) {
		t.Fatalf("%v are quiet; 1 has a record that was not read", quiet)
	}
	unreadable.Remove()
	until(ctx, t, "all are quiet", func() bool { return slices.Equal(c.quietPartitions(), []int32{0, 1, 2}) })
	for p, lag := range lane.Stats().Lag() {
		if lag != 0 {
			t.Errorf("lag %d of %v, which was read to its end", lag, p)
		}
	}
	if c.total() != 1 {
		t.Errorf("%d records, want 1", c.total())
	}
}

// speaker is a clerk that has something to say without input. The end of a transaction can be held up, for longer than it may
// hold back a rebalance, until its client has a record of a partition that came meanwhile.
type speaker struct {
	*clerk
	topic   string
	ending  chan struct{}   // receives when a transaction is ending
	fetched chan struct{}   // has something when a record was fetched
	over    <-chan struct{} // closed when the test is
	held    bool            // the transaction that was held up is not over
	note    func()          // called when it is
}

func (s *speaker) Idle(context.Context, []TopicPartition) ([]*kgo.Record, error) {
	return []*kgo.Record{{Topic: s.topic, Value: []byte("here")}}, nil
}

func (s *speaker) Commit(positions map[int32]Position) error {
	if s.held {
		s.note()
	}
	s.held = false
	return s.clerk.Commit(positions)
}

func (s *speaker) Abort() {
	s.held = false
	s.clerk.Abort()
}

// partition is the one that it was told of.
func (s *speaker) partition() int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.notes {
		return p.Partition
	}
	return -1
}

// OnProduceRecordBuffered is called by the client.
func (s *speaker) OnProduceRecordBuffered(*kgo.Record) {}

// OnProduceRecordUnbuffered is called by the client when a record is written.
func (s *speaker) OnProduceRecordUnbuffered(*kgo.Record, error) {
	select {
	case s.ending <- struct{}{}:
		s.held = true
		select {
		case <-s.fetched:
		case <-s.over:
		}
	default:
	}
}

// OnFetchRecordBuffered is called by the client when it has fetched a record.
func (s *speaker) OnFetchRecordBuffered(*kgo.Record) {
	select {
	case s.fetched <- struct{}{}:
	default:
	}
}

// OnFetchRecordUnbuffered is called by the client.
func (s *speaker) OnFetchRecordUnbuffered(*kgo.Record, bool) {}

// A partition comes to a lane in the middle of a transaction without input, which commits the offsets of all partitions. The
// task hasn't heard of it, and its note stays.
func TestNoteOfAPartitionThatHasJustCome(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 2, 1)
	send := func(partition int32) {
		if err := r.source.ProduceSync(ctx, &kgo.Record{Topic: r.in, Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	other := newClerk()
	otherLane, leave := other.run(t, r, Config{})
	defer leave()
	send(0)
	send(1)
	until(ctx, t, "both records are counted", func() bool { return other.total() == 2 })

	s := &speaker{clerk: newClerk(), topic: r.out, ending: make(chan struct{}), fetched: make(chan struct{}, 1), over: ctx.Done()}
	lane, err := New(Config{Client: []kgo.Opt{kgo.SeedBrokers(r.cluster.Brokers()...), kgo.WithHooks(s), kgo.FetchMaxWait(100 * time.Millisecond)}, Group: r.group, TransactionalID: r.group + "-speaker",
		Topics: []string{r.in}, IdleInterval: 10 * time.Millisecond, CommitInterval: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, s)
	if err != nil {
		t.Fatal(err)
	}
	var comes int32
	var kept []string
	s.note = func() {
		offsets, err := kadm.NewClient(r.source).FetchOffsets(ctx, r.group)
		at, _ := offsets.Lookup(r.in, comes)
		if err != nil {
			t.Error(err)
		}
		kept = append(kept, at.Metadata)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- lane.Run(running) }()
	until(ctx, t, "each lane has a partition", func() bool {
		return lane.Stats().Owned.Load() == 1 && otherLane.Stats().Owned.Load() == 1
	})
	<-s.ending
	comes = 1 - s.partition()
	leave()
	send(comes)
	until(ctx, t, "the new record is counted", func() bool { return s.total() == 3 })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(kept, []string{"1"}) {
		t.Errorf("notes %q, want 1", kept)
	}
}
