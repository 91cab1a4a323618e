package topics_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/embedded"
	"tributary/stream/topics"
)

func cluster(t *testing.T) *kgo.Client {
	kafka, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	client, err := topics.Connect([]kgo.Opt{kgo.SeedBrokers(kafka.Brokers()...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func wanted() []topics.Topic {
	return []topics.Topic{
		{Name: "journal", Create: true, Partitions: 4, Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"}},
		{Name: "changelog", Create: true, Partitions: 4, Configs: map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"}},
		{Name: "attributions", Create: true, Partitions: 4, AnyPartitions: true},
	}
}

func TestPrepareCreatesWhatIsMissingOnce(t *testing.T) {
	client := cluster(t)
	for range 2 {
		if _, err := topics.Prepare(t.Context(), client, wanted(), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := topics.Check(t.Context(), client, wanted())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Partitions != 4 || len(f.Faults) > 0 {
			t.Errorf("%+v", f)
		}
	}
	if created, err := topics.Create(t.Context(), client, wanted()); err != nil || len(created) > 0 {
		t.Errorf("created again: %v, %v", created, err)
	}
}

func TestPrepareNamesEveryFault(t *testing.T) {
	client := cluster(t)
	wrong := wanted()
	wrong[0].Partitions = 2                                          // the number is fixed
	wrong[1].Configs = map[string]string{"cleanup.policy": "delete"} // rows would vanish
	wrong[2].Partitions = 7                                          // any number will do
	if _, err := topics.Create(t.Context(), client, wrong); err != nil {
		t.Fatal(err)
	}
	_, err := topics.Prepare(t.Context(), client, append(wanted(), topics.Topic{Name: "events"}), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"topic journal: has 2 partitions, must have 4",
		"topic changelog: has cleanup.policy=delete, must have compact",
		"topic events: does not exist",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "attributions") {
		t.Errorf("the number of partitions of the output is free: %v", err)
	}
}

func TestPingSaysWhatToLookAt(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := listener.Addr().String()
	listener.Close()

	deaf, err := net.Listen("tcp", "127.0.0.1:0") // closes every connection, as a listener for TLS does
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	go func() {
		for {
			c, err := deaf.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for _, test := range []struct{ broker, hint string }{
		{refused, "nothing listens there"},
		{deaf.Addr().String(), "the broker closed the connection"},
	} {
		client, err := kgo.NewClient(kgo.SeedBrokers(test.broker), kgo.RequestRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		err = topics.Ping(t.Context(), client)
		client.Close()
		if err == nil || !strings.Contains(err.Error(), test.hint) {
			t.Errorf("%q is not in %v", test.hint, err)
		}
	}
}
