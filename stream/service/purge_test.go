package service

import (
	"testing"
	"time"

	"tributary/stream/kafkatest"
)

// starts are where the partitions of the journal begin.
func (u *run) starts(t *testing.T) map[int32]int64 {
	t.Helper()
	starts, err := u.admin.ListStartOffsets(t.Context(), TopicsOf(u.settings).Journal)
	if err != nil {
		t.Fatal(err)
	}
	found := map[int32]int64{}
	for partition, start := range starts[TopicsOf(u.settings).Journal] {
		found[partition] = start.Offset
	}
	return found
}

// What the journey role has consumed is deleted from the journal, nothing else, and nobody misses it: not an instance that
// lost its state either.
func TestConsumedMessagesAreDeleted(t *testing.T) {
	ctx := limit(t, time.Minute)
	u := newRun(t, kafkatest.StartFake(t, kafkatest.Options{}), seeds(t, 1)[0], 100, 2)
	i := u.instances[0]
	u.feed(ctx, len(u.queue)/2)
	i.roles = []Role{RoleIngest}
	i.start()
	until(ctx, t, "half of the records are ingested", func() bool { return i.metrics.Ledger().Received == u.sent })
	if err := i.service.purgeOnce(ctx, u.admin); err != nil {
		t.Fatal(err)
	}
	for partition, start := range u.starts(t) {
		if start != 0 {
			t.Errorf("partition %d begins at %d though nothing was consumed", partition, start)
		}
	}
	i.leave()

	i.roles = nil
	i.start()
	u.rest(ctx)
	if err := i.service.purgeOnce(ctx, u.admin); err != nil {
		t.Fatal(err)
	}
	consumed := u.committed(ctx, RoleJourney, TopicsOf(u.settings).Journal)
	for partition, start := range u.starts(t) {
		if start != consumed[partition] {
			t.Errorf("partition %d begins at %d, %d were consumed", partition, start, consumed[partition])
		}
	}
	i.leave()
	i.lose()

	u.startAll()
	u.feed(ctx, len(u.queue))
	u.check(ctx, u.want, u.rules)
}
