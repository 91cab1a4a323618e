package service

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
)

// The promise, on a broker: whatever the order of arrival, the partitions, the instances, and whatever dies on the way, the
// newest revisions are those of the reference.

// run is one population on its way through an application.
type run struct {
	*world
	random *rand.Rand
	rules  reference.Rules
	want   map[string]reference.Answer
	queue  []*kgo.Record // what is yet to be sent
	bad    map[*kgo.Record]schemas.Reason
}

func newRun(t *testing.T, cluster *kafkatest.Cluster, seed uint64, size, instances int) *run {
	r := rand.New(rand.NewPCG(seed, 0))
	return newRunOf(t, cluster, r, reference.Population(r, size), instances)
}

func newRunOf(t *testing.T, cluster *kafkatest.Cluster, r *rand.Rand, deliveries []reference.Delivery, instances int) *run {
	rules := reference.RandomRules(r)
	u := &run{random: r, rules: rules, want: reference.Answers(deliveries, rules), bad: map[*kgo.Record]schemas.Reason{}}
	u.world = newWorld(t, cluster, r, rules, instances)
	for _, d := range deliveries {
		u.queue = append(u.queue, &kgo.Record{Value: d.JSON()})
		for r.IntN(5) == 0 { // the sender, or its producer, repeats itself
			u.queue = append(u.queue, &kgo.Record{Value: d.JSON()})
		}
	}
	u.spoil()
	r.Shuffle(len(u.queue), func(i, j int) { u.queue[i], u.queue[j] = u.queue[j], u.queue[i] })
	return u
}

// spoil adds records that must be refused, and some that are accepted and go no further.
func (u *run) spoil() {
	const event = `{"event_id":"b","type":"touch","occurred_at":"2026-01-02T10:00:00Z","identifiers":{"anonymous_id":"b"},"touch":{"kind":"click"}`
	for value, reason := range map[string]schemas.Reason{
		`{"event_id":"b","type":"touch"`:  schemas.ReasonNotJSON,
		"\xff\xfe{}":                      schemas.ReasonNotJSON,
		`{"event_id":"b","event_id":"c"}`: schemas.ReasonDuplicateKey,
		`{"event_id":"b","type":"touch","occurred_at":"2026-01-02T10:00:00","identifiers":{"anonymous_id":"b"},"touch":{"kind":"click"}}`:  schemas.ReasonBadTime,
		`{"event_id":"b","type":"touch","occurred_at":"2999-01-02T10:00:00Z","identifiers":{"anonymous_id":"b"},"touch":{"kind":"click"}}`: schemas.ReasonFuture,
		`{"event_id":"b","type":"identify","occurred_at":"2026-01-02T10:00:00Z","identifiers":{"anonymous_id":"null"}}`:                    schemas.ReasonNoIdentifier,
		`{"event_id":"b","type":"dance","occurred_at":"2026-01-02T10:00:00Z","identifiers":{"anonymous_id":"b"}}`:                          schemas.ReasonUnknownType,
		"": schemas.ReasonTombstone,
	} {
		record := &kgo.Record{Key: []byte(reason), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte(reason)}}}
		u.queue = append(u.queue, record)
		u.bad[record] = reason
	}
	for _, value := range []string{
		event + `,"consent":{"attribution":false}}`,
		`{"event_id":"b","type":"cost","occurred_at":"2026-01-02T10:00:00Z","touch":{"campaign":"spring","cost":"12.00","currency":"USD"}}`,
	} {
		u.queue = append(u.queue, &kgo.Record{Value: []byte(value)})
		u.filtered++
	}
}

// feed sends the next n records.
func (u *run) feed(ctx context.Context, n int) {
	n = min(n, len(u.queue))
	for _, record := range u.queue[:n] {
		from := u.send(ctx, u.random, record)
		if reason, ok := u.bad[record]; ok {
			u.refused[from] = refused{reason, record}
		}
	}
	u.queue = u.queue[n:]
}

func (u *run) anyone() *instance { return u.instances[u.random.IntN(len(u.instances))] }

// startAll starts whoever doesn't run.
func (u *run) startAll() {
	for _, i := range u.instances {
		if !i.running() {
			i.start()
		}
	}
}

func limit(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Instances come and go in order while records arrive, so that partitions move.
func TestNewestRevisionsEqualTheReference(t *testing.T) {
	for _, seed := range seeds(t, 5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			ctx := limit(t, time.Minute)
			r := rand.New(rand.NewPCG(seed, 1))
			u := newRun(t, kafkatest.StartFake(t, kafkatest.Options{}), seed, 20+r.IntN(100), 1+r.IntN(3))
			for len(u.queue) > 0 {
				if i := u.anyone(); !i.running() {
					i.start()
				} else if r.IntN(3) == 0 {
					i.leave()
				}
				u.feed(ctx, 10+r.IntN(60))
			}
			u.startAll()
			u.check(ctx, u.want, u.rules)
			t.Logf("%d records, %d conversions, %d instances, %d partitions, lanes %+v, commits every %v", u.sent, len(u.want), len(u.instances),
				u.settings.Partitions, u.settings.Lanes, u.settings.CommitInterval)
		})
	}
}

// A record of 10 MB becomes a dead letter with all of its bytes, and nothing else is lost.
func TestDeadLetterOfTenMegabytes(t *testing.T) {
	ctx := limit(t, time.Minute)
	u := newRun(t, kafkatest.StartFake(t, kafkatest.Options{}), seeds(t, 1)[0], 10, 1)
	large := make([]byte, 10<<20)
	for i := range large {
		large[i] = byte(u.random.Uint32()) // doesn't compress
	}
	copy(large, `{"event_id":"`)
	record := &kgo.Record{Value: bytes.Clone(large)}
	u.queue = append(u.queue, record)
	u.bad[record] = schemas.ReasonTooLarge
	u.startAll()
	u.feed(ctx, len(u.queue))
	u.check(ctx, u.want, u.rules)
}
