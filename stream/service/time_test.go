package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tributary/schemas"
	"tributary/stream/kafkatest"
	"tributary/stream/lane"
	"tributary/stream/roles"
	"tributary/stream/watermark"
)

// timed is an application with one source of three partitions, which takes what is at most an hour behind.
type timed struct {
	*world
	source string
}

func newTimed(t *testing.T, cluster *kafkatest.Cluster, instances int) *timed {
	w := newWorld(t, cluster, plainRandom(), plainRules, instances)
	u := &timed{world: w, source: cluster.Name("timed")}
	cluster.CreateTopic(t, u.source, 3, nil)
	w.widths = map[string]int32{u.source: 3}
	w.settings.Sources[0].Topic = u.source
	w.settings.Sources = w.settings.Sources[:1]
	w.settings.Output.Format = "json"
	w.settings.Partitions = 4
	w.settings.Lateness.OutOfOrderness, w.settings.Lateness.Allowed = time.Minute, time.Hour
	w.patience = func(c *lane.Config) {
		little(c)
		c.IdleInterval, c.IdleAfter = 20*time.Millisecond, 200*time.Millisecond
	}
	return u
}

// event sends a touch of Ann, or her purchase, to a partition.
func (u *timed) event(ctx context.Context, partition int32, typ, clock string) {
	u.t.Helper()
	more := `"touch":{"kind":"click"}`
	if typ == "conversion" {
		more = `"conversion":{"name":"purchase","value":"5.00","currency":"USD"}`
	}
	record := &kgo.Record{Topic: u.source, Partition: partition, Value: fmt.Appendf(nil,
		`{"event_id":"%s %s","type":%q,"occurred_at":"2026-03-01T%s:00Z","identifiers":{"user_id":"ann"},%s}`, typ, clock, typ, clock, more)}
	if err := u.world.source.ProduceSync(ctx, record).FirstErr(); err != nil {
		u.t.Fatal(err)
	}
	u.sent++
}

func clock(text string) schemas.Millis {
	at, err := time.Parse("2006-01-02 15:04", "2026-03-01 "+text)
	if err != nil {
		panic(err)
	}
	return schemas.MillisOf(at)
}

// until waits until the changelog says so.
func (u *timed) until(ctx context.Context, what string, settled schemas.Millis, sources ...watermark.SourceTimes) {
	u.t.Helper()
	var last watermark.Table
	for n := range sources {
		sources[n].Topic, sources[n].Partition = u.source, int32(n)
	}
	for ctx.Err() == nil {
		table, err := Watermarks(ctx, []kgo.Opt{kgo.SeedBrokers(u.cluster.Brokers()...)}, u.settings)
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			u.t.Fatalf("%s: %v", what, err)
		}
		all := slices.Repeat([]watermark.Times{{Watermark: settled, Settled: settled}}, u.settings.Partitions)
		if slices.Equal(table.Sources, sources) && slices.Equal(table.Partitions, all) {
			return
		}
		last = table
		u.alive()
		time.Sleep(20 * time.Millisecond)
	}
	u.t.Fatalf("waited in vain: %s: %+v\n%s", what, last, u.groups(context.WithoutCancel(ctx)))
}

// changes are the kinds of the revisions of Ann's purchase, with the watermark of the last.
func (u *timed) changes(ctx context.Context) (changes []string, newest *schemas.Attribution) {
	u.read(ctx, u.settings.Topics.Attributions, nil, func(r *kgo.Record) {
		a, err := schemas.DecodeAttribution(r.Value)
		if err != nil {
			u.t.Error(err)
		}
		changes, newest = append(changes, string(a.Change)), &a
	})
	return changes, newest
}

// Of three partitions one is empty and one stalls: it has records that nobody can read. The empty one holds nobody back and the
// stalled one does, across a restart of everybody, until it is read: only then is the purchase final, with the touch that was
// in the backlog.
func TestFinalityWaitsForAStalledPartition(t *testing.T) {
	ctx := limit(t, time.Minute)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	u := newTimed(t, cluster, 2)
	for _, i := range u.instances {
		i.start()
	}
	u.event(ctx, 0, "conversion", "10:05")
	u.event(ctx, 1, "touch", "10:30")
	u.until(ctx, "two of three have events", clock("10:29"),
		watermark.SourceTimes{Watermark: clock("10:04"), Idle: true, Behind: 25 * time.Minute},
		watermark.SourceTimes{Watermark: clock("10:29"), Idle: true},
		watermark.SourceTimes{Idle: true})

	stall := cluster.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: u.source, Partitions: []int32{1}, Err: kerr.NotLeaderForPartition, Count: -1})
	u.event(ctx, 1, "touch", "10:00")
	u.event(ctx, 1, "touch", "13:00")
	for _, i := range u.instances { // whoever is new has not heard that partition 1 was idle
		i.leave()
	}
	for _, i := range u.instances {
		i.start()
	}
	u.event(ctx, 0, "touch", "12:00")
	stalled := []watermark.SourceTimes{
		{Watermark: clock("11:59"), Idle: true},
		{Watermark: clock("10:29"), Behind: 90 * time.Minute},
		{Idle: true}}
	u.until(ctx, "partition 1 holds the others back", clock("10:29"), stalled...)
	u.event(ctx, 0, "touch", "10:58") // late, by what was known before the restart
	until(ctx, t, "the late event is counted", func() bool { return u.ledger().Late == 1 })
	u.until(ctx, "a late event moves nothing", clock("10:29"), stalled...)
	if changes, _ := u.changes(ctx); !slices.Equal(changes, []string{"ATTRIBUTION"}) {
		t.Errorf("the purchase has revisions %v before time is settled", changes)
	}

	stall.Remove()
	u.until(ctx, "all is read", clock("12:59"),
		watermark.SourceTimes{Watermark: clock("11:59"), Idle: true, Behind: time.Hour},
		watermark.SourceTimes{Watermark: clock("12:59"), Idle: true},
		watermark.SourceTimes{Idle: true})
	u.rest(ctx)
	var pages string
	for _, i := range u.instances {
		_, page := i.get("/metrics")
		pages += page
	}
	for _, line := range []string{
		fmt.Sprintf(`tributary_ingest_watermark_timestamp_seconds{partition="1",topic=%q} %v`, u.source, float64(clock("12:59"))/1000),
		fmt.Sprintf(`tributary_ingest_idle{partition="2",topic=%q} 1`, u.source),
		fmt.Sprintf(`tributary_journey_settled_timestamp_seconds{partition="3"} %v`, float64(clock("12:59"))/1000),
	} {
		if strings.Count(pages, line+"\n") != 1 {
			t.Errorf("not once in the metrics of both: %s", line)
		}
	}
	changes, final := u.changes(ctx)
	// The late event may have made partition 0 hold time back once more, for a moment.
	if !slices.Equal(changes, []string{"ATTRIBUTION", "RESTATEMENT", "FINAL"}) || len(final.Touches) != 1 || final.Touches[0].EventID != "touch 10:00" || final.Watermark < clock("11:59") {
		t.Errorf("the purchase has revisions %v, the last with %+v", changes, final)
	}
	var late []string
	u.read(ctx, u.settings.Topics.Late, nil, func(r *kgo.Record) {
		for _, h := range r.Headers {
			if h.Key == roles.HeaderAge {
				late = append(late, string(h.Value))
			}
		}
	})
	if !slices.Equal(late, []string{"3660000"}) {
		t.Errorf("late: %v ms", late)
	}
}

// Ingest dies again and again, in the middle of everything. What is late is what one quiet reader of each partition would say,
// and it is in the late topic once.
func TestLateEventsOfACrashingIngest(t *testing.T) {
	lateEventsOfACrashingIngest(t, newTimed(t, kafkatest.StartFake(t, kafkatest.Options{}), 2))
}

func lateEventsOfACrashingIngest(t *testing.T, u *timed) {
	ctx := limit(t, 2*time.Minute)
	r := plainRandom()
	var sources [3]watermark.Source
	want, at := map[origin]bool{}, clock("00:00")
	for range 12 {
		for range 40 {
			at = at.Add(time.Duration(r.IntN(300)) * time.Second)
			event := at.Add(-time.Duration(r.ExpFloat64() * float64(time.Hour)))
			record := &kgo.Record{Topic: u.source, Partition: r.Int32N(3), Value: fmt.Appendf(nil,
				`{"event_id":"e%d","type":"identify","occurred_at":%q,"identifiers":{"user_id":"u%d"}}`, u.sent, event, u.sent%9)}
			if err := u.world.source.ProduceSync(ctx, record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			u.sent++
			if s := &sources[record.Partition]; s.Late(event, time.Hour) {
				want[origin{u.source, record.Partition, record.Offset}] = true
			} else {
				s.See(event, schemas.MillisOf(record.Timestamp), time.Minute)
			}
		}
		switch i := u.instances[r.IntN(2)]; {
		case !i.running():
			i.start()
		case r.IntN(2) == 0:
			i.kill()
		default:
			i.loseAnswer(r)
		}
	}
	for _, i := range u.instances {
		if !i.running() {
			i.start()
		}
	}
	u.rest(ctx)
	got := map[origin]bool{}
	u.read(ctx, u.settings.Topics.Late, nil, func(r *kgo.Record) {
		from := originOf(r)
		if got[from] || !want[from] {
			t.Errorf("%v is late, again: %v", from, got[from])
		}
		got[from] = true
	})
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%d late events, want %d", len(got), len(want))
	}
}
