package operator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/embedded"
	"tributary/stream/metrics"
	"tributary/stream/operator"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// Two people order through one call centre, whose number stands on both orders: they are one customer, until somebody
// declares the number shared. Then each order has its own click again. Later one of them is forgotten.
func TestUnlinkAndForget(t *testing.T) {
	w := start(t)
	phone := schemas.Identifier{Type: "phone", Value: "(415) 555-2671"}
	for _, name := range []string{"ann", "bob"} {
		w.send(fmt.Sprintf(`{"event_id":"click-%[1]s","type":"touch","occurred_at":"2026-03-01T10:00:00Z","identifiers":{"anonymous_id":"c-%[1]s"},"touch":{"kind":"click","channel":"%[1]s-search"}}`, name))
		w.send(fmt.Sprintf(`{"event_id":"order-%[1]s","type":"conversion","occurred_at":"2026-03-01T12:00:00Z","identifiers":{"anonymous_id":"c-%[1]s","email":"%[1]s@example.com","phone":"(415) 555-2671"},"conversion":{"name":"purchase","value":"10.00","currency":"USD"}}`, name))
	}
	together := func(id string) bool { a := w.newest[id]; return a != nil && len(a.Touches) == 2 }
	w.await("both orders see both clicks", func() bool { return together("order-ann") && together("order-bob") })

	if err := w.Share(t.Context(), phone); err != nil {
		t.Fatal(err)
	}
	alone := func(id string) bool { return len(w.newest[id].Touches) == 1 }
	w.await("each order sees its own click", func() bool { return alone("order-ann") && alone("order-bob") })
	// The tree comes apart, and what still belongs together finds itself again: the cause of a revision can be either.
	if len(w.split) == 0 {
		t.Error("no revision has the cause identity_split")
	}
	if ann, bob := w.newest["order-ann"], w.newest["order-bob"]; ann.CustomerID == bob.CustomerID ||
		ann.Touches[0].Channel != "ann-search" || bob.Touches[0].Channel != "bob-search" {
		t.Errorf("%s\n%s", ann.Encode(nil), bob.Encode(nil))
	}

	if err := w.Share(t.Context(), phone); err != nil { // once more changes nothing
		t.Fatal(err)
	}
	if err := w.Forget(t.Context(), "forget-1", schemas.MillisOf(time.Now()), schemas.Identifier{Type: "email", Value: "Ann@Example.com"}); err != nil {
		t.Fatal(err)
	}
	w.await("Ann is forgotten", func() bool { return w.newest["order-ann"].Unattributed == schemas.UnattributedErased })
	if !alone("order-bob") {
		t.Errorf("%s", w.newest["order-bob"].Encode(nil))
	}
}

func TestUnusableIdentifiersAreNotSent(t *testing.T) {
	o := operator.Operator{Settings: settings.Default(), Keys: keys(t)}
	for _, bad := range []schemas.Identifier{{Type: "email", Value: "nobody"}, {Type: "phone", Value: "000"}, {Type: "fax", Value: "1"}} {
		if err := o.Share(t.Context(), bad); !errors.Is(err, operator.ErrUnusable) {
			t.Errorf("%s: %v", bad.Type, err)
		}
		if err := o.Forget(t.Context(), "f", 1, bad); !errors.Is(err, operator.ErrUnusable) {
			t.Errorf("%s: %v", bad.Type, err)
		}
	}
	if err := o.Share(t.Context()); err == nil {
		t.Error("nothing was declared shared, without an error")
	}
}

// world is a running service and a reader of its output.
type world struct {
	operator.Operator
	t      *testing.T
	client *kgo.Client
	newest map[string]*schemas.Attribution
	split  map[string]bool // conversions that had a revision with the cause identity_split
}

func keys(t *testing.T) identity.Keyring {
	k, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func start(t *testing.T) *world {
	kafka, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	s := settings.Default()
	s.Kafka.Brokers, s.Partitions, s.CommitInterval = kafka.Brokers(), 3, 10*time.Millisecond
	s.State.Dir, s.HTTP.Listen = t.TempDir(), ""
	s.Sources = []settings.Source{{Topic: "events", Format: "native"}}
	w := &world{t: t, newest: map[string]*schemas.Attribution{}, split: map[string]bool{}}
	w.Operator = operator.Operator{Settings: s, Keys: keys(t), Client: []kgo.Opt{kgo.SeedBrokers(s.Kafka.Brokers...)}}
	if _, err := service.CreateTopics(t.Context(), w.Client, s, true); err != nil {
		t.Fatal(err)
	}
	svc, err := service.New(t.Context(), service.Config{Settings: s, Keys: w.Keys, Client: w.Client, Instance: "test",
		Metrics: metrics.New("test"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	w.client, err = kgo.NewClient(append(w.Client, kgo.DefaultProduceTopic("events"), kgo.ConsumeTopics(s.Topics.Attributions),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) send(event string) {
	if err := w.client.ProduceSync(w.t.Context(), kgo.StringRecord(event)).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// await reads records until the condition holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	for !holds() {
		fetches := w.client.PollFetches(ctx)
		if ctx.Err() != nil {
			for id, a := range w.newest {
				w.t.Logf("%s: %s", id, a.Encode(nil))
			}
			w.t.Fatalf("in vain: %s", what)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			a, err := schemas.DecodeAttribution(r.Value)
			if err != nil {
				w.t.Fatal(err)
			}
			w.newest[a.ConversionID] = &a
			if a.Cause == schemas.CauseIdentitySplit {
				w.split[a.ConversionID] = true
			}
		})
	}
}
