package lane

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tributary/stream/kafkatest"
)

func TestMain(m *testing.M) { os.Exit(kafkatest.Run(m)) }

// disk is the durable state of one instance: counts by partition and key, and where each partition stands. It survives
// the crash of the lane that writes it.
type disk struct {
	mu        sync.Mutex
	counts    map[int32]map[string]int
	positions map[int32]Position
}

func newDisk() *disk {
	return &disk{counts: map[int32]map[string]int{}, positions: map[int32]Position{}}
}

func (d *disk) get(partition int32, key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[partition][key]
}

func (d *disk) set(partition int32, key string, count int) {
	if d.counts[partition] == nil {
		d.counts[partition] = map[string]int{}
	}
	d.counts[partition][key] = count
}

var errCrash = errors.New("crashed between the commit in Kafka and the commit of the state")

// counter counts records by key. Each record makes an output "count uid", a changelog record with the key's count and,
// while it has hops left, a record of the same topic under another key in another partition. A spanning one counts that record at
// once if it has the partition.
type counter struct {
	*disk
	in, out, changelog string
	partitions         int32
	spanning           bool
	crashAtCommit      func() bool

	owned []int32
	batch map[int32]map[string]int
}

func (c *counter) Own(partitions map[string][]int32) { c.owned = partitions[c.in] }

func (c *counter) Process(_ context.Context, records []*kgo.Record) ([]*kgo.Record, error) {
	var made []*kgo.Record
	records = slices.Clone(records)
	for n := 0; n < len(records); n++ {
		record := records[n]
		key := string(record.Key)
		uid, hops, _ := strings.Cut(string(record.Value), " ")
		count := c.count(record.Partition, key) + 1
		if c.batch[record.Partition] == nil {
			c.batch[record.Partition] = map[string]int{}
		}
		c.batch[record.Partition][key] = count
		made = append(made,
			&kgo.Record{Topic: c.out, Key: record.Key, Value: fmt.Appendf(nil, "%d %s", count, uid)},
			&kgo.Record{Topic: c.changelog, Partition: record.Partition, Key: record.Key, Value: fmt.Append(nil, count)})
		if left, _ := strconv.Atoi(hops); left > 0 {
			key := "hop-" + key
			hop := &kgo.Record{Topic: c.in, Partition: partitionOf(key, c.partitions), Key: []byte(key), Value: fmt.Appendf(nil, "%s+ %d", uid, left-1)}
			if c.spanning && slices.Contains(c.owned, hop.Partition) {
				records = append(records, hop)
			} else {
				made = append(made, hop)
			}
		}
	}
	return made, nil
}

func (c *counter) count(partition int32, key string) int {
	if count, ok := c.batch[partition][key]; ok {
		return count
	}
	return c.get(partition, key)
}

func (c *counter) Flush(context.Context) ([]*kgo.Record, error) { return nil, nil }

func (c *counter) Abort() { c.batch = map[int32]map[string]int{} }

func (c *counter) Commit(positions map[int32]Position) error {
	if c.crashAtCommit() {
		return errCrash
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for partition, counts := range c.batch {
		for key, count := range counts {
			c.set(partition, key, count)
		}
	}
	for partition, position := range positions {
		if position.Next < c.positions[partition].Next {
			return fmt.Errorf("partition %d goes back from %d to %d", partition, c.positions[partition].Next, position.Next)
		}
		c.positions[partition] = position
	}
	c.batch = map[int32]map[string]int{}
	return nil
}

func (c *counter) Position(partition int32) (Position, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	position, ok := c.positions[partition]
	return position, ok, nil
}

func (c *counter) Restore(partition int32, records []*kgo.Record, position Position) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, record := range records {
		count, err := strconv.Atoi(string(record.Value))
		if err != nil {
			return err
		}
		c.set(partition, string(record.Key), count)
	}
	c.positions[partition] = position
	return nil
}

func (c *counter) Reset(partition int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.counts, partition)
	delete(c.positions, partition)
	return nil
}

func partitionOf(key string, partitions int32) int32 {
	hash := fnv.New32a()
	io.WriteString(hash, key)
	return int32(hash.Sum32() % uint32(partitions))
}

// river is one run: topics, instances, and what was sent.
type river struct {
	t                         *testing.T
	cluster                   *kafkatest.Cluster
	partitions                int32
	in, out, changelog, group string
	static, spanning          bool
	instances                 []*instance
	sent                      int // records, each of which hops once
	source                    *kgo.Client

	commits, aborts, restarts, restored int64 // of lanes that have ended
	tune                                func(*Config)
	spared                              map[int]bool // faults that don't happen
}

// instance is one lane, which can die and come back with the same disk and names.
type instance struct {
	river *river
	name  string
	disk  *disk
	link  *kafkatest.Link
	lane  *Lane
	task  *counter
	stop  context.CancelFunc
	ended chan error

	mu    sync.Mutex
	crash bool          // the next Commit
	cut   chan struct{} // closed when the link is cut behind the next EndTxn request
}

// cutAtEndTxn cuts the link when the next request to end a transaction has been sent: Kafka ends it, the lane never
// hears of it. The returned channel is closed when that has happened.
func (i *instance) cutAtEndTxn() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cut = make(chan struct{})
	return i.cut
}

// OnBrokerWrite is the client's hook behind every request that was sent.
func (i *instance) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if key != kmsg.EndTxn.Int16() || err != nil || i.cut == nil {
		return
	}
	i.link.Cut()
	close(i.cut)
	i.cut = nil
}

func newRiver(t *testing.T, cluster *kafkatest.Cluster, partitions int32, instances int) *river {
	r := &river{t: t, cluster: cluster, partitions: partitions, group: cluster.Name("counts"), tune: func(*Config) {}}
	r.in = cluster.Topic(t, "in", partitions, nil)
	r.out = cluster.Topic(t, "out", 3, nil)
	r.changelog = cluster.Topic(t, "changelog", partitions, map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"})
	r.source = cluster.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for n := range instances {
		r.instances = append(r.instances, &instance{river: r, name: fmt.Sprintf("%s-%d", r.group, n), disk: newDisk()})
	}
	t.Cleanup(func() {
		for _, i := range r.instances {
			i.kill()
		}
	})
	return r
}

func (i *instance) start() {
	r := i.river
	i.link = &kafkatest.Link{}
	i.task = &counter{disk: i.disk, in: r.in, out: r.out, changelog: r.changelog, partitions: r.partitions, spanning: r.spanning, crashAtCommit: i.crashes, batch: map[int32]map[string]int{}}
	config := Config{
		Client:             []kgo.Opt{kgo.SeedBrokers(r.cluster.Brokers()...), kgo.Dialer(i.link.Dial), kgo.WithHooks(i)},
		Group:              r.group,
		Topics:             []string{r.in},
		TransactionalID:    i.name,
		Changelog:          r.changelog,
		Addressed:          []string{r.in},
		Spanning:           r.spanning,
		CommitInterval:     20 * time.Millisecond,
		MaxPollRecords:     500,
		TransactionTimeout: 2500 * time.Millisecond,
		SessionTimeout:     4 * time.Second,
		HeartbeatInterval:  200 * time.Millisecond,
		RebalanceTimeout:   2 * time.Second, // kfake begins to count anew with each join, so it must be shorter than they are apart
		RestoreStall:       30 * time.Second,
		Log:                slog.New(slog.NewTextHandler(r.t.Output(), nil)).With("instance", i.name[len(i.name)-1:]),
	}
	if r.static {
		config.InstanceID = i.name
	}
	r.tune(&config)
	lane, err := New(config, i.task)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	i.lane, i.stop, i.ended = lane, stop, make(chan error, 1)
	ended := i.ended
	go func() { ended <- lane.Run(ctx) }()
}

func (i *instance) crashes() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	crash := i.crash
	i.crash = false
	return crash
}

// kill is a crash of the machine: the network is gone at once, nothing is said to anybody.
func (i *instance) kill() {
	if i.stop == nil {
		return
	}
	i.link.Cut()
	i.stop()
	<-i.ended
	i.buried()
}

// leave stops in order.
func (i *instance) leave() {
	i.stop()
	if err := <-i.ended; err != nil {
		i.river.t.Errorf("instance %s: %v", i.name, err)
	}
	i.buried()
}

func (i *instance) buried() {
	i.stop = nil
	r, stats := i.river, i.lane.Stats()
	r.commits += stats.Commits.Load()
	r.aborts += stats.Aborts.Load()
	r.restarts += stats.Restarts.Load()
	r.restored += stats.RestoredRows.Load()
}

// send produces n records with random keys, each of which will hop once.
func (r *river) send(ctx context.Context, random *rand.Rand, n int) {
	for range n {
		r.sent++
		key := fmt.Sprintf("k%d", random.IntN(200))
		r.source.Produce(ctx, &kgo.Record{Topic: r.in, Partition: partitionOf(key, r.partitions), Key: []byte(key), Value: fmt.Appendf(nil, "u%d 1", r.sent)}, nil)
	}
	if err := r.source.Flush(ctx); err != nil {
		r.t.Errorf("send: %v", err)
	}
}

// wreck tells where things stand when they should have ended.
func (r *river) wreck() {
	for _, i := range r.instances {
		if i.stop != nil {
			stats := i.lane.Stats()
			r.t.Logf("%s owns %d partitions, restores %d %v, lag %v, %d commits, %d aborts, %d new sessions", i.name, stats.Owned.Load(), stats.Restoring.Load(), stats.RestoreProgress(), stats.Lag(), stats.Commits.Load(), stats.Aborts.Load(), stats.Restarts.Load())
		}
	}
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	r.t.Log(stacks.String())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lags, err := kadm.NewClient(r.source).Lag(ctx, r.group)
	r.t.Logf("lags (error %v):", err)
	for _, group := range lags {
		r.t.Logf("group %s state %s error %v", group.Group, group.State, group.Error())
		for _, lag := range group.Lag.Sorted() {
			r.t.Logf("%s/%d: lag %d, committed %d, end %d, member %v", lag.Topic, lag.Partition, lag.Lag, lag.Commit.At, lag.End.Offset, lag.Member != nil)
		}
	}
}

// counts reads the output until it holds what everything sent must make, and returns the counts by key.
func (r *river) counts(ctx context.Context) map[string]int {
	client := r.cluster.Client(r.t, kgo.ConsumeTopics(r.out), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	counts, uids, seen := map[string]int{}, map[string]bool{}, 0
	for seen < 2*r.sent {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			r.wreck()
			r.t.Fatalf("%d of %d outputs after the deadline", seen, 2*r.sent)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			seen++
			key := string(record.Key)
			number, uid, _ := strings.Cut(string(record.Value), " ")
			if count, _ := strconv.Atoi(number); count != counts[key]+1 {
				r.t.Errorf("key %s: count %d follows %d", key, count, counts[key])
			}
			counts[key]++
			if uids[uid] {
				r.t.Errorf("%s was counted twice", uid)
			}
			uids[uid] = true
		})
	}
	return counts
}

// fold is the state that the changelog holds, by key, and for each partition only from an offset on.
func (r *river) fold(ctx context.Context, from map[int32]int64, state map[int32]map[string]int) {
	admin := kadm.NewClient(r.cluster.Client(r.t))
	ends, err := admin.ListEndOffsets(ctx, r.changelog)
	if err != nil {
		r.t.Fatal(err)
	}
	starts := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	for partition := range r.partitions {
		starts[partition] = kgo.NewOffset().At(from[partition])
		if end, _ := ends.Lookup(r.changelog, partition); end.Offset > from[partition] {
			left[partition] = end.Offset
		}
	}
	client := r.cluster.Client(r.t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.changelog: starts}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			r.t.Fatalf("the changelog's ends %v not reached before the deadline", left)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
			if record.Attrs.IsControl() {
				return
			}
			if state[record.Partition] == nil {
				state[record.Partition] = map[string]int{}
			}
			state[record.Partition][string(record.Key)], _ = strconv.Atoi(string(record.Value))
		})
	}
}

// check waits for all outputs, stops every instance, and compares outputs, changelog and the disks.
func (r *river) check(ctx context.Context) {
	r.t.Helper()
	want := r.counts(ctx)
	total := 0
	for _, count := range want {
		total += count
	}
	if total != 2*r.sent {
		r.t.Errorf("%d outputs, want %d", total, 2*r.sent)
	}
	for _, i := range r.instances {
		if i.stop != nil {
			i.leave()
		}
	}
	all := map[int32]map[string]int{}
	r.fold(ctx, map[int32]int64{}, all)
	folded := map[string]int{}
	for _, counts := range all {
		maps.Copy(folded, counts)
	}
	if !maps.Equal(folded, want) {
		r.t.Errorf("the changelog folds to something else than the outputs: %d keys, want %d", len(folded), len(want))
	}
	for _, i := range r.instances {
		from := map[int32]int64{}
		for partition := range r.partitions {
			if position, ok := i.disk.positions[partition]; ok {
				from[partition] = position.Next
			}
		}
		r.fold(ctx, from, i.disk.counts)
		for partition := range r.partitions {
			if !maps.Equal(i.disk.counts[partition], all[partition]) {
				r.t.Errorf("instance %s partition %d: its state and the tail of the changelog don't make the changelog's state", i.name, partition)
			}
		}
	}
}
