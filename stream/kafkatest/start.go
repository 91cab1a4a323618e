package kafkatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// startTimeout is how long a cluster may take from its start to its first answers. A JVM on a busy machine with two
// cores needs 5 to 20 s.
const startTimeout = 2 * time.Minute

// Start runs a cluster of this test's own, which ends with the test: for tests that stop, kill or pause nodes. It is a
// real one unless the environment says otherwise.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	cluster, err := startReal(options)
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() { end(t, cluster) })
	return cluster
}

// StartFake runs a kfake cluster, whatever the environment says. It ends with the test.
func StartFake(t testing.TB, options Options) *Cluster {
	t.Helper()
	fake, err := startFake(options)
	if err != nil {
		t.Fatalf("kfake: %v", err)
	}
	t.Cleanup(func() { fake.close(t.Failed()) })
	return &Cluster{fake}
}

func end(t testing.TB, cluster *Cluster) {
	if t.Failed() {
		t.Logf("the brokers said last:\n%s", cluster.logs())
	}
	cluster.close(t.Failed())
}

var shared struct {
	sync.Mutex
	running  bool
	failed   bool
	clusters map[string]*Cluster
	reasons  map[string]error
}

// Shared is the cluster of these options that all tests of this binary use together: started by the first that asks,
// ended by Run. Tests that share it must not stop its nodes, and take their names from Topic and Name.
func Shared(t testing.TB, options Options) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.running {
		t.Fatal("kafkatest.Shared needs func TestMain(m *testing.M) { os.Exit(kafkatest.Run(m)) } in this package")
	}
	cluster, err := shared.clusters[options.key()], shared.reasons[options.key()]
	if cluster == nil && err == nil {
		cluster, err = startReal(options)
		shared.clusters[options.key()], shared.reasons[options.key()] = cluster, err
	}
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the brokers said last:\n%s", cluster.logs())
			shared.Lock()
			shared.failed = true
			shared.Unlock()
		}
	})
	return cluster
}

// Run runs the tests of a package, then ends the clusters they shared. It also fails if the tests leave goroutines
// behind. What it returns is the exit status.
func Run(m *testing.M) int {
	shared.Lock()
	shared.running, shared.clusters, shared.reasons = true, map[string]*Cluster{}, map[string]error{}
	shared.Unlock()
	status := m.Run()
	shared.Lock()
	defer shared.Unlock()
	for _, cluster := range shared.clusters {
		if cluster != nil {
			cluster.close(shared.failed)
		}
	}
	if status != 0 {
		return status
	}
	// A proxy whose fault ends while it passes something on may leave that behind.
	proxied := goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run")
	if err := goleak.Find(proxied); err != nil {
		fmt.Fprintf(os.Stderr, "goroutines left by the tests: %v\n", err)
		return 1
	}
	return 0
}

// unavailable says that a cluster can't be had on this machine, as opposed to one that should start and doesn't.
type unavailable struct{ why string }

func (u unavailable) Error() string { return u.why }

// missing ends a test that got no cluster. A laptop without the prerequisites skips, loudly; CI fails, and so does
// everyone when a cluster was started and isn't well.
func missing(t testing.TB, err error) {
	t.Helper()
	_, absent := err.(unavailable)
	if absent && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED, NOT TESTED ON APACHE KAFKA: %v", err)
	}
	t.Fatalf("no Apache Kafka for this test: %v", err)
}

// starters are the engines of this build by name.
var starters = map[string]func(Options) (engine, error){
	"kfake": func(options Options) (engine, error) { return startFake(options) },
}

func startReal(options Options) (*Cluster, error) {
	if addresses := os.Getenv("TRIBUTARY_TEST_BROKERS"); addresses != "" {
		return startExternal(strings.Split(addresses, ","), options)
	}
	name := os.Getenv("TRIBUTARY_TEST_KAFKA")
	if name == "" {
		name = defaultEngine()
	}
	start, ok := starters[name]
	if !ok {
		return nil, unavailable{fmt.Sprintf("no engine %q in this build (container needs -tags kafka, jvm a unix system)", name)}
	}
	running, err := start(options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := ready(ctx, running.brokers(), options.nodes()); err != nil {
		err = fmt.Errorf("%w\nthe brokers said last:\n%s", err, running.logs())
		running.close(true)
		return nil, err
	}
	return &Cluster{running}, nil
}

func defaultEngine() string {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "container"
		}
	}
	return "jvm"
}
