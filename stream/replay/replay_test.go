package replay_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/embedded"
	"tributary/stream/metrics"
	"tributary/stream/replay"
	"tributary/stream/roles"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// world is a broker with an application's topics.
type world struct {
	t        *testing.T
	settings *settings.Settings
	client   []kgo.Opt
	kafka    *kgo.Client
}

func start(t *testing.T) *world {
	broker, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	s := settings.Default()
	s.Kafka.Brokers, s.Partitions, s.CommitInterval = broker.Brokers(), 3, 10*time.Millisecond
	s.State.Dir, s.HTTP.Listen = t.TempDir(), ""
	s.Sources = []settings.Source{{Topic: "events", Format: "native"}}
	w := &world{t: t, settings: s, client: []kgo.Opt{kgo.SeedBrokers(s.Kafka.Brokers...)}}
	if _, err := service.CreateTopics(t.Context(), w.client, s, true); err != nil {
		t.Fatal(err)
	}
	if w.kafka, err = kgo.NewClient(append(w.client, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.kafka.Close)
	return w
}

// run is a service of the settings, and what it puts out.
func (w *world) run(s *settings.Settings) *reader {
	w.t.Helper()
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		w.t.Fatal(err)
	}
	svc, err := service.New(w.t.Context(), service.Config{Settings: s, Keys: keys, Client: w.client, Instance: "test",
		Metrics: metrics.New("test"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		if err := svc.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return w.reader(s.Topics.Attributions)
}

// reader reads a topic from its start.
type reader struct {
	*kgo.Client
	t *testing.T
}

func (w *world) reader(topic string) *reader {
	client, err := kgo.NewClient(append(w.client, kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return &reader{client, w.t}
}

// until reads records until one satisfies, and returns it.
func (r *reader) until(what string, satisfies func(*kgo.Record) bool) *kgo.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for {
		fetches := r.PollRecords(ctx, 1)
		if ctx.Err() != nil {
			r.t.Fatalf("in vain: %s", what)
		}
		for _, record := range fetches.Records() {
			if satisfies(record) {
				return record
			}
		}
	}
}

// revision reads until one of the conversion satisfies.
func (r *reader) revision(what string, satisfies func(a *schemas.Attribution) bool) {
	r.t.Helper()
	r.until(what, func(record *kgo.Record) bool {
		a, err := schemas.DecodeAttribution(record.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		return satisfies(&a)
	})
}

func (w *world) send(topic string, partition int32, value string) {
	w.t.Helper()
	if err := w.kafka.ProduceSync(w.t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

func click(id, at string) string {
	return fmt.Sprintf(`{"event_id":%q,"type":"touch","occurred_at":%q,"identifiers":{"email":"ann@example.com"},"touch":{"kind":"click","channel":%q}}`, id, at, id)
}

const purchase = `{"event_id":"p","type":"conversion","occurred_at":"2026-03-01T12:00:00Z","identifiers":{"email":"ann@example.com"},
	"conversion":{"name":"purchase","id":"order-1","value":"10.00","currency":"USD"}}`

// A click comes a month too late and goes to the late topic. Replayed, it revises the conversion; replayed again, it
// changes nothing; and another application that the source is replayed to comes to the same answer.
func TestReplay(t *testing.T) {
	w := start(t)
	out := w.run(w.settings)
	w.send("events", 0, click("first", "2026-03-01T10:00:00Z"))
	w.send("events", 0, purchase)
	w.send("events", 0, click("march", "2026-03-31T10:00:00Z")) // time goes on
	out.revision("the purchase is attributed", func(a *schemas.Attribution) bool { return len(a.Touches) == 1 })
	w.send("events", 0, click("late", "2026-03-01T11:00:00Z"))
	w.reader(w.settings.Topics.Late).until("the click is late", func(*kgo.Record) bool { return true })

	config := replay.Config{Settings: w.settings, Client: w.client, From: w.settings.Topics.Late, Log: slog.New(slog.DiscardHandler)}
	p, err := replay.Run(t.Context(), config)
	if err != nil || !p.Done() || p.Copied != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	out.revision("the late click counts", func(a *schemas.Attribution) bool {
		return a.Cause == schemas.CauseBackfill && len(a.Touches) == 2 && a.Touches[1].EventID == "late"
	})
	if p, err = replay.Run(t.Context(), config); err != nil || !p.Done() || p.Copied != 0 {
		t.Errorf("the same once more: %+v, %v", p, err)
	}
	config.Again = true
	if p, err = replay.Run(t.Context(), config); err != nil || !p.Done() || p.Copied != 1 {
		t.Errorf("again: %+v, %v", p, err)
	}

	trial, err := w.settings.Beside("trial")
	if err != nil {
		t.Fatal(err)
	}
	other := w.run(trial)
	p, err = replay.Run(t.Context(), replay.Config{Settings: trial, Client: w.client, From: "events", Log: slog.New(slog.DiscardHandler)})
	if err != nil || p.Copied != 4 {
		t.Fatalf("%+v, %v", p, err)
	}
	other.revision("the other application has both clicks", func(a *schemas.Attribution) bool { return len(a.Touches) == 2 })
	w.send("events", 0, `{"event_id":"r","type":"refund","occurred_at":"2026-03-31T12:00:00Z","refund":{"conversion_id":"order-1","amount":"10.00","currency":"USD"}}`)
	out.revision("nothing came of the other replays", func(a *schemas.Attribution) bool {
		if a.Cause == schemas.CauseBackfill {
			t.Errorf("%s", a.Encode(nil))
		}
		return a.Status == schemas.StatusRetracted
	})
}

// A stretch by offsets or time is copied exactly once, however often the command is stopped on the way, and nothing else.
func TestStretches(t *testing.T) {
	w := start(t)
	value := func(partition int32, n int) string { return fmt.Sprintf("%d/%d", partition, n) }
	for n := range 20 {
		if n == 10 {
			time.Sleep(5 * time.Millisecond) // another millisecond on the broker's clock
		}
		for partition := range int32(3) {
			w.send("events", partition, value(partition, n))
		}
	}
	replayed := &kgo.Record{Topic: "events", Partition: 1, Value: []byte("replayed before"),
		Headers: []kgo.RecordHeader{{Key: roles.HeaderReplay, Value: []byte("late")}, {Key: "own"}}}
	imported := &kgo.Record{Topic: "events", Partition: 1, Value: []byte("1/20"), Headers: []kgo.RecordHeader{{Key: roles.HeaderReplay}}}
	if err := w.kafka.ProduceSync(t.Context(), replayed, imported).FirstErr(); err != nil {
		t.Fatal(err)
	}
	tenth := w.reader("events").until("the eleventh", func(r *kgo.Record) bool { return string(r.Value) == value(0, 10) }).Timestamp

	want := map[string]int{}
	expect := func(partition int32, from, to int) {
		for n := from; n < to; n++ {
			want[value(partition, n)]++
		}
	}
	for _, test := range []struct {
		name   string
		config replay.Config
		expect func()
	}{
		{"offsets", replay.Config{Ranges: map[int32]replay.Range{0: {From: 3, To: 7}, 2: {From: 18}}}, func() { expect(0, 3, 7); expect(2, 18, 20) }},
		{"since", replay.Config{Since: tenth, Ranges: map[int32]replay.Range{0: {}}}, func() { expect(0, 10, 20) }},
		{"until, slowly, with interruptions", replay.Config{Until: tenth, Rate: 10, Ranges: map[int32]replay.Range{0: {}}}, func() { expect(0, 0, 10) }},
		{"all", replay.Config{}, func() { expect(0, 0, 20); expect(1, 0, 21); expect(2, 0, 20) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.config
			c.Settings, c.Client, c.From, c.Log = w.settings, w.client, "events", slog.New(slog.DiscardHandler)
			for runs := 0; ; runs++ {
				ctx, stop := context.WithCancel(t.Context())
				c.Progress = func(p replay.Progress) {
					if c.Rate > 0 && p.Copied > 0 && runs < 2 {
						stop()
					}
				}
				p, err := replay.Run(ctx, c)
				stop()
				if err != nil {
					t.Fatal(err)
				}
				if p.Done() {
					if c.Rate > 0 && runs < 2 {
						t.Errorf("done in the first %d runs: nothing was interrupted", runs+1)
					}
					break
				}
			}
			test.expect()
			if got := w.replayed(t); !maps.Equal(got, want) {
				t.Errorf("replayed %v\nwant %v", got, want)
			}
		})
	}
	for _, c := range []replay.Config{{From: "nowhere"}, {From: "events", Ranges: map[int32]replay.Range{7: {}}}} {
		c.Settings, c.Client, c.Log = w.settings, w.client, slog.New(slog.DiscardHandler)
		if _, err := replay.Run(t.Context(), c); err == nil {
			t.Errorf("%s %v can be replayed", c.From, c.Ranges)
		}
	}
}

// replayed are the values of the replay topic, with how often each is there.
func (w *world) replayed(t *testing.T) map[string]int {
	ends, err := kadm.NewClient(w.kafka).ListCommittedOffsets(t.Context(), w.settings.ReplayTopic())
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { left[o.Partition] = o.Offset })
	client, err := kgo.NewClient(append(w.client, kgo.ConsumeTopics(w.settings.ReplayTopic()), kgo.KeepControlRecords(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, at := map[string]int{}, map[int32]int64{}
	behind := func() bool {
		for partition, end := range left {
			if at[partition] < end {
				return true
			}
		}
		return false
	}
	for behind() {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatal("the replay topic can't be read")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if r.Attrs.IsControl() {
				return
			}
			got[string(r.Value)]++
			if !slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == roles.HeaderReplay }) {
				t.Errorf("%s has no mark", r.Value)
			}
		})
	}
	return got
}

// The largest event there can be is replayed, though a client's default for a batch is smaller.
func TestLargeRecord(t *testing.T) {
	w := start(t)
	client, err := kgo.NewClient(append(w.client, kgo.ProducerBatchMaxBytes(2<<20))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	late := w.settings.Topics.Late
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: late, Value: make([]byte, schemas.MaxEventBytes)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p, err := replay.Run(t.Context(), replay.Config{Settings: w.settings, Client: w.client, From: late, Log: slog.New(slog.DiscardHandler)})
	if err != nil || p.Copied != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}
