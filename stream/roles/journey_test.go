package roles

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/metrics"
)

// A part of an erasure counts wherever it deletes rows, also where no receipt of it is written.
func TestErasingIsCountedWhereRowsAre(t *testing.T) {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var counted metrics.Journeyed
	task := NewJourney(attribution.New(attribution.Config{Partitions: 1}), store, Topics{Journal: "journal", Partitions: 1},
		func(j *metrics.Journeyed) { counted = *j })
	member := identity.Ref{ID: identity.ID{1}}
	for _, step := range []struct {
		message identity.Message
		erasing int64
	}{
		{identity.Message{Kind: identity.KindReset, To: member, Time: 5}, 1},
		{identity.Message{Kind: identity.KindErase, Conversion: "order", Time: 5}, 1},
		{identity.Message{Kind: identity.KindReset, To: identity.Ref{ID: member.ID, Gen: 1}}, 0}, // a tree rebuilds itself
	} {
		if _, err := task.Process(t.Context(), []*kgo.Record{{Value: identity.AppendToRecord(nil, &step.message)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := task.Commit(nil); err != nil {
			t.Fatal(err)
		}
		if counted.Erasing != step.erasing || counted.Audits[schemas.AuditErasure] != 0 {
			t.Errorf("%v at %v: %d parts of erasures, %d receipts", step.message.Kind, step.message.Time, counted.Erasing, counted.Audits[schemas.AuditErasure])
		}
	}
}
