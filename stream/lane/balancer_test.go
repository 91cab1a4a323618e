package lane

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func owning(generation int32, partitions ...int32) candidate {
	c := candidate{generation: generation, owned: map[int32]bool{}, warm: map[int32]int64{}}
	for _, partition := range partitions {
		c.owned[partition] = true
	}
	return c
}

func (c candidate) warmFor(next int64, partitions ...int32) candidate {
	for _, partition := range partitions {
		c.warm[partition] = next
	}
	return c
}

// Answers that can be checked by hand.
func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name    string
		members []candidate
		want    []int // nil: any even plan
	}{
		{"alone", []candidate{owning(1)}, []int{0, 0, 0, 0}},
		{"nothing moves without need", []candidate{owning(1, 2, 3), owning(1, 0, 1)}, []int{1, 1, 0, 0}},
		{"a newcomer gets what it has state of", []candidate{owning(1, 0, 1, 2, 3), owning(-1).warmFor(10, 1, 3)}, []int{0, 1, 0, 1}},
		{"who left is followed by the furthest state", []candidate{owning(1, 0).warmFor(5, 2, 3), owning(1, 1).warmFor(9, 2)}, []int{0, 1, 1, 0}},
		{"of two that claim one the newer generation has it", []candidate{owning(3, 0, 1), owning(4, 1, 2)}, []int{0, 1, 1, 0}},
		{"more members than partitions", []candidate{owning(1, 0, 1, 2, 3), owning(-1), owning(-1), owning(-1), owning(-1)}, nil},
	} {
		got := plan(4, c.members)
		checkEven(t, c.name, got, len(c.members))
		if c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func checkEven(t *testing.T, name string, owners []int, members int) {
	t.Helper()
	load := make([]int, members)
	for _, owner := range owners {
		if owner < 0 {
			t.Errorf("%s: a partition is nobody's: %v", name, owners)
			return
		}
		load[owner]++
	}
	if slices.Max(load)-slices.Min(load) > 1 {
		t.Errorf("%s: loads %v", name, load)
	}
}

// fewestMoves is the naive count of partitions that must leave their owner for the loads to be even: what members own above
// the rounded share, where the larger share goes to those that own the most.
func fewestMoves(partitions int, owned []int) int {
	sorted := slices.Sorted(slices.Values(owned))
	slices.Reverse(sorted)
	moves := 0
	for rank, count := range sorted {
		share := partitions / len(owned)
		if rank < partitions%len(owned) {
			share++
		}
		moves += max(0, count-share)
	}
	return moves
}

// Any group converges: even, as few moves as possible, no partition at two members at any time, and then at rest.
func TestPlanOnRandomGroups(t *testing.T) {
	random := seed(t)
	for range 3_000 {
		partitions := int32(1 + random.IntN(24))
		members := make([]candidate, 1+random.IntN(6))
		for m := range members {
			members[m] = owning(int32(random.IntN(3)))
		}
		owned := make([]int, len(members))
		for partition := range partitions {
			if m := random.IntN(len(members) + 1); m < len(members) {
				members[m].owned[partition] = true
				owned[m]++
			}
			for m := range members {
				if random.IntN(4) == 0 {
					members[m].warm[partition] = random.Int64N(100)
				}
			}
		}
		owners := plan(partitions, members)
		checkEven(t, fmt.Sprint(members), owners, len(members))
		moves := 0
		for partition, owner := range owners {
			if before := currentOwner(int32(partition), members); before >= 0 && before != owner {
				moves++
			}
		}
		if want := fewestMoves(int(partitions), owned); moves != want {
			t.Fatalf("%d moves, want %d: %v → %v", moves, want, members, owners)
		}
		checkSettles(t, partitions, members)
	}
}

// checkSettles plays cooperative rebalances through the encoded protocol until nothing changes.
func checkSettles(t *testing.T, partitions int32, members []candidate) {
	t.Helper()
	for round := 0; ; round++ {
		given := balance(t, partitions, members)
		holders := map[int32]int{}
		changed := false
		for m := range members {
			// Between this rebalance and the next a member has what it had and was given again, and what is new to it.
			for partition := range given[m] {
				holders[partition]++
			}
			for other := range members {
				for partition := range given[m] {
					if other != m && members[other].owned[partition] {
						t.Fatalf("partition %d goes to %d while %d still has it", partition, m, other)
					}
				}
			}
			changed = changed || !maps.Equal(given[m], members[m].owned)
		}
		for partition, count := range holders {
			if count > 1 {
				t.Fatalf("partition %d has %d owners", partition, count)
			}
		}
		if !changed {
			if len(holders) != int(partitions) {
				t.Fatalf("at rest with %d of %d partitions given", len(holders), partitions)
			}
			return
		}
		if round > 3 {
			t.Fatal("no rest after three rebalances")
		}
		for m := range members {
			members[m].owned, members[m].generation = given[m], int32(10+round)
		}
	}
}

// balance is one rebalance as the leader does it, from bytes to bytes.
func balance(t *testing.T, partitions int32, members []candidate) []map[int32]bool {
	t.Helper()
	var joined []kmsg.JoinGroupResponseMember
	for m, c := range members {
		b := &warmBalancer{topic: "journal", warm: func() map[int32]int64 { return c.warm }}
		member := kmsg.NewJoinGroupResponseMember()
		member.MemberID = fmt.Sprintf("m%02d", m)
		member.ProtocolMetadata = b.JoinGroupMetadata([]string{"journal"}, map[string][]int32{"journal": slices.Sorted(maps.Keys(c.owned))}, c.generation)
		joined = append(joined, member)
	}
	b := &warmBalancer{topic: "journal"}
	balancer, topics, err := b.MemberBalancer(joined)
	if err != nil || len(topics) != 1 {
		t.Fatalf("topics %v, error %v", topics, err)
	}
	planned, err := balancer.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"journal": partitions})
	if err != nil {
		t.Fatal(err)
	}
	given := make([]map[int32]bool, len(members))
	for m, assignment := range planned.IntoSyncAssignment() {
		topics, err := b.ParseSyncAssignment(assignment.MemberAssignment)
		if err != nil {
			t.Fatal(err)
		}
		given[m] = map[int32]bool{}
		for _, partition := range topics["journal"] {
			given[m][partition] = true
		}
	}
	return given
}

// What members tell each other survives the way, and damage is noticed, not guessed at.
func TestWarmUserData(t *testing.T) {
	want := map[int32]int64{0: 0, 7: 1 << 40, 300: 12}
	data := encodeWarm(want)
	got, err := decodeWarm(data)
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("%v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, {}, {2}, data[:len(data)-1], append(slices.Clone(data), 0x80)} {
		if _, err := decodeWarm(bad); err == nil {
			t.Errorf("%x decodes", bad)
		}
	}
}

func FuzzDecodeWarm(f *testing.F) {
	f.Add(encodeWarm(map[int32]int64{3: 4}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		warm, err := decodeWarm(data)
		if err != nil {
			return
		}
		again, err := decodeWarm(encodeWarm(warm))
		if err != nil || !maps.Equal(again, warm) {
			t.Fatalf("%v, %v", again, err)
		}
	})
}
