package lane

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Stats count what a lane did since the process started. Reading them is safe at any time.
type Stats struct {
	Commits      atomic.Int64 // transactions that Kafka committed and the task applied
	Aborts       atomic.Int64 // transactions dropped, to be done again
	Restarts     atomic.Int64 // sessions given up after an error and begun anew
	Revocations  atomic.Int64 // rebalances that took partitions away
	Losses       atomic.Int64 // times the group had forgotten the lane, as after a pause
	Consumed     atomic.Int64 // records consumed by committed transactions
	Produced     atomic.Int64 // records produced by committed transactions
	CommitNanos  atomic.Int64 // time spent ending committed transactions, from Flush to Commit, in nanoseconds
	EarlyCommits atomic.Int64 // commits before the interval was over because the batch was full
	Restores     atomic.Int64 // partitions brought up to the end of their changelog
	RestoredRows atomic.Int64 // changelog records applied by restores
	Resets       atomic.Int64 // partitions whose local state was of no use and was dropped
	Restoring    atomic.Int64 // partitions being restored now
	Owned        atomic.Int64 // partitions owned now
	Generation   atomic.Int64 // of the group that the lane is a member of; 0 while it is none

	mu     sync.Mutex
	lag    map[TopicPartition]int64
	remain map[int32]int64
}

// TopicPartition names a partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Lag is, for each partition of which something was polled, how many offsets lay behind that, by the broker's answer that it
// came with. 0 is the end: transaction markers are polled too.
func (s *Stats) Lag() map[TopicPartition]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.lag)
}

// RestoreRemaining is, for each partition being restored, how many changelog offsets are left.
func (s *Stats) RestoreRemaining() map[int32]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.remain)
}

func (s *Stats) polled(fetches kgo.Fetches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag == nil {
		s.lag = map[TopicPartition]int64{}
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			s.lag[TopicPartition{p.Topic, p.Partition}] = max(0, p.HighWatermark-p.Records[n-1].Offset-1)
		}
	})
}

// owned forgets the lag of partitions that are not in the set.
func (s *Stats) owned(partitions map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := map[TopicPartition]int64{}
	var count int64
	for topic, numbers := range partitions {
		for _, number := range numbers {
			count++
			if lag, ok := s.lag[TopicPartition{topic, number}]; ok {
				kept[TopicPartition{topic, number}] = lag
			}
		}
	}
	s.lag = kept
	s.Owned.Store(count)
}

// remaining notes the progress of a restore; a negative number says that it is over.
func (s *Stats) remaining(partition int32, offsets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remain == nil {
		s.remain = map[int32]int64{}
	}
	if offsets < 0 {
		delete(s.remain, partition)
		return
	}
	s.remain[partition] = offsets
}
