package roles_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/roles"
	"tributary/stream/service"
	"tributary/stream/settings"
	"tributary/stream/watermark"
)

// counted sums what transactions of ingest did.
type counted struct{ received, journaled, late int64 }

func (c *counted) add(i *metrics.Ingested) {
	c.received += i.Received
	c.journaled += i.Journaled
	c.late += i.Late
}

// newIngest is an ingest task that waits a minute for disorder and applies what is at most an hour behind.
func newIngest(t *testing.T, count func(*metrics.Ingested)) *roles.Ingest {
	t.Helper()
	s := settings.Default()
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	decide, err := service.IngestOf(s, keys)
	if err != nil {
		t.Fatal(err)
	}
	names := service.TopicsOf(s)
	names.Late.Bytes, names.DeadLetters.Bytes = 1<<20, 1<<20
	names.Sources["events"] = 2
	task := roles.NewIngest(roles.IngestConfig{Decide: decide, Topics: names, OutOfOrderness: time.Minute, Allowed: time.Hour, Count: count})
	task.Own(map[string][]int32{"events": {0, 1}})
	return task
}

func clockTime(text string) schemas.Millis {
	at, err := time.Parse("2006-01-02T15:04:05Z", "2026-03-01T"+text+"Z")
	if err != nil {
		panic(err)
	}
	return schemas.MillisOf(at)
}

// record is an event that the broker stamped at noon of the next day, like one of a backfill.
func record(partition int32, offset int64, id, typ string, at schemas.Millis) *kgo.Record {
	more := ""
	if typ == "touch" {
		more = `,"touch":{"kind":"click"}`
	}
	return &kgo.Record{Topic: "events", Partition: partition, Offset: offset, Key: []byte("key of " + id), Timestamp: clockTime("12:00:00").Add(24 * time.Hour).Time(),
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("7f")}},
		Value:   fmt.Appendf(nil, `{"event_id":%q,"type":%q,"occurred_at":%q,"identifiers":{"anonymous_id":"a"}%s}`, id, typ, at, more)}
}

// sorted tells records by what they are.
type sorted struct {
	late    []*kgo.Record
	ticks   []watermark.Message
	journal []identity.Message
}

func sort(t *testing.T, records []*kgo.Record) (s sorted) {
	t.Helper()
	for _, r := range records {
		switch {
		case r.Topic == "late":
			s.late = append(s.late, r)
		case watermark.Is(r.Value):
			m, err := watermark.Decode(r.Value)
			if err != nil || r.Partition != watermark.ClockPartition {
				t.Errorf("a message about time in partition %d: %v", r.Partition, err)
			}
			s.ticks = append(s.ticks, m)
		default:
			err := identity.EachMessage(r.Value, func(m *identity.Message) error {
				s.journal = append(s.journal, *m)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
	return s
}

// commit lets ingest take records and commits.
func commit(t *testing.T, task *roles.Ingest, records ...*kgo.Record) sorted {
	t.Helper()
	out, err := task.Process(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	last, err := task.Flush(t.Context())
	if err == nil {
		err = task.Commit(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sort(t, append(out, last...))
}

// The newest event of partition 0 is of 15:00, so its watermark is 14:59, and what is older than 13:59 is late; except what a
// person wants, and what is replayed. Partition 1 has nothing to do with it.
func TestLateEvents(t *testing.T) {
	var sum counted
	task := newIngest(t, sum.add)
	late := record(0, 3, "old", "touch", clockTime("13:58:59"))
	replayed := record(0, 6, "replayed", "touch", clockTime("08:00:00"))
	replayed.Headers = append(replayed.Headers, kgo.RecordHeader{Key: roles.HeaderReplay})
	s := commit(t, task,
		record(0, 0, "first", "touch", clockTime("09:00:00")),
		record(0, 1, "newest", "touch", clockTime("15:00:00")),
		record(0, 2, "just in time", "touch", clockTime("13:59:00")),
		late,
		record(0, 4, "forget", "forget", clockTime("08:00:00")),
		record(0, 5, "identify", "identify", clockTime("13:58:58")),
		replayed,
		record(1, 0, "other partition", "touch", clockTime("08:00:00")),
	)
	if len(s.late) != 2 || len(s.journal) != 6 || sum != (counted{received: 8, journaled: 6, late: 2}) {
		t.Fatalf("%d late, %d journaled; counted %+v", len(s.late), len(s.journal), sum)
	}
	letter := s.late[0]
	if !bytes.Equal(letter.Value, late.Value) || !bytes.Equal(letter.Key, late.Key) {
		t.Errorf("letter %s: %s", letter.Key, letter.Value)
	}
	got := map[string]string{}
	for _, h := range letter.Headers {
		got[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{
		"trace": "7f", roles.HeaderReason: "late", roles.HeaderTopic: "events", roles.HeaderPartition: "0", roles.HeaderOffset: "3",
		roles.HeaderTimestamp: "2026-03-02T12:00:00Z", roles.HeaderWatermark: "2026-03-01T14:59:00.000Z", roles.HeaderAge: "3601000",
	} {
		if got[key] != want {
			t.Errorf("header %s is %q, want %q", key, got[key], want)
		}
	}
	for _, m := range s.journal {
		if backfill := m.Cause == identity.CauseBackfill; backfill != (m.Time == clockTime("08:00:00") && m.Kind == identity.KindEvent && m.Fact != nil && m.Fact.Event == identity.EventKeyOf("replayed")) {
			t.Errorf("%v of %v has cause %d", m.Kind, m.Time, m.Cause)
		}
	}
	want := []watermark.Message{
		{Kind: watermark.Tick, Topic: "events", Partition: 0, Partitions: 2, Watermark: clockTime("14:59:00")},
		{Kind: watermark.Tick, Topic: "events", Partition: 1, Partitions: 2, Watermark: clockTime("07:59:00")},
	}
	if !slices.Equal(s.ticks, want) {
		t.Errorf("the clock hears %+v, want %+v", s.ticks, want)
	}
}

// When the clock hears of a partition: when it comes, when its watermark moves by a second, when it is idle, and when it is
// not any more. What was in an aborted transaction is said again.
func TestTicks(t *testing.T) {
	task := newIngest(t, func(*metrics.Ingested) {})
	p := lane.TopicPartition{Topic: "events", Partition: 1}
	idle := func(quiet ...lane.TopicPartition) sorted {
		out, err := task.Idle(t.Context(), quiet)
		if err == nil {
			err = task.Commit(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return sort(t, out)
	}
	offset := int64(0)
	touch := func(at schemas.Millis) *kgo.Record {
		offset++
		return record(1, offset, fmt.Sprint(offset), "touch", at)
	}
	expect := func(story string, s sorted, want ...watermark.Message) {
		t.Helper()
		for i := range want {
			want[i].Kind, want[i].Topic, want[i].Partition, want[i].Partitions = watermark.Tick, "events", 1, 2
		}
		if !slices.Equal(s.ticks, want) {
			t.Errorf("%s: the clock hears %+v, want %+v", story, s.ticks, want)
		}
	}
	task.Own(map[string][]int32{"events": {1}})
	task.Noted(p, watermark.Source{Watermark: clockTime("09:00:00")}.Note())
	expect("it comes", idle(), watermark.Message{Watermark: clockTime("09:00:00")})
	expect("nothing is new", idle())
	expect("half a second", commit(t, task, touch(clockTime("09:01:00")+500)))
	expect("a second", commit(t, task, touch(clockTime("09:01:01"))), watermark.Message{Watermark: clockTime("09:00:01")})
	expect("999 ms more", commit(t, task, touch(clockTime("09:01:01")+999)))
	expect("it is idle", idle(p), watermark.Message{Watermark: clockTime("09:00:01") + 999, Idle: true})
	expect("it still is", idle(p))
	if _, err := task.Process(t.Context(), []*kgo.Record{touch(clockTime("10:00:00"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	task.Abort()
	expect("an aborted transaction was nothing", idle(p))
	if note := task.Note(p); note != (watermark.Source{Watermark: clockTime("09:00:01") + 999}).Note()+" ledger/1 3 0 0 0" {
		t.Errorf("note %q", note)
	}
	expect("it is back", commit(t, task, touch(clockTime("09:00:00"))), watermark.Message{Watermark: clockTime("09:00:01") + 999})
	task.Own(nil)
	expect("it has gone", idle())
}

// Whatever is aborted, and wherever ingest is started again or a partition moves: the same events are late, and the ledger
// adds up.
func TestLateDecisionsSurviveRestarts(t *testing.T) {
	seed := rand.Uint64N(1 << 40)
	if given, err := strconv.ParseUint(os.Getenv("TRIBUTARY_SEED"), 10, 64); err == nil {
		seed = given
	}
	for n := range 30 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		logs := [2][]*kgo.Record{}
		want := [2][]int64{}
		for p := range logs {
			var naive schemas.Millis // newest event that was taken
			at := clockTime("00:00:00")
			for offset := range int64(200) {
				at = at.Add(time.Duration(r.IntN(120)) * time.Second)
				event := at.Add(-time.Duration(r.ExpFloat64() * float64(20*time.Minute)))
				logs[p] = append(logs[p], record(int32(p), offset, fmt.Sprintf("%d-%d", p, offset), "touch", event))
				if naive > 0 && event < naive.Add(-time.Minute-time.Hour) {
					want[p] = append(want[p], offset)
				} else {
					naive = max(naive, event)
				}
			}
		}
		var sum counted
		task := newIngest(t, sum.add)
		notes, next, got := [2]string{}, [2]int{}, [2][]int64{}
		for next[0] < 200 || next[1] < 200 {
			p := r.IntN(2)
			source := lane.TopicPartition{Topic: "events", Partition: int32(p)}
			switch r.IntN(10) {
			case 0: // another process
				task = newIngest(t, sum.add)
				for other := range notes {
					task.Noted(lane.TopicPartition{Topic: "events", Partition: int32(other)}, notes[other])
				}
			case 1: // the partition went and came back
				task.Noted(source, notes[p])
			}
			part := logs[p][next[p]:min(next[p]+r.IntN(30), 200)]
			if r.IntN(4) == 0 {
				if _, err := task.Process(t.Context(), part); err != nil {
					t.Fatal(err)
				}
				task.Abort()
				continue
			}
			for _, letter := range commit(t, task, part...).late {
				for _, h := range letter.Headers {
					if h.Key == roles.HeaderOffset {
						offset, _ := strconv.ParseInt(string(h.Value), 10, 64)
						got[p] = append(got[p], offset)
					}
				}
			}
			next[p] += len(part)
			notes[p] = task.Note(source)
		}
		if !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) || len(want[0]) == 0 {
			t.Fatalf("TRIBUTARY_SEED=%d, run %d: late are %v, want %v", seed, n, got, want)
		}
		if late := int64(len(want[0]) + len(want[1])); sum != (counted{received: 400, journaled: 400 - late, late: late}) {
			t.Fatalf("TRIBUTARY_SEED=%d, run %d: counted %+v, want %d late", seed, n, sum, late)
		}
		for p, note := range notes {
			if got := roles.CountsOf(note); got != (roles.SourceCounts{Received: 200, Late: int64(len(want[p]))}) {
				t.Fatalf("TRIBUTARY_SEED=%d, run %d: the note says %+v, want 200 received and %d late", seed, n, got, len(want[p]))
			}
		}
	}
}
