package service

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/stream/kafkatest"
	"tributary/stream/roles"
)

// Topics that somebody else made may take smaller batches than ours: what one transaction produces is cut to fit.
func TestBatchesFitTheTopics(t *testing.T) {
	ctx := limit(t, time.Minute)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	w := newWorld(t, cluster, plainRandom(), plainRules, 1)
	w.settings.CommitInterval = 200 * time.Millisecond // many records in one transaction
	names := TopicsOf(w.settings)
	for _, topic := range []string{names.Attributions, names.DeadLetters.Topic} {
		cluster.CreateTopic(t, topic, 1, map[string]string{"max.message.bytes": "8192"})
	}
	for n := range 200 {
		w.source.Produce(ctx, &kgo.Record{Topic: w.settings.Sources[0].Topic, Value: fmt.Appendf(nil,
			`{"event_id":"e%d","type":"conversion","occurred_at":"2026-01-02T10:00:00Z","identifiers":{"user_id":"u%d"},"touch":{"kind":"call"},"conversion":{"name":"sale","value":"1.%02d","currency":"USD"}}`, n, n, n%100)}, nil)
		w.source.Produce(ctx, &kgo.Record{Topic: w.settings.Sources[0].Topic, Value: fmt.Appendf(nil, `{"event_id":"b%d","type":"conversion"}`, n)}, nil)
	}
	if err := w.source.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	w.instances[0].start()
	w.rest(ctx)
	reader, _ := w.attributions(ctx)
	if len(reader.Newest) != 200 || len(reader.Faults) > 0 {
		t.Errorf("%d conversions, want 200; %v", len(reader.Newest), reader.Faults)
	}
	letters := 0
	w.read(ctx, names.DeadLetters.Topic, nil, func(*kgo.Record) { letters++ })
	if letters != 200 {
		t.Errorf("%d dead letters, want 200", letters)
	}
}

// A refused record that the dead-letter topic can't take whole is cut, however it is large, and says how large it was.
func TestDeadLettersFitTheirTopic(t *testing.T) {
	ctx := limit(t, time.Minute)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	r := rand.New(rand.NewPCG(1, 1))
	w := newWorld(t, cluster, r, plainRules, 1)
	const room = 4096
	cluster.CreateTopic(t, w.settings.Topics.DeadLetters, 1, map[string]string{"max.message.bytes": fmt.Sprint(room)})
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return b
	}
	records := map[origin]*kgo.Record{}
	for n := 3000; n < 4200; n += 50 {
		record := &kgo.Record{Value: random(n)}
		records[w.send(ctx, r, record)] = record
	}
	for _, record := range []*kgo.Record{
		{Value: random(100_000)},
		{Value: random(10), Key: random(10_000)},
		{Value: random(10_000), Key: random(10_000), Headers: []kgo.RecordHeader{{Key: "h", Value: random(10_000)}}},
		{Value: random(10), Key: random(10), Headers: []kgo.RecordHeader{{Key: "h", Value: random(10_000)}}},
	} {
		records[w.send(ctx, r, record)] = record
	}
	w.instances[0].start()
	w.rest(ctx)
	whole, cut := 0, 0
	w.read(ctx, w.settings.Topics.DeadLetters, nil, func(letter *kgo.Record) {
		headers := map[string]string{}
		for _, h := range letter.Headers {
			headers[h.Key] = string(h.Value)
		}
		offset, _ := strconv.ParseInt(headers[roles.HeaderOffset], 10, 64)
		partition, _ := strconv.Atoi(headers[roles.HeaderPartition])
		was := records[origin{headers[roles.HeaderTopic], int32(partition), offset}]
		switch {
		case was == nil || headers[roles.HeaderReason] != string(schemas.ReasonNotJSON):
			t.Errorf("a dead letter of nothing: %v", headers)
		case headers[roles.HeaderTruncated] == "":
			whole++
			if !bytes.Equal(letter.Value, was.Value) {
				t.Errorf("%d bytes of %d, and it doesn't say so", len(letter.Value), len(was.Value))
			}
		default:
			cut++
			if headers[roles.HeaderTruncated] != strconv.Itoa(len(was.Value)) || !bytes.HasPrefix(was.Value, letter.Value) || len(was.Value) < 3500 && len(was.Key) < room && len(was.Headers) == 0 {
				t.Errorf("cut to %d of %d bytes, says %s", len(letter.Value), len(was.Value), headers[roles.HeaderTruncated])
			}
		}
	})
	if whole+cut != len(records) || whole < 8 || cut < 6 {
		t.Errorf("%d records came whole and %d cut, %d were sent", whole, cut, len(records))
	}
}
