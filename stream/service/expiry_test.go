package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
)

// A shop that nothing changes in, on Kafka, for ten times as long as anything is kept: what compaction would leave of the changelog
// is in the second half no more than in the first, rows and stores agree in the end, and who comes back in time has one name. A
// crash halfway changes nothing.
func TestAShopLeavesABoundedChangelog(t *testing.T) {
	const keep, days, at, regulars = 20, 200, 20, 3
	ctx := limit(t, 2*time.Minute)
	u := newTimed(t, kafkatest.StartFake(t, kafkatest.Options{}), 2)
	u.settings.Lookback.Default, u.settings.Lateness.Allowed, u.settings.Retention = 7*day, 2*day, keep*day
	for _, i := range u.instances {
		i.start()
	}
	halves := [2]map[state.Kind]int{{}, {}}
	changelog := make([]map[string]string, u.settings.Partitions)
	for p := range changelog {
		changelog[p] = map[string]string{}
	}
	var from map[int32]int64
	var records []*kgo.Record
	for d, deliveries := range reference.Steady(days, 2, regulars) {
		for _, s := range deliveries {
			records = append(records, &kgo.Record{Topic: u.source, Value: s.JSON(), Timestamp: time.UnixMilli(s.At())})
		}
		if d%at != at-1 {
			continue
		}
		if err := u.world.source.ProduceSync(ctx, records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		u.sent += int64(len(records))
		records = nil
		if d == days/2-1 { // in the middle of everything
			u.instances[0].kill()
			u.instances[0].start()
		}
		u.rest(ctx)
		u.read(ctx, u.settings.ChangelogTopic(), from, func(r *kgo.Record) { fold(changelog[r.Partition], r) })
		from = u.ends(ctx, u.settings.ChangelogTopic())
		rows := map[state.Kind]int{}
		for _, partition := range changelog {
			for key := range partition {
				rows[state.Kind(key[0])]++
			}
		}
		for k, n := range rows {
			halves[d/(days/2)][k] = max(halves[d/(days/2)][k], n)
		}
	}
	for k, n := range halves[1] {
		if most := halves[0][k]; n > most+most/20+5 { // what a day brings depends a little on the day
			t.Errorf("%d %v rows in the second half, %d in the first", n, k, most)
		}
	}
	t.Logf("rows at most %v", halves[1])
	if l := u.ledger(); !l.Settled() || l.Late+l.Expired > 0 {
		t.Errorf("ledger %+v", l)
	}
	names := map[string]string{}
	u.read(ctx, u.settings.Topics.Attributions, nil, func(r *kgo.Record) {
		a, err := schemas.DecodeAttribution(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		for k := range regulars {
			who := fmt.Sprint("regular-", k, "-")
			if !strings.HasPrefix(a.ConversionID, who) {
				continue
			}
			if names[who] == "" {
				names[who] = a.CustomerID
			}
			if names[who] != a.CustomerID {
				t.Errorf("%s has another customer than the ones before", a.ConversionID)
			}
		}
	})
	if len(names) != regulars {
		t.Errorf("%d regulars bought something", len(names))
	}
	u.checkState(ctx, u.leaveAll())
}
