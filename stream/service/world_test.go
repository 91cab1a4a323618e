package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tributary/identity"
	"tributary/stream/kafkatest"
	"tributary/stream/lane"
	"tributary/stream/local/reference"
	"tributary/stream/metrics"
	"tributary/stream/roles"
	"tributary/stream/settings"
)

func TestMain(m *testing.M) {
	status := kafkatest.Run(m)
	for _, clean := range afterwards {
		clean()
	}
	os.Exit(status)
}

// afterwards is what is to be done when all tests have ended.
var afterwards []func()

// seeds returns the seeds to try: TRIBUTARY_SEED alone if it is set, else n, or TRIBUTARY_SEEDS, new ones.
func seeds(t *testing.T, n int) []uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TRIBUTARY_SEED"), 10, 64); err == nil {
		return []uint64{seed}
	}
	if more, err := strconv.Atoi(os.Getenv("TRIBUTARY_SEEDS")); err == nil {
		n = more
	}
	first := rand.Uint64N(1 << 40)
	t.Logf("%d seeds from TRIBUTARY_SEED=%d", n, first)
	all := make([]uint64, n)
	for i := range all {
		all[i] = first + uint64(i)
	}
	return all
}

const day = 24 * time.Hour

// world is one application on a cluster: its sources, instances that come and go, and what was sent.
type world struct {
	t          *testing.T
	cluster    *kafkatest.Cluster
	settings   *settings.Settings
	keys       identity.Keyring
	static     bool // membership of the instances
	dir        string
	purgeEvery time.Duration // 0: as the service does
	patience   func(*lane.Config)
	instances  []*instance
	source     *kgo.Client
	admin      *kadm.Client
	widths     map[string]int32 // partitions of the source topics

	sent     int64
	filtered int64
	late     int64
	refused  map[origin]refused
	buried   metrics.Ledger // of instances that have ended
	crashed  bool           // counts of instances may be lost
}

// origin is where a source record is.
type origin struct {
	topic     string
	partition int32
	offset    int64
}

// newWorld makes an application of random shape, all of its topics, and instances that are yet to be started.
func newWorld(t *testing.T, cluster *kafkatest.Cluster, r *rand.Rand, rules reference.Rules, instances int) *world {
	w := &world{t: t, cluster: cluster, dir: t.TempDir(), widths: map[string]int32{}, refused: map[origin]refused{}, patience: little}
	// The embedded broker never throws out a dynamic member that died while it was joining: only static ones are replaced
	// when they come back. Apache Kafka does, and is tested with both.
	w.static = r.IntN(2) == 0 || cluster.Fake() != nil
	var err error
	if w.keys, err = identity.NewKeyring(identity.DevelopmentKey(), identity.Key{}); err != nil {
		t.Fatal(err)
	}
	s := settingsOf(rules)
	s.Kafka.Brokers = cluster.Brokers()
	s.ApplicationID = cluster.Name("app")
	s.Topics = settings.Topics{Attributions: cluster.Name("attributions"), Aliases: cluster.Name("aliases"), Late: cluster.Name("late"),
		DeadLetters: cluster.Name("dead-letters"), Audit: cluster.Name("audit"), AuditRetention: 24 * time.Hour, ReplicationFactor: -1}
	s.Partitions = 1 + r.IntN(16)
	s.Lateness.Allowed, s.Retention = 365*day, 36500*day // sources are shuffled: nothing is late
	s.CommitInterval = time.Duration(10+r.IntN(41)) * time.Millisecond
	s.Lanes = settings.Lanes{Ingest: 1 + r.IntN(2), Journey: 1 + r.IntN(3)}
	s.HTTP.Listen = ""
	s.Sources = nil
	for range 1 + r.IntN(2) {
		topic := cluster.Name("source")
		w.widths[topic] = 1 + r.Int32N(5)
		s.Sources = append(s.Sources, settings.Source{Topic: topic, Format: "native"})
		cluster.CreateTopic(t, topic, w.widths[topic], map[string]string{"max.message.bytes": "12582912"})
	}
	if r.IntN(4) == 0 {
		s.Output.Format = "protobuf"
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	w.settings = s
	client := cluster.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(12<<20), kgo.ProducerLinger(0), kgo.MetadataMinAge(20*time.Millisecond))
	w.source, w.admin = client, kadm.NewClient(client)
	for n := range instances {
		w.instances = append(w.instances, &instance{world: w, name: fmt.Sprintf("i%d", n), dir: filepath.Join(w.dir, strconv.Itoa(n))})
	}
	t.Cleanup(func() {
		for _, i := range w.instances {
			i.kill()
		}
	})
	return w
}

// little patience lets the others take over soon from an instance that died. The embedded broker waits for a dead member
// as long as the rebalance may take, and now and then never answers one that it has thrown out.
func little(c *lane.Config) {
	c.Client = append(c.Client, kgo.RequestTimeoutOverhead(time.Second))
	c.TransactionTimeout, c.SessionTimeout = time.Second, 1200*time.Millisecond
	c.HeartbeatInterval, c.RebalanceTimeout = 100*time.Millisecond, 1500*time.Millisecond
	c.StopTimeout = 2 * time.Second
}

// settingsOf are the rules as the service takes them.
func settingsOf(r reference.Rules) *settings.Settings {
	s := settings.Default()
	s.Sessions.Timeout = time.Duration(r.Timeout) * time.Millisecond
	s.Lookback.Default = time.Duration(r.Lookback) * time.Millisecond
	s.Lookback.ByKind = map[string]time.Duration{}
	for kind, lookback := range r.LookbackOf {
		s.Lookback.ByKind[kind] = time.Duration(lookback) * time.Millisecond
	}
	if r.UnitSession {
		s.TouchUnit = "session"
	}
	s.Conversions = map[string]settings.Conversion{}
	for name := range r.First {
		rule := settings.Conversion{Occurrence: "every", Reset: r.Reset[name]}
		if r.First[name] {
			rule.Occurrence = "first"
		}
		s.Conversions[name] = rule
	}
	s.Identity.Limits = settings.Limits{MaxMembers: r.Members}
	for typ, n := range limitsOf(&s.Identity.Limits) {
		*n = settings.Neighbours{Any: r.Degree, UserID: r.Alike[typ+" user_id"], Email: r.Alike[typ+" email"], Phone: r.Alike[typ+" phone"],
			AnonymousID: r.Alike[typ+" anonymous_id"]}
	}
	for _, id := range r.Shared {
		s.Identity.Shared = append(s.Identity.Shared, settings.Shared{Type: id[0], Value: id[1]})
	}
	return s
}

// limitsOf are the limits of the types that the reference's populations have.
func limitsOf(l *settings.Limits) map[string]*settings.Neighbours {
	return map[string]*settings.Neighbours{"user_id": &l.UserID, "email": &l.Email, "phone": &l.Phone, "anonymous_id": &l.AnonymousID}
}

// instance is one service, which can die and come back with the same name and directory.
type instance struct {
	world   *world
	name    string
	dir     string
	roles   []Role // none: all
	link    *kafkatest.Link
	metrics *metrics.Metrics
	service *Service
	started time.Time
	stop    context.CancelFunc // nil while it isn't running
	ended   chan error

	dead  atomic.Bool // its tasks do nothing any more
	crash atomic.Bool // the next commit of the state fails

	mu  sync.Mutex
	cut chan struct{} // closed when the link is cut behind the next request to end a transaction
}

var errCrash = errors.New("crashed")

// mortal is the ingest role's task, which does nothing any more once its instance is dead.
type mortal struct {
	*roles.Ingest
	instance *instance
}

func (m mortal) Flush(ctx context.Context) ([]*kgo.Record, error) {
	if m.instance.dead.Load() {
		return nil, errCrash
	}
	return m.Ingest.Flush(ctx)
}

// mortalJourney is the same of the journey role, and can die after Kafka has committed and before the state has.
type mortalJourney struct {
	*roles.Journey
	instance *instance
}

func (m mortalJourney) Flush(ctx context.Context) ([]*kgo.Record, error) {
	if m.instance.dead.Load() {
		return nil, errCrash
	}
	return m.Journey.Flush(ctx)
}

func (m mortalJourney) Commit(positions map[int32]lane.Position) error {
	if m.instance.crash.CompareAndSwap(true, false) {
		return errCrash
	}
	return m.Journey.Commit(positions)
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

func (i *instance) running() bool { return i.stop != nil }

func (i *instance) start() {
	if err := i.begin(); err != nil {
		i.world.t.Fatalf("%s: %v", i.name, err)
	}
}

// begin starts, or says why it can't.
func (i *instance) begin() error {
	w := i.world
	i.link, i.metrics = &kafkatest.Link{}, metrics.New("test")
	i.started = time.Now()
	i.dead.Store(false)
	i.crash.Store(false)
	s := *w.settings
	s.State.Dir = i.dir
	config := Config{Settings: &s, Keys: w.keys, Roles: i.roles, Instance: i.name, Static: w.static, Metrics: i.metrics,
		Client: []kgo.Opt{kgo.SeedBrokers(w.cluster.Brokers()...), kgo.Dialer(i.link.Dial), kgo.WithHooks(i)},
		Log:    slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("instance", i.name)}
	config.tune = func(c *lane.Config, task lane.Task) lane.Task {
		w.patience(c)
		if journey, ok := task.(*roles.Journey); ok {
			return mortalJourney{journey, i}
		}
		return mortal{task.(*roles.Ingest), i}
	}
	var err error
	if i.service, err = New(w.t.Context(), config); err != nil {
		return err
	}
	if w.purgeEvery > 0 {
		i.service.purgeEvery = w.purgeEvery
	}
	ctx, stop := context.WithCancel(context.Background())
	i.stop, i.ended = stop, make(chan error, 1)
	service, ended := i.service, i.ended
	go func() { ended <- service.Run(ctx) }()
	return nil
}

// kill is a crash of the machine: the network is gone at once, nothing is said to anybody.
func (i *instance) kill() {
	if !i.running() {
		return
	}
	i.world.crashed = true
	i.link.Cut()
	i.dead.Store(true)
	i.stop()
	if err := <-i.ended; err != nil && !errors.Is(err, errCrash) {
		i.world.t.Errorf("%s, killed: %v", i.name, err)
	}
	i.bury()
}

// leave stops in order.
func (i *instance) leave() {
	if !i.running() {
		return
	}
	i.stop()
	if err := <-i.ended; err != nil {
		i.world.t.Errorf("%s: %v", i.name, err)
	}
	i.bury()
}

func (i *instance) bury() {
	i.stop = nil
	if err := i.service.Close(); err != nil {
		i.world.t.Errorf("%s: %v", i.name, err)
	}
	i.world.buried = sum(i.world.buried, i.metrics.Ledger())
}

func sum(a, b metrics.Ledger) metrics.Ledger {
	a.Received += b.Received
	a.Journaled += b.Journaled
	a.Refused += b.Refused
	a.Filtered += b.Filtered
	a.Applied += b.Applied
	a.Duplicate += b.Duplicate
	a.Late += b.Late
	a.Forgotten += b.Forgotten
	a.Shared += b.Shared
	a.Expired += b.Expired
	a.Conflicts += b.Conflicts
	return a
}

// client is how to reach the cluster.
func (w *world) client() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(w.cluster.Brokers()...)} }

// ledger is what all instances have counted.
func (w *world) ledger() metrics.Ledger {
	total := w.buried
	for _, i := range w.instances {
		if i.running() {
			total = sum(total, i.metrics.Ledger())
		}
	}
	return total
}

// crashBetweenCommits lets the next commit of the state fail, waits until the whole service has stopped for it, and
// starts it again.
func (i *instance) crashBetweenCommits() {
	i.crash.Store(true)
	select {
	case err := <-i.ended:
		if !errors.Is(err, errCrash) {
			i.world.t.Errorf("%s ended with %v", i.name, err)
		}
		i.ended <- err
	case <-time.After(300 * time.Millisecond): // it has nothing to commit
	}
	i.kill()
	i.start()
}

// loseAnswer cuts the link when the next request to end a transaction has been sent: Kafka ends it, the lane never hears
// of it.
func (i *instance) loseAnswer(r *rand.Rand) {
	i.world.crashed = true
	cut := make(chan struct{})
	i.mu.Lock()
	i.cut = cut
	i.mu.Unlock()
	select {
	case <-cut:
		time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
	case <-time.After(300 * time.Millisecond): // it has nothing to commit
		i.mu.Lock()
		i.cut = nil
		i.mu.Unlock()
	}
	i.link.Heal()
}

// send produces a record to a random partition of a random source and returns where it is.
func (w *world) send(ctx context.Context, r *rand.Rand, record *kgo.Record) origin {
	w.address(r, record)
	if err := w.source.ProduceSync(ctx, record).FirstErr(); err != nil {
		w.t.Fatalf("send: %v", err)
	}
	w.sent++
	return origin{record.Topic, record.Partition, record.Offset}
}

// address chooses a random partition of a random source.
func (w *world) address(r *rand.Rand, record *kgo.Record) {
	record.Topic = w.settings.Sources[r.IntN(len(w.settings.Sources))].Topic
	record.Partition = r.Int32N(w.widths[record.Topic])
}

// lose deletes the directory of an instance that doesn't run.
func (i *instance) lose() {
	if err := os.RemoveAll(i.dir); err != nil {
		i.world.t.Fatal(err)
	}
}
