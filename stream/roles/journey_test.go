package roles

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/lane"
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

// What an e-mail address in partition 0 says to a cookie in partition 1 is handled in the same transaction if the lane has both. It
// goes through the journal if the cookie is another lane's, and if something that the address said may still be there.
func TestMessagesAreHandedOver(t *testing.T) {
	email, cookie := identity.ID{3}, identity.ID{6, 15: 1}
	for _, c := range []struct {
		story   string
		owned   []int32
		note    string // of partition 0; empty: it has none
		journal int    // records that go there
		handled string
	}{
		{"both are the lane's", []int32{0, 1}, "", 0, "event 1, edge 1, put 1"},
		{"the cookie is another lane's", []int32{0}, "", 1, "event 1"},
		{"nothing waits in partition 1", []int32{0, 1}, "handover/1 80", 0, "event 1, edge 1, put 1"},
		{"something may wait in partition 1", []int32{0, 1}, "handover/1 40", 1, "event 1"},
		{"no such note", []int32{0, 1}, "watermark/1 1772359200000", 1, "event 1"},
	} {
		store, err := state.OpenMemory()
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		var handled []string
		task := NewJourney(attribution.New(attribution.Config{Partitions: 2, Key: identity.DevelopmentKey()}), store, Topics{Journal: "journal", Changelog: "changelog", Partitions: 2},
			func(j *metrics.Journeyed) {
				for _, kind := range []identity.Kind{identity.KindEvent, identity.KindEdge, identity.KindLink, identity.KindPut} {
					if n := j.Messages[kind]; n > 0 {
						handled = append(handled, fmt.Sprint(kind, " ", n))
					}
				}
			})
		task.Own(map[string][]int32{"journal": c.owned})
		if c.note != "" {
			task.Noted(lane.TopicPartition{Topic: "journal"}, c.note)
		}
		m := identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: email}, Time: 5, IDs: []identity.ID{email, cookie}}
		out, err := task.Process(t.Context(), []*kgo.Record{{Value: identity.AppendToRecord(nil, &m)}})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := task.Flush(t.Context())
		if err == nil {
			err = task.Commit(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(handled, ", "); got != c.handled {
			t.Errorf("%s: handled %s; want %s", c.story, got, c.handled)
		}
		journal := slices.DeleteFunc(out, func(r *kgo.Record) bool { return r.Topic != "journal" })
		there := slices.ContainsFunc(changes, func(r *kgo.Record) bool { return r.Topic == "changelog" && r.Partition == 1 })
		if len(journal) != c.journal || there != (c.journal == 0) {
			t.Errorf("%s: %d records for the journal, rows in partition 1: %v", c.story, len(journal), there)
		}
		if want := map[int]string{0: "handover/1 00", 1: "handover/1 40"}[c.journal]; c.note == "" && task.Note(lane.TopicPartition{}) != want {
			t.Errorf("%s: note %q, want %q", c.story, task.Note(lane.TopicPartition{}), want)
		}
	}
}
