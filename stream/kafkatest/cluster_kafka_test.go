//go:build kafka

package kafkatest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Apache Kafka starts, carries a record, and speaks the transaction protocol it was asked for.
func TestKafkaOfBothTransactionVersions(t *testing.T) {
	for _, version := range []int{1, 2} {
		cluster := Shared(t, Options{TransactionVersion: version})
		carryOneRecord(t, cluster)
		response, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), cluster.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, feature := range response.FinalizedFeatures {
			if feature.Name == "transaction.version" && int(feature.MaxVersionLevel) != version {
				t.Fatalf("transaction.version is %d, asked for %d", feature.MaxVersionLevel, version)
			}
		}
	}
}

// A broker that was killed, and one that was paused, serve again.
func TestKafkaNodeKilledAndPaused(t *testing.T) {
	cluster := Start(t, Options{})
	if cluster.Engine() == "external" {
		missing(t, unavailable{"the nodes of an external cluster are not ours to kill"})
	}
	carryOneRecord(t, cluster)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, step := range []func(int) error{cluster.Kill, cluster.Restart} {
		if err := step(0); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.Ready(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(int) error{cluster.Pause, cluster.Resume, cluster.Stop, cluster.Restart} {
		if err := step(0); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.Ready(ctx, 1); err != nil {
		t.Fatal(err)
	}
	carryOneRecord(t, cluster)
}
