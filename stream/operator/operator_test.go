package operator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/attribution"
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
	w.orders()
	if err := w.Share(t.Context(), "unlink-1", phone); err != nil {
		t.Fatal(err)
	}
	w.await("each order sees its own click", func() bool { return w.clicks("order-ann") == 1 && w.clicks("order-bob") == 1 })
	// The tree comes apart, and what still belongs together finds itself again: the cause of a revision can be either.
	if len(w.split) == 0 {
		t.Error("no revision has the cause identity_split")
	}
	if ann, bob := w.newest["order-ann"], w.newest["order-bob"]; ann.CustomerID == bob.CustomerID ||
		ann.Touches[0].Channel != "ann-search" || bob.Touches[0].Channel != "bob-search" {
		t.Errorf("%s\n%s", ann.Encode(nil), bob.Encode(nil))
	}

	if err := w.Share(t.Context(), "unlink-1", phone); err != nil { // once more changes nothing
		t.Fatal(err)
	}
	w.send(`{"event_id":"call-1","type":"touch","occurred_at":"2026-03-02T10:00:00Z","identifiers":{"phone":"415 555 2671"},"touch":{"kind":"call","channel":"phone"}}`)
	w.awaitShared("the call is nobody's, and known at the number", func(all []attribution.Shared) bool {
		return len(all) == 1 && all[0].Why == "declared" && all[0].ID.Type() == "phone" && len(all[0].Touches) == 1 &&
			all[0].Touches[0].Kind == "call" && len(all[0].Candidates) == 4
	})
	if err := w.Forget(t.Context(), "forget-1", schemas.MillisOf(time.Now()), schemas.Identifier{Type: "email", Value: "Ann@Example.com"}); err != nil {
		t.Fatal(err)
	}
	w.await("Ann is forgotten", func() bool { return w.newest["order-ann"].Unattributed == schemas.UnattributedErased })
	if w.clicks("order-bob") != 1 {
		t.Errorf("%s", w.newest["order-bob"].Encode(nil))
	}
	// Beside her click goes the call at the shared number, which is an actor of its own.
	erased, unlinked := w.audit("forget-1", 2), w.audit("unlink-1", 0)
	if erased.Kind != schemas.AuditErasure || erased.Identifiers != 2 || erased.Events != 2 || erased.Conversions != 1 {
		t.Errorf("receipts of the erasure: %+v", erased)
	}
	if unlinked.Kind != schemas.AuditUnlink || unlinked.Identifiers != 1 || unlinked.Reason != "declared" || unlinked.Links == 0 {
		t.Errorf("record of the unlinking: %+v", unlinked)
	}
	if started := w.audit("", 0); started.Kind != schemas.AuditConfiguration || started.Instance != "test" ||
		!slices.Contains(started.Settings, schemas.AuditSetting{Path: "partitions", Value: "3"}) {
		t.Errorf("record of the start: %+v", started)
	}
	w.awaitShared("the call may have been Ann's", func(all []attribution.Shared) bool {
		return len(all) == 1 && len(all[0].Touches)+len(all[0].Candidates) == 0
	})
}

// The number is declared shared in the settings with which the service begins again.
func TestSharedInTheSettings(t *testing.T) {
	w := start(t)
	w.orders()
	w.stop()
	w.Settings.Identity.Shared = []settings.Shared{{Type: "phone", Value: "+1 415-555-2671"}}
	w.run()
	w.await("each order sees its own click", func() bool { return w.clicks("order-ann") == 1 && w.clicks("order-bob") == 1 })
	if len(w.split) == 0 {
		t.Error("no revision has the cause identity_split")
	}
}

// orders lets two people order through the call centre and waits until they are one customer.
func (w *world) orders() {
	w.t.Helper()
	for _, name := range []string{"ann", "bob"} {
		w.send(fmt.Sprintf(`{"event_id":"click-%[1]s","type":"touch","occurred_at":"2026-03-01T10:00:00Z","identifiers":{"anonymous_id":"c-%[1]s"},"touch":{"kind":"click","channel":"%[1]s-search"}}`, name))
		w.send(fmt.Sprintf(`{"event_id":"order-%[1]s","type":"conversion","occurred_at":"2026-03-01T12:00:00Z","identifiers":{"anonymous_id":"c-%[1]s","email":"%[1]s@example.com","phone":"(415) 555-2671"},"conversion":{"name":"purchase","value":"10.00","currency":"USD"}}`, name))
	}
	w.await("both orders see both clicks", func() bool { return w.clicks("order-ann") == 2 && w.clicks("order-bob") == 2 })
}

// clicks is how many touches a conversion has.
func (w *world) clicks(id string) int {
	if a := w.newest[id]; a != nil {
		return len(a.Touches)
	}
	return 0
}

func TestUnusableIdentifiersAreNotSent(t *testing.T) {
	o := operator.Operator{Settings: settings.Default(), Keys: keys(t)}
	for _, bad := range []schemas.Identifier{{Type: "email", Value: "nobody"}, {Type: "phone", Value: "000"}, {Type: "fax", Value: "1"}} {
		if err := o.Share(t.Context(), "r", bad); !errors.Is(err, operator.ErrUnusable) {
			t.Errorf("%s: %v", bad.Type, err)
		}
		if err := o.Forget(t.Context(), "f", 1, bad); !errors.Is(err, operator.ErrUnusable) {
			t.Errorf("%s: %v", bad.Type, err)
		}
	}
	if err := o.Share(t.Context(), "r"); err == nil {
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
	stop   func()          // ends the service
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
	w.run()
	t.Cleanup(func() { w.stop() })
	w.client, err = kgo.NewClient(append(w.Client, kgo.DefaultProduceTopic("events"), kgo.ConsumeTopics(s.Topics.Attributions),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

// run starts the service.
func (w *world) run() {
	svc, err := service.New(w.t.Context(), service.Config{Settings: w.Settings, Keys: w.Keys, Client: w.Client, Instance: "test",
		Metrics: metrics.New("test"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		if err := svc.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// awaitShared looks at the changelog until the condition holds.
func (w *world) awaitShared(what string, holds func([]attribution.Shared) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	for {
		all, err := service.Shared(ctx, w.Client, w.Settings)
		if err != nil {
			w.t.Fatalf("in vain: %s: %v", what, err)
		}
		if holds(all) {
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("in vain: %s: %+v", what, all)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (w *world) send(event string) {
	if err := w.client.ProduceSync(w.t.Context(), kgo.StringRecord(event)).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// audit sums up the audit records of a request, and waits until they name so many events.
func (w *world) audit(request string, events int64) (sum schemas.Audit) {
	w.t.Helper()
	reader, err := kgo.NewClient(append(w.Client, kgo.ConsumeTopics(w.Settings.Topics.Audit),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	for sum.Kind == "" || sum.Events < events {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("audit records of request %q: %+v", request, sum)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			a, err := schemas.DecodeAudit(r.Value)
			if err != nil {
				w.t.Errorf("%s: %v", r.Value, err)
			}
			if a.Request == request {
				a.Identifiers, a.Events, a.Conversions = a.Identifiers+sum.Identifiers, a.Events+sum.Events, a.Conversions+sum.Conversions
				sum = a
			}
		})
	}
	return sum
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
