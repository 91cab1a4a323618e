package lane

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

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
	remain map[int32]*remainder
}

// Progress is how far the restore of a partition has come.
type Progress struct {
	Left     int64         // changelog offsets
	Estimate time.Duration // that they take at the pace so far; 0 while nothing can be said
}

// remainder is what is left of a restore, and how that went on.
type remainder struct {
	first, left int64
	begun, now  time.Time
}

func (r *remainder) progress() Progress {
	done := r.first - r.left
	if done <= 0 {
		return Progress{Left: r.left}
	}
	return Progress{r.left, time.Duration(float64(r.now.Sub(r.begun)) / float64(done) * float64(r.left))}
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

// RestoreProgress is that of each partition being restored of whose changelog something was read.
func (s *Stats) RestoreProgress() map[int32]Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[int32]Progress, len(s.remain))
	for partition, r := range s.remain {
		found[partition] = r.progress()
	}
	return found
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

// restored notes how many offsets of a changelog are left for a partition that is being restored.
func (s *Stats) restored(partition int32, left int64, now time.Time) Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remain == nil {
		s.remain = map[int32]*remainder{}
	}
	r := s.remain[partition]
	if r == nil {
		r = &remainder{first: left, begun: now}
		s.remain[partition] = r
	}
	r.left, r.now = left, now
	return r.progress()
}

// restoreOver forgets the progress of a partition.
func (s *Stats) restoreOver(partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.remain, partition)
}
