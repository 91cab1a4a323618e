//go:build kafka

package bench

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/kafkatest"
)

func TestMain(m *testing.M) { os.Exit(kafkatest.Run(m)) }

// The same on Apache Kafka. TRIBUTARY_BENCH_EVENTS=1000000 makes it a measurement, of minutes.
func TestRunOnKafka(t *testing.T) {
	cluster := kafkatest.Shared(t, kafkatest.Options{})
	config := small(t, []kgo.Opt{kgo.SeedBrokers(cluster.Brokers()...)})
	if n, err := strconv.Atoi(os.Getenv("TRIBUTARY_BENCH_EVENTS")); err == nil {
		config.Events, config.Pairs, config.Window = n, 0, 0
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	rows, err := Run(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, rows)
}
