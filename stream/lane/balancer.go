package lane

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// warmBalancer spreads the partitions of one topic over the members of a group: evenly, moving as few as possible, and
// each that must move to a member that already has its state. The client's own sticky balancer knows only who owned what
// last, which is lost when a member was away for longer than the session timeout; each member's state is not.
//
// It is cooperative: a partition that must move is first given to nobody, and to its new owner in the rebalance that its
// old owner asks for after letting go.
//
// The name is in the group's protocol and must change whenever the meaning of the user data does.
type warmBalancer struct {
	topic string
	// warm is which partitions have state here, and up to which changelog offset.
	warm func() map[int32]int64
}

const warmProtocol = "tributary-warm-1"

func (*warmBalancer) ProtocolName() string { return warmProtocol }
func (*warmBalancer) IsCooperative() bool  { return true }

func (b *warmBalancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Version = 3
	metadata.Topics = topics
	metadata.Generation = generation
	for _, topic := range slices.Sorted(maps.Keys(owned)) {
		partitions := kmsg.NewConsumerMemberMetadataOwnedPartition()
		partitions.Topic, partitions.Partitions = topic, owned[topic]
		metadata.OwnedPartitions = append(metadata.OwnedPartitions, partitions)
	}
	metadata.UserData = encodeWarm(b.warm())
	return metadata.AppendTo(nil)
}

func (*warmBalancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
}

func (b *warmBalancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	balancer, err := kgo.NewConsumerBalancer(b, members)
	return balancer, balancer.MemberTopics(), err
}

// Balance plans for the members of the group.
func (b *warmBalancer) Balance(group *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	var candidates []candidate
	var members []*kmsg.JoinGroupResponseMember
	group.EachMember(func(member *kmsg.JoinGroupResponseMember, metadata *kmsg.ConsumerMemberMetadata) {
		c := candidate{generation: metadata.Generation, owned: map[int32]bool{}}
		var err error
		if c.warm, err = decodeWarm(metadata.UserData); err != nil {
			group.SetError(fmt.Errorf("member %s: %w", member.MemberID, err))
		}
		for _, owned := range metadata.OwnedPartitions {
			if owned.Topic != b.topic {
				continue
			}
			for _, partition := range owned.Partitions {
				c.owned[partition] = true
			}
		}
		candidates = append(candidates, c)
		members = append(members, member)
	})
	result := group.NewPlan()
	owners := plan(topics[b.topic], candidates)
	for partition, owner := range owners {
		if ready(int32(partition), owner, candidates) {
			result.AddPartition(members[owner], b.topic, int32(partition))
		}
	}
	return result
}

// candidate is a member of the group as the balancer sees it.
type candidate struct {
	generation int32
	owned      map[int32]bool
	warm       map[int32]int64
}

// ready says whether a partition may go to its new owner: nobody else still has it.
func ready(partition int32, owner int, candidates []candidate) bool {
	if candidates[owner].owned[partition] {
		return true
	}
	return !slices.ContainsFunc(candidates, func(c candidate) bool { return c.owned[partition] })
}

// plan chooses the owner, an index into candidates, of each partition. The loads differ by one at most.
func plan(partitions int32, candidates []candidate) []int {
	owners := make([]int, partitions)
	load := make([]int, len(candidates))
	for partition := range partitions {
		owners[partition] = currentOwner(partition, candidates)
		if owner := owners[partition]; owner >= 0 {
			load[owner]++
		}
	}
	room := quotas(int(partitions), load)
	for member := range candidates {
		shed(member, owners, load, room, candidates)
	}
	free := slices.DeleteFunc(slices.Collect(partitionsOf(owners)), func(p int32) bool { return owners[p] >= 0 })
	// Those that have state somewhere choose first, so that they don't find their place taken by one that has none.
	slices.SortStableFunc(free, func(a, b int32) int { return cmp.Compare(warmest(b, candidates), warmest(a, candidates)) })
	for _, partition := range free {
		owner := bestOwner(partition, load, room, candidates)
		owners[partition] = owner
		load[owner]++
	}
	return owners
}

func partitionsOf(owners []int) func(func(int32) bool) {
	return func(yield func(int32) bool) {
		for partition := range owners {
			if !yield(int32(partition)) {
				return
			}
		}
	}
}

// currentOwner is the member that says it owns the partition; where several do, the one of the newest generation. -1 if
// none.
func currentOwner(partition int32, candidates []candidate) int {
	owner := -1
	for member, c := range candidates {
		if c.owned[partition] && (owner < 0 || c.generation > candidates[owner].generation) {
			owner = member
		}
	}
	return owner
}

// quotas is how many partitions each member gets: the remainder of the division goes to those that own the most.
func quotas(partitions int, load []int) []int {
	room := make([]int, len(load))
	byLoad := make([]int, len(load))
	for member := range load {
		room[member] = partitions / len(load)
		byLoad[member] = member
	}
	slices.SortStableFunc(byLoad, func(a, b int) int { return cmp.Compare(load[b], load[a]) })
	for _, member := range byLoad[:partitions%len(load)] {
		room[member]++
	}
	return room
}

// shed frees what a member owns above its quota: first what is warmest elsewhere.
func shed(member int, owners, load, room []int, candidates []candidate) {
	var mine []int32
	for partition, owner := range owners {
		if owner == member {
			mine = append(mine, int32(partition))
		}
	}
	others := slices.Delete(slices.Clone(candidates), member, member+1)
	slices.SortStableFunc(mine, func(a, b int32) int { return cmp.Compare(warmest(b, others), warmest(a, others)) })
	for _, partition := range mine[:max(0, load[member]-room[member])] {
		owners[partition] = -1
		load[member]--
	}
}

// warmest is how far the furthest state of a partition reaches, -1 if there is none.
func warmest(partition int32, candidates []candidate) int64 {
	best := int64(-1)
	for _, c := range candidates {
		if next, ok := c.warm[partition]; ok {
			best = max(best, next)
		}
	}
	return best
}

// bestOwner is the member with room whose state of the partition reaches furthest; without state the least loaded.
func bestOwner(partition int32, load, room []int, candidates []candidate) int {
	best := -1
	reach := func(member int) int64 {
		if next, ok := candidates[member].warm[partition]; ok {
			return next
		}
		return -1
	}
	for member := range candidates {
		switch {
		case load[member] >= room[member]:
		case best < 0, reach(member) > reach(best), reach(member) == reach(best) && load[member] < load[best]:
			best = member
		}
	}
	return best
}

// encodeWarm is a version byte and, in order of partition, partition and offset as varints.
func encodeWarm(warm map[int32]int64) []byte {
	data := []byte{1}
	for _, partition := range slices.Sorted(maps.Keys(warm)) {
		data = binary.AppendUvarint(data, uint64(partition))
		data = binary.AppendUvarint(data, uint64(warm[partition]))
	}
	return data
}

var errWarm = errors.New("user data of the group protocol " + warmProtocol + " is damaged")

func decodeWarm(data []byte) (map[int32]int64, error) {
	if len(data) == 0 || data[0] != 1 {
		return nil, errWarm
	}
	data = data[1:]
	warm := map[int32]int64{}
	for len(data) > 0 {
		partition, n := binary.Uvarint(data)
		if n <= 0 || partition > 1<<31-1 {
			return nil, errWarm
		}
		next, m := binary.Uvarint(data[n:])
		if m <= 0 || next > 1<<63-1 {
			return nil, errWarm
		}
		warm[int32(partition)] = int64(next)
		data = data[n+m:]
	}
	return warm, nil
}
