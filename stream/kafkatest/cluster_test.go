package kafkatest

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// A record produced to kfake comes back.
func TestFakeCarriesARecord(t *testing.T) {
	carryOneRecord(t, StartFake(t, Options{}))
}

func carryOneRecord(t *testing.T, cluster *Cluster) {
	t.Helper()
	topic := cluster.Topic(t, "river", 3, map[string]string{"cleanup.policy": "compact"})
	client := cluster.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("water")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	fetches := client.PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	if got := string(fetches.Records()[0].Value); got != "water" {
		t.Fatalf("got %q", got)
	}
}

// A link that is cut refuses, and carries again once healed.
func TestLinkCutAndHealed(t *testing.T) {
	cluster := StartFake(t, Options{})
	var link Link
	conn, err := link.Dial(t.Context(), "tcp", cluster.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	link.Cut()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("a cut connection still reads")
	}
	if _, err := link.Dial(t.Context(), "tcp", cluster.Brokers()[0]); err == nil {
		t.Fatal("a cut link still dials")
	}
	link.Heal()
	conn, err = link.Dial(t.Context(), "tcp", cluster.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
