// Package kafkatest gives tests a Kafka cluster.
//
// What comes in: Options, and what the environment says is available. What goes out: a Cluster with broker
// addresses, topics with names of their own, and the power to stop, kill, pause and restart a node. It is
// imported by tests only.
//
// There are three engines behind one Cluster:
//
//   - kfake, an imitation of a broker inside the test's own process: starts in milliseconds, used by plain `go test`.
//   - jvm, Apache Kafka itself in KRaft mode: `java` runs it, `mvn` brings its jars into the user's cache folder once.
//   - container, Apache Kafka from an image, where a Docker engine answers. Built only with the tag `kafka`.
//
// kfake is not the truth: whatever is promised about delivery is tested on Apache Kafka too, in files that end in
// _kafka_test.go and carry the tag:
//
//	//go:build kafka
//
//	func TestMain(m *testing.M) { os.Exit(kafkatest.Run(m)) }
//
//	func TestCounts(t *testing.T) {
//		cluster := kafkatest.Shared(t, kafkatest.Options{})
//		topic := cluster.Topic(t, "clicks", 4, nil)
//		client := cluster.Client(t, kgo.ConsumeTopics(topic))
//		…
//	}
//
// The environment chooses:
//
//	TRIBUTARY_TEST_KAFKA    kfake, jvm or container: what Real and Shared start (default: jvm where java and mvn are,
//	                        else container)
//	TRIBUTARY_TEST_BROKERS  host:port,… of a cluster that runs already; Real and Shared start nothing
//	KAFKA_VERSION           version of the jars and of the image (default 4.1.1)
//	KAFKA_IMAGE             image of the container (default apache/kafka with that version)
//	CI=true                 a missing prerequisite fails the test; without it the test is skipped, with the reason
package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options say what cluster a test needs. The zero value is one node of the newest protocol.
type Options struct {
	// Nodes is the number of brokers, 1 if zero. With three or more, internal topics have three replicas and need two.
	Nodes int
	// TransactionVersion is the cluster's transaction.version feature: 1 for the protocol before KIP-890, 2 (also for 0)
	// for the one after it.
	TransactionVersion int
	// Proxied lets clients that start from Proxied reach each node through a Network of its own. Only jvm can.
	Proxied bool
	// Config is added to the broker's properties and wins over ours.
	Config map[string]string
}

func (o Options) nodes() int {
	return max(o.Nodes, 1)
}

func (o Options) transactionVersion() int {
	if o.TransactionVersion == 0 {
		return 2
	}
	return o.TransactionVersion
}

// key names the options, so that tests which ask for the same cluster share it.
func (o Options) key() string {
	return fmt.Sprint(o.nodes(), o.transactionVersion(), o.Proxied, o.Config)
}

// engine is one way to run brokers. Nodes are numbered from 0. What an engine can't do is errors.ErrUnsupported.
type engine interface {
	name() string
	brokers() []string
	networks() []*Network   // one a node with Options.Proxied
	stop(node int) error    // orderly: SIGTERM, returns when the process has ended
	kill(node int) error    // SIGKILL
	pause(node int) error   // SIGSTOP
	resume(node int) error  // SIGCONT
	restart(node int) error // starts a node that was stopped or killed, on its old port and data
	logs() string           // the last lines of each node
	close(failed bool)      // ends everything; after a failure what helps to understand it stays on disk
}

// Cluster is a running Kafka. Its methods may be called from several goroutines, those on one node from one at a time.
type Cluster struct {
	engine
}

// Engine is the kind of cluster: kfake, jvm, container or external.
func (c *Cluster) Engine() string { return c.name() }

// Brokers are the addresses to start from.
func (c *Cluster) Brokers() []string { return c.brokers() }

// Nodes is the number of brokers.
func (c *Cluster) Nodes() int { return len(c.brokers()) }

// Proxied are the addresses to start from through the Network of each node; none without Options.Proxied.
func (c *Cluster) Proxied() []string {
	var addresses []string
	for _, network := range c.networks() {
		addresses = append(addresses, network.address())
	}
	return addresses
}

// Network is the way to a node for clients that start from Proxied.
func (c *Cluster) Network(node int) *Network { return c.networks()[node] }

// Stop ends a node in order, as SIGTERM does, and returns when it is gone.
func (c *Cluster) Stop(node int) error { return c.stop(node) }

// Kill ends a node as a crash does.
func (c *Cluster) Kill(node int) error { return c.kill(node) }

// Pause freezes a node: its connections stay open and nothing answers.
func (c *Cluster) Pause(node int) error { return c.pause(node) }

// Resume ends a Pause.
func (c *Cluster) Resume(node int) error { return c.resume(node) }

// Restart starts a stopped or killed node again, on its old port and data. It doesn't wait until the node serves: see Ready.
func (c *Cluster) Restart(node int) error { return c.restart(node) }

// Data is where the brokers of this machine keep the logs of topics, one folder a node. A test whose brokers keep them out of
// reach is skipped, and fails in CI.
func (c *Cluster) Data(t testing.TB) []string {
	t.Helper()
	e, ok := c.engine.(interface{ data() []string })
	if !ok {
		missing(t, unavailable{"the files of a " + c.name() + " cluster are out of reach"})
	}
	return e.data()
}

// Fake is the engine's own handle where the cluster is kfake, for faults and compaction; nil otherwise.
func (c *Cluster) Fake() *Fake {
	f, _ := c.engine.(*Fake)
	return f
}

// Ready waits until nodes brokers are registered and an internal topic can be served.
func (c *Cluster) Ready(ctx context.Context, nodes int) error {
	return ready(ctx, c.brokers(), nodes)
}

// Client is a client of the cluster, closed at the end of the test.
func (c *Cluster) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.brokers()...)}, opts...)...)
	if err != nil {
		t.Fatalf("client of the test cluster: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

var topicNumber atomic.Int64

// Topic creates a topic with as many replicas as the cluster has nodes, three at most, and returns its name: base, and
// what makes it unlike any other topic of this or another test process.
func (c *Cluster) Topic(t testing.TB, base string, partitions int32, configs map[string]string) string {
	t.Helper()
	name := c.Name(base)
	c.CreateTopic(t, name, partitions, configs)
	return name
}

// Name is base with a tail that no other test uses: for topics, groups and transactional ids.
func (c *Cluster) Name(base string) string {
	return fmt.Sprintf("%s-%d-%d-%d", base, os.Getpid(), processStart, topicNumber.Add(1))
}

var processStart = time.Now().UnixMilli()

// CreateTopic creates a topic of exactly this name.
func (c *Cluster) CreateTopic(t testing.TB, name string, partitions int32, configs map[string]string) {
	t.Helper()
	values := map[string]*string{}
	for key, value := range maps.All(configs) {
		values[key] = kadm.StringPtr(value)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers()...), kgo.MetadataMinAge(20*time.Millisecond))
	if err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	admin := kadm.NewClient(client)
	// -1 replicas: the broker's default.replication.factor.
	if _, err := admin.CreateTopic(ctx, partitions, -1, values, name); err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	for !led(ctx, admin, name, int(partitions)) {
		if ctx.Err() != nil {
			t.Fatalf("topic %s was created but has no leaders yet", name)
		}
	}
}

// led says whether each broker that answers knows the leaders of a topic that was just created.
func led(ctx context.Context, admin *kadm.Client, topic string, partitions int) bool {
	details, err := admin.ListTopics(ctx, topic)
	if err != nil || len(details[topic].Partitions) < partitions {
		return false
	}
	for _, partition := range details[topic].Partitions {
		if partition.Leader < 0 || partition.Err != nil {
			return false
		}
	}
	return true
}

// ready asks until every node is listed and a group coordinator is found, which makes the internal offsets topic exist.
func ready(ctx context.Context, brokers []string, nodes int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RetryTimeout(2*time.Second), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	last := errors.New("not asked yet")
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		last = answer(attempt, admin, nodes)
		cancel()
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("brokers %s not ready: %w", strings.Join(brokers, ","), last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func answer(ctx context.Context, admin *kadm.Client, nodes int) error {
	listed, err := admin.ListBrokers(ctx)
	if err != nil {
		return err
	}
	if len(listed) < nodes {
		return fmt.Errorf("%d of %d brokers listed", len(listed), nodes)
	}
	return admin.FindGroupCoordinators(ctx, "kafkatest").Error()
}
