package lane

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// silence knows of which partitions nothing comes.
type silence struct {
	since map[TopicPartition]time.Time // the last time that something came of a partition, or that it came to the lane
	quiet map[TopicPartition]bool      // nothing was left to read, and nothing came since
}

// own takes the partitions of the lane.
func (q *silence) own(partitions map[string][]int32, now time.Time) {
	before := *q
	q.since, q.quiet = map[TopicPartition]time.Time{}, map[TopicPartition]bool{}
	for topic, numbers := range partitions {
		for _, number := range numbers {
			p := TopicPartition{topic, number}
			q.since[p] = now
			if since, ok := before.since[p]; ok {
				q.since[p] = since
			}
			if before.quiet[p] {
				q.quiet[p] = true
			}
		}
	}
}

// broken notes what came. A marker is something too.
func (q *silence) broken(fetches kgo.Fetches, now time.Time) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := TopicPartition{f.Topic, f.Partition}
		if _, ok := q.since[p]; ok && len(f.Records) > 0 {
			q.since[p] = now
			delete(q.quiet, p)
		}
	})
}

// reset begins anew, for when consuming goes back.
func (q *silence) reset(now time.Time) {
	clear(q.quiet)
	for p := range q.since {
		q.since[p] = now
	}
}

// doubtful are the partitions of which nothing came for so long that something may be left to read only if the broker says
// so.
func (q *silence) doubtful(after time.Duration, now time.Time) (found []TopicPartition) {
	for p, since := range q.since {
		if !q.quiet[p] && now.Sub(since) >= after {
			found = append(found, p)
		}
	}
	return found
}

// askTimeout bounds the question for the ends of partitions, for which the loop stands still.
const askTimeout = time.Second

// quiet returns the partitions of which nothing comes and nothing is left to read, by the last stable offset. What the
// broker doesn't answer is not quiet.
func (s *session) quiet(now time.Time) (quiet []TopicPartition) {
	if doubtful := s.silence.doubtful(s.config.IdleAfter, now); len(doubtful) > 0 {
		asking, cancel := context.WithTimeout(s.hard, askTimeout)
		ends, err := kadm.NewClient(s.side).ListCommittedOffsets(asking, s.config.Topics...)
		cancel()
		if err != nil {
			s.config.Log.Info("lane can't tell whether partitions are idle", "lane", s.config.TransactionalID, "error", err)
		}
		for _, p := range doubtful {
			end, ok := ends.Lookup(p.Topic, p.Partition)
			at, known := s.position(p)
			if ok && known && end.Err == nil && at >= end.Offset {
				s.silence.quiet[p] = true
			}
		}
	}
	for p := range s.silence.quiet {
		quiet = append(quiet, p)
	}
	return quiet
}

// position is the offset that is polled next.
func (s *session) position(p TopicPartition) (offset int64, known bool) {
	client := s.kafka.Client()
	if at, ok := client.UncommittedOffsets()[p.Topic][p.Partition]; ok {
		return at.Offset, true
	}
	at, ok := client.CommittedOffsets()[p.Topic][p.Partition]
	return at.Offset, ok
}
