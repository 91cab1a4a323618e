package lane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
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

// limit ends a test that waits for something that doesn't come.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func fixed() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// until asks again and again, for what no event tells.
func until(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// The input's first records were deleted, so that it begins at offset 4, and the very first transaction is aborted. The lane
// goes back to 4, not to 0.
func TestFirstAbortGoesBackToTheLogStart(t *testing.T) {
	ctx := limit(t)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := newRiver(t, cluster, 1, 1)
	for range 4 {
		r.source.Produce(ctx, &kgo.Record{Topic: r.in, Key: []byte("old"), Value: []byte("x 0")}, nil)
	}
	if err := r.source.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Fake().DeleteRecords(r.in, 0, 4); err != nil {
		t.Fatal(err)
	}
	fault := cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration})
	r.send(ctx, fixed(), 50)
	r.instances[0].start()
	r.check(ctx)
	if fault.Hits() != 1 || r.aborts != 1 || r.restarts != 0 {
		t.Fatalf("%d aborts by the fault, %d in all, %d new sessions", fault.Hits(), r.aborts, r.restarts)
	}
}

// A record that the broker refuses for a while costs a session, and nothing is lost or counted twice.
func TestRefusedRecordAbortsAll(t *testing.T) {
	ctx := limit(t)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := newRiver(t, cluster, 2, 1)
	r.send(ctx, fixed(), 50)
	fault := cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.out, Err: kerr.TopicAuthorizationFailed})
	r.instances[0].start()
	r.check(ctx)
	if fault.Hits() != 1 || r.restarts != 1 {
		t.Fatalf("%d faults, %d new sessions", fault.Hits(), r.restarts)
	}
}

// A record that is too large will always be: the lane stops and says so.
func TestTooLargeRecordStops(t *testing.T) {
	ctx := limit(t)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := newRiver(t, cluster, 1, 1)
	r.send(ctx, fixed(), 5)
	cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.out, Err: kerr.MessageTooLarge, Count: -1})
	i := r.instances[0]
	i.start()
	err := <-i.ended
	i.ended <- nil
	if !errors.Is(err, kerr.MessageTooLarge) || !strings.Contains(err.Error(), r.out) {
		t.Fatalf("got %v", err)
	}
}

// An error of the task stops the lane, names the records, and leaves nothing behind.
func TestTaskErrorStops(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 1, 1)
	r.source.Produce(ctx, &kgo.Record{Topic: r.in, Value: []byte("poison")}, nil)
	if err := r.source.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("row is damaged")
	lane := mustLane(t, r, Config{}, &script{process: func([]*kgo.Record) ([]*kgo.Record, error) {
		return []*kgo.Record{{Topic: r.out, Value: []byte("half")}}, broken
	}})
	err := lane.Run(ctx)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), r.in+"/0@0") {
		t.Fatalf("got %v", err)
	}
	ends, err := kadm.NewClient(r.source).ListCommittedOffsets(ctx, r.out)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset != 0 {
			t.Errorf("partition %d of the output has records", end.Partition)
		}
	})
}

// script is a stateless task.
type script struct {
	process func([]*kgo.Record) ([]*kgo.Record, error)
	commit  func()
}

func (s *script) Process(_ context.Context, records []*kgo.Record) ([]*kgo.Record, error) {
	return s.process(records)
}
func (s *script) Flush(context.Context) ([]*kgo.Record, error) { return nil, nil }
func (s *script) Abort()                                       {}
func (s *script) Commit(map[int32]Position) error {
	if s.commit != nil {
		s.commit()
	}
	return nil
}

func mustLane(t *testing.T, r *river, config Config, task Task) *Lane {
	t.Helper()
	config.Client = []kgo.Opt{kgo.SeedBrokers(r.cluster.Brokers()...)}
	config.Group, config.TransactionalID, config.Topics = r.group, r.group, []string{r.in}
	config.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	lane, err := New(config, task)
	if err != nil {
		t.Fatal(err)
	}
	return lane
}

// Stopped in the middle of a long commit interval, the lane commits what it has.
func TestStopCommitsTheOpenTransaction(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 1, 1)
	r.send(ctx, fixed(), 1)
	ctx, stop := context.WithCancel(ctx)
	commits := 0
	lane := mustLane(t, r, Config{CommitInterval: time.Second}, &script{
		process: func([]*kgo.Record) ([]*kgo.Record, error) { stop(); return nil, nil },
		commit:  func() { commits++ },
	})
	if err := lane.Run(ctx); err != nil || commits != 1 {
		t.Fatalf("%d commits, error %v", commits, err)
	}
}

// Long before the interval is over, a full batch is committed.
func TestFullBatchCommitsEarly(t *testing.T) {
	ctx, stop := context.WithCancel(limit(t))
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 1, 1)
	r.send(ctx, fixed(), 10)
	lane := mustLane(t, r, Config{CommitInterval: 2 * time.Second, MaxBatchBytes: 1, MaxPollRecords: 1}, &script{
		process: func(records []*kgo.Record) ([]*kgo.Record, error) {
			if records[0].Offset == 9 {
				stop()
			}
			return nil, nil
		},
	})
	if err := lane.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if early := lane.Stats().EarlyCommits.Load(); early < 9 {
		t.Fatalf("%d early commits", early)
	}
}

// beacon says something when nothing comes.
type beacon struct {
	script
	topic string
	said  chan struct{}
}

func (b *beacon) Idle(context.Context, []TopicPartition) ([]*kgo.Record, error) {
	return []*kgo.Record{{Topic: b.topic, Key: []byte("here"), Value: []byte("idle")}}, nil
}

// An idler's records are committed although nothing was consumed, together with the offsets of all partitions.
func TestIdlerSpeaksWithoutInput(t *testing.T) {
	idlerSpeaks(t, kafkatest.StartFake(t, kafkatest.Options{}))
}

func idlerSpeaks(t *testing.T, cluster *kafkatest.Cluster) {
	ctx, stop := context.WithCancel(limit(t))
	r := newRiver(t, cluster, 3, 1)
	lane := mustLane(t, r, Config{IdleInterval: 20 * time.Millisecond, CommitInterval: 10 * time.Millisecond},
		&beacon{topic: r.out, script: script{commit: stop}})
	if err := lane.Run(ctx); err != nil {
		t.Fatal(err)
	}
	client := r.cluster.Client(t, kgo.ConsumeTopics(r.out), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := string(client.PollFetches(limit(t)).Records()[0].Value); got != "idle" {
		t.Fatalf("got %q", got)
	}
	offsets, err := kadm.NewClient(r.source).FetchOffsets(limit(t), r.group)
	if err != nil || len(offsets[r.in]) != 3 {
		t.Errorf("committed offsets %v (%v), want those of 3 partitions", offsets, err)
	}
}

// The group's offsets are gone but the state is there: going on would count everything again.
func TestLostOffsetsStop(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 2, 1)
	r.send(ctx, fixed(), 20)
	r.instances[0].start()
	r.check(ctx)
	if _, err := kadm.NewClient(r.source).DeleteGroup(ctx, r.group); err != nil {
		t.Fatal(err)
	}
	i := r.instances[0]
	i.start()
	err := <-i.ended
	i.ended <- nil
	if !errors.Is(err, ErrOffsetsLost) {
		t.Fatalf("got %v", err)
	}
}

// A transaction that spans partitions changes the state of one that nothing was ever consumed of. Its offset is committed too, or
// the next session would take the offsets for lost; and nobody restores it before the transaction has ended.
func TestSpanningTransaction(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 3, 1)
	r.spanning = true
	i := r.instances[0]
	gate, held := NewGate(), 0
	r.tune = func(c *Config) {
		c.Gate = gate
		i.task.crashAtCommit = func() bool {
			gate.mu.Lock()
			defer gate.mu.Unlock()
			held = gate.holders[1]
			return false
		}
	}
	key := "k0"
	for n := 1; partitionOf(key, 3) != 0 || partitionOf("hop-"+key, 3) != 1; n++ {
		key = fmt.Sprint("k", n)
	}
	if err := r.source.ProduceSync(ctx, &kgo.Record{Topic: r.in, Partition: 0, Key: []byte(key), Value: []byte("only 1")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.sent = 1
	i.start()
	r.check(ctx)
	if held != 1 {
		t.Errorf("partition 1 was held %d times", held)
	}
	offsets, err := kadm.NewClient(r.source).FetchOffsets(ctx, r.group)
	for partition, want := range []int64{1, 0, 0} {
		if at, ok := offsets.Lookup(r.in, int32(partition)); !ok || err != nil || at.At != want {
			t.Errorf("partition %d: committed offset %v (%v), want %d", partition, at.At, err, want)
		}
	}
	i.start()
	r.check(ctx)
}

// The changelog is gone but the group's offsets are there: going on would be going on without what they stand for, also where the
// disk is empty.
func TestLostChangelogStops(t *testing.T) {
	for name, lose := range map[string]func(*instance){"disk kept": func(*instance) {}, "disk lost": func(i *instance) { i.disk = newDisk() }} {
		t.Run(name, func(t *testing.T) {
			ctx := limit(t)
			r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 2, 1)
			i := r.instances[0]
			r.send(ctx, fixed(), 50)
			i.start()
			r.check(ctx)
			if _, err := kadm.NewClient(r.source).DeleteTopics(ctx, r.changelog); err != nil {
				t.Fatal(err)
			}
			r.cluster.CreateTopic(t, r.changelog, 2, map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"})
			lose(i)
			i.start()
			err := <-i.ended
			i.ended <- nil
			if !errors.Is(err, ErrChangelogLost) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	m := mark{[16]byte{1, 2, 255}, 12}
	if got, note, ok := cutMark(m.String() + "a note of its own"); got != m || note != "a note of its own" || !ok {
		t.Errorf("%v, %q, %v of %s", got, note, ok, m)
	}
	for _, text := range []string{"", " ", "w1:5", "c1:", "c1:AQL_:1 ", m.String()[1:], strings.Replace(m.String(), ":12", ":-1", 1), strings.Replace(m.String(), ":12", "", 1)} {
		if got, note, ok := cutMark(text); ok || note != text {
			t.Errorf("%q is the mark %v, note %q", text, got, note)
		}
	}
	for end, lost := range map[int64]bool{11: true, 12: false, 13: false} {
		if err := m.check(m.topic, log{0, end}); errors.Is(err, ErrChangelogLost) != lost {
			t.Errorf("%s with a changelog that ends at %d: %v", m, end, err)
		}
	}
}

// Local state that was built from another changelog topic, or lies ahead of it, is dropped and read anew.
func TestUselessStateIsReadAnew(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 2, 1)
	i := r.instances[0]
	r.send(ctx, fixed(), 50)
	i.start()
	r.check(ctx)
	for partition, position := range i.disk.positions {
		if partition == 0 {
			position.Topic[0]++
		} else {
			position.Next += 1_000
		}
		i.disk.positions[partition] = position
		i.disk.set(partition, "ghost", 7)
	}
	i.start()
	r.send(ctx, fixed(), 50)
	r.check(ctx) // finds no ghost
}

// Restoring reads past the last stable offset: it waits for a transaction that is open in the changelog, and then has the
// committed records behind it.
func TestRestoreWaitsForAnOpenTransaction(t *testing.T) {
	restoreWaits(t, kafkatest.StartFake(t, kafkatest.Options{}))
}

func restoreWaits(t *testing.T, cluster *kafkatest.Cluster) {
	ctx := limit(t)
	r := newRiver(t, cluster, 1, 1)
	foreign := cluster.Client(t, kgo.TransactionalID(cluster.Name("foreign")), kgo.TransactionTimeout(time.Minute))
	if err := foreign.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	row := func(key, value string) *kgo.Record {
		return &kgo.Record{Topic: r.changelog, Key: []byte(key), Value: []byte(value)}
	}
	if err := foreign.ProduceSync(ctx, row("a", "999")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := r.source.ProduceSync(ctx, row("b", "41")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var none kadm.Offsets
	none.Add(kadm.Offset{Topic: r.in, Partition: 0, At: 0, LeaderEpoch: -1})
	if _, err := kadm.NewClient(r.source).CommitOffsets(ctx, r.group, none); err != nil {
		t.Fatal(err)
	}
	i := r.instances[0]
	i.start()
	until(ctx, t, "the restore has begun", func() bool { return i.lane.Stats().Restoring.Load() == 1 })
	if err := foreign.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if i.lane.Stats().Restores.Load() != 0 {
		t.Fatal("the restore ended below an open transaction")
	}
	if err := foreign.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, "the restore has ended", func() bool { return i.lane.Stats().Restores.Load() == 1 })
	i.leave()
	if a, b := i.disk.get(0, "a"), i.disk.get(0, "b"); a != 0 || b != 41 {
		t.Fatalf("a=%d, want 0 (aborted); b=%d, want 41", a, b)
	}
}

// Two processes with one identity: they don't fight for ever, one of them is told and stops, the other works.
func TestTwoProcessesWithOneIdentity(t *testing.T) {
	ctx := limit(t)
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 2, 2)
	r.static = true
	first, second := r.instances[0], r.instances[1]
	second.name = first.name
	first.start()
	r.send(ctx, fixed(), 10)
	until(ctx, t, "the first has committed", func() bool { return first.lane.Stats().Commits.Load() > 0 })
	second.start()
	var err error
	select {
	case err = <-first.ended:
		first.ended <- nil
		first.kill()
	case err = <-second.ended:
		second.ended <- nil
		second.kill()
	case <-ctx.Done():
		t.Fatal("both go on")
	}
	if !errors.Is(err, kerr.FencedInstanceID) {
		t.Fatalf("one ended with %v", err)
	}
	r.send(ctx, fixed(), 10)
	r.check(ctx)
}

// Settings that contradict each other are told all at once.
func TestFaultsOfTheSettings(t *testing.T) {
	_, err := New(Config{Topics: []string{"a", "b"}, CommitInterval: 4 * time.Second, SessionTimeout: time.Second}, &counter{})
	for _, want := range []string{"no group", "no transactional id", "no way to reach", "needs a changelog", "one topic, not 2", "five commit intervals", "must exceed the transaction timeout", "three heartbeats"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\n%v", want, err)
		}
	}
}

// A gate is passed when the last holder has let go.
func TestGate(t *testing.T) {
	gate := NewGate()
	gate.hold(3)
	gate.hold(3)
	passed := make(chan error, 1)
	var started sync.WaitGroup
	started.Add(1)
	go func() {
		started.Done()
		passed <- gate.wait(t.Context(), 3)
	}()
	started.Wait()
	if err := gate.wait(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	gate.release(map[int32]struct{}{3: {}})
	select {
	case <-passed:
		t.Fatal("passed while held once")
	default:
	}
	gate.release(map[int32]struct{}{3: {}})
	if err := <-passed; err != nil {
		t.Fatal(err)
	}
	gate.hold(3)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errCrash)
	if err := gate.wait(ctx, 3); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
}

// When local state is of use.
func TestUseless(t *testing.T) {
	id := [16]byte{1}
	now := time.UnixMilli(1_000_000_000)
	r := &restorer{topic: id, tombstones: time.Hour}
	old := now.Add(-2 * time.Hour).UnixMilli()
	for _, c := range []struct {
		name      string
		position  Position
		log       log
		committed bool
		useless   bool
	}{
		{"at the end", Position{id, 10, now.UnixMilli()}, log{0, 10}, true, false},
		{"behind", Position{id, 5, now.UnixMilli()}, log{0, 10}, true, false},
		{"at the start", Position{id, 3, now.UnixMilli()}, log{3, 10}, true, false},
		{"before the start", Position{id, 2, now.UnixMilli()}, log{3, 10}, true, true},
		{"ahead", Position{id, 11, now.UnixMilli()}, log{0, 10}, true, true},
		{"foreign", Position{[16]byte{2}, 5, now.UnixMilli()}, log{0, 10}, true, true},
		{"no offset", Position{id, 5, now.UnixMilli()}, log{0, 10}, false, true},
		{"no offset, nothing included", Position{id, 3, now.UnixMilli()}, log{3, 10}, false, false},
		{"old and behind", Position{id, 5, old}, log{0, 10}, true, true},
		{"old, only the marker is missing", Position{id, 9, old}, log{0, 10}, true, false},
		{"old and at the end", Position{id, 10, old}, log{0, 10}, true, false},
	} {
		if why := r.useless(c.position, c.log, now, c.committed); (why != "") != c.useless {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

// Lanes of one process share a store, and their transactions span partitions: those that move between lanes keep their counts.
func TestLanesWithOneStore(t *testing.T) {
	lanesWithOneStore(t, kafkatest.StartFake(t, kafkatest.Options{}))
}

func lanesWithOneStore(t *testing.T, cluster *kafkatest.Cluster) {
	r := newRiver(t, cluster, 6, 3)
	r.shareDisk()
	r.spanning = true
	for n, fault := range faults {
		if fault.name == "crash and lose the disk" {
			r.spared = map[int]bool{n: true} // the other lanes of the process would run on without their state
		}
	}
	r.flood(seed(t), 5, 2*time.Minute)
}

func (r *river) shareDisk() {
	gate := NewGate()
	for _, i := range r.instances {
		i.disk = r.instances[0].disk
	}
	r.tune = func(c *Config) { c.Gate = gate }
}

// Example_size shows what counts towards MaxBatchBytes.
func Example_size() {
	fmt.Println(size(&kgo.Record{Key: []byte("cookie:a"), Value: make([]byte, 300)}))
	// Output: 508
}
