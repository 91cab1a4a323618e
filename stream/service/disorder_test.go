package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
)

// disorderly feeds a stream of which one event in twenty is late, one in a hundred too late, and one in fifty comes twice,
// to two instances of which one dies and comes back, and the other leaves and comes back. Those too late are in the late topic,
// each once; of the rest every conversion becomes final exactly once, with the reference's answer. It returns how many were too late.
func disorderly(t *testing.T, ctx context.Context, cluster *kafkatest.Cluster, seed uint64, events int) (tooLate int) {
	const days, allowed = 60, 7 * 86_400_000
	r := rand.New(rand.NewPCG(seed, 2))
	rules := reference.Rules{Timeout: 1_800_000, Lookback: 20 * 86_400_000, First: map[string]bool{"lead": true}}
	w := newWorld(t, cluster, r, rules, 2)
	w.settings.Lateness.OutOfOrderness, w.settings.Lateness.Allowed = time.Minute, allowed*time.Millisecond

	newest := map[origin]int64{} // event time by source partition
	refused := map[origin]bool{}
	var taken []reference.Delivery
	send := func(d reference.Delivery) {
		from := w.send(ctx, r, &kgo.Record{Value: d.JSON()})
		of := origin{topic: from.topic, partition: from.partition}
		if seen := newest[of]; seen > 0 && d.At() < seen-60_000-allowed {
			refused[from] = true
			w.late++
			return
		}
		newest[of] = max(newest[of], d.At())
		taken = append(taken, d)
	}
	stream := reference.Stream(r, events, days, allowed)
	for _, i := range w.instances {
		i.start()
	}
	for n, a := range stream {
		switch n {
		case len(stream) / 3:
			w.instances[0].kill()
		case len(stream) / 2:
			w.instances[0].start()
			w.instances[1].leave()
		case len(stream) * 2 / 3:
			w.instances[1].start()
		}
		send(a.Delivery)
	}
	want := reference.Final(reference.Answers(taken, rules))
	w.end(ctx, t)
	w.rest(ctx)
	w.checkLate(ctx, refused)
	reader, _ := w.attributions(ctx)
	for _, fault := range slices.Concat(reader.Faults, reader.Differences(want)) {
		t.Error(fault)
	}
	if reader.AfterFinal > 0 {
		t.Errorf("%d revisions after the final one", reader.AfterFinal)
	}
	for id, a := range reader.Newest {
		if a.Change != schemas.ChangeFinal {
			t.Errorf("%s: the last revision is %s", id, a.Change)
		}
	}
	w.checkLedger(ctx)
	t.Logf("%d records, %d of them too late, %d conversions", w.sent, len(refused), len(want))
	return len(refused)
}

// end brings every source partition to a time at which all else is settled.
func (w *world) end(ctx context.Context, t *testing.T) {
	for topic, width := range w.widths {
		for partition := range width {
			record := &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil,
				`{"event_id":"end","type":"activity","occurred_at":"2026-06-01T00:00:00Z","identifiers":{"anonymous_id":"%s-%d"}}`, topic, partition)}
			if err := w.source.ProduceSync(ctx, record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			w.sent++
		}
	}
}

// checkLate: each event that came too late is in the late topic once, and nothing else is.
func (w *world) checkLate(ctx context.Context, want map[origin]bool) {
	w.t.Helper()
	seen := map[origin]bool{}
	w.read(ctx, w.settings.Topics.Late, nil, func(r *kgo.Record) {
		from := originOf(r)
		if !want[from] || seen[from] {
			w.t.Errorf("late event of %v: wanted %v, seen before %v", from, want[from], seen[from])
		}
		seen[from] = true
	})
	if len(seen) != len(want) {
		w.t.Errorf("%d late events, want %d", len(seen), len(want))
	}
}

func TestDisorder(t *testing.T) {
	tooLate, all := 0, seeds(t, 2)
	for _, seed := range all {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			tooLate += disorderly(t, limit(t, 2*time.Minute), kafkatest.StartFake(t, kafkatest.Options{}), seed, 600)
		})
	}
	if tooLate == 0 && len(all) > 1 { // one small stream may have none
		t.Error("nothing was too late")
	}
}
