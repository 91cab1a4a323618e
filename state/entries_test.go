package state

import (
	"maps"
	"testing"

	"tributary/identity"
)

// Entries are the rows that went to the changelog, without the store's own and without those of other partitions.
func TestEntriesAreTheFoldOfTheChanges(t *testing.T) {
	store, err := OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	id, other := identity.ID{1, 1}, identity.ID{1, 2}
	fold := map[string]string{}
	for round := range 3 {
		b := store.NewBatch()
		rows := b.Rows(7)
		rows.PutNode(id, identity.Node{Members: uint32(round)})
		rows.PutFact(id, identity.Fact{Event: identity.EventKeyOf("e1"), At: 5, Body: []byte{byte(round)}}) // makes local rows too
		rows.PutMember(id, identity.Ref{ID: other})
		if round == 2 {
			rows.DeleteMember(id, other)
		}
		b.Rows(6).PutSeen(id, 1)
		b.Rows(8).PutSeen(id, 1)
		for _, c := range b.Changes() {
			switch {
			case c.Partition != 7:
			case c.Value == nil:
				delete(fold, string(c.Key))
			default:
				fold[string(c.Key)] = string(c.Value)
			}
		}
		if err := b.Commit(map[int32]Position{6: {}, 7: {}, 8: {}}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	if err := store.Entries(7, func(e Entry) bool { got[string(e.Key)] = string(e.Value); return true }); err != nil {
		t.Fatal(err)
	}
	if len(got) < 3 || !maps.Equal(got, fold) {
		t.Errorf("%d entries %q, want %d %q", len(got), got, len(fold), fold)
	}
	first := 0
	if err := store.Entries(7, func(Entry) bool { first++; return false }); err != nil || first != 1 {
		t.Errorf("%d entries after the first was enough, error %v", first, err)
	}
}
