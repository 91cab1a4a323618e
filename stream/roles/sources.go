package roles

import (
	"cmp"
	"slices"

	"tributary/schemas"
	"tributary/stream/lane"
	"tributary/stream/watermark"
)

// tickStep is how far a watermark moves at least before the clock hears of it.
const tickStep schemas.Millis = 1000

// source is what ingest knows of a source partition.
type source struct {
	watermark.Source
	counts SourceCounts
	idle   bool
	told   *told // what the clock has heard of it; nil: nothing
}

type told struct {
	watermark schemas.Millis
	idle      bool
}

// news reports whether the clock should hear of it.
func (s *source) news() bool {
	return s.told == nil || s.idle != s.told.idle || s.Watermark >= s.told.watermark+tickStep
}

// sources are the source partitions of a lane: as they are in the open transaction, and as they were before it.
type sources map[lane.TopicPartition]*struct{ now, before source }

// of is what is known of a partition. What is learned of one that the lane doesn't have is forgotten.
func (s sources) of(p lane.TopicPartition) *source {
	if known, ok := s[p]; ok {
		return &known.now
	}
	return new(source)
}

// noted replaces what is known of a partition by what was kept with its offset.
func (s sources) noted(p lane.TopicPartition, note string) {
	if known, ok := s[p]; ok {
		known.now = sourceOf(note)
		known.before = known.now
	}
}

// own keeps the partitions that a lane has, and returns those that it has no longer.
func (s sources) own(partitions map[string][]int32) (gone []lane.TopicPartition) {
	for p := range s {
		if !slices.Contains(partitions[p.Topic], p.Partition) {
			gone = append(gone, p)
			delete(s, p)
		}
	}
	for topic, numbers := range partitions {
		for _, number := range numbers {
			if p := (lane.TopicPartition{Topic: topic, Partition: number}); s[p] == nil {
				s[p] = new(struct{ now, before source })
			}
		}
	}
	return gone
}

func (s sources) commit() {
	for _, p := range s {
		p.before = p.now
	}
}

func (s sources) abort() {
	for _, p := range s {
		p.now = p.before
	}
}

// ticks returns the partitions that the clock should hear of, as it then has: none of the topic that tells nothing of time.
func (s sources) ticks(timeless string) (due []lane.TopicPartition) {
	for p, known := range s {
		if now := &known.now; p.Topic != timeless && now.news() {
			now.told = &told{now.Watermark, now.idle}
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b lane.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return due
}
