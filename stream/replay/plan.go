package replay

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tributary/stream/topics"
)

// Range is a stretch of a partition: offsets from From to below To; To 0 is the end.
type Range struct{ From, To int64 }

// span is what is to be copied of a partition, by offsets.
type span struct{ start, end int64 }

// plan finds the offsets that the configuration means, and puts the group where nothing was copied yet. It returns the
// partitions with something in their stretch, and from where each goes on.
func (c *Config) plan(ctx context.Context) (spans map[int32]span, from map[int32]int64, err error) {
	client, err := topics.Connect(c.Client)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	if err := topics.Ping(ctx, client); err != nil {
		return nil, nil, err
	}
	admin := kadm.NewClient(client)
	if spans, err = c.spans(ctx, admin); err != nil {
		return nil, nil, err
	}
	if from, err = c.goOn(ctx, admin, spans); err != nil {
		return nil, nil, fmt.Errorf("group %s: %w", c.group(), err)
	}
	return spans, from, nil
}

func (c *Config) spans(ctx context.Context, admin *kadm.Client) (map[int32]span, error) {
	starts, err := admin.ListStartOffsets(ctx, c.From)
	if err == nil {
		err = starts.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("topic %s does not exist", c.From)
	}
	if err != nil {
		return nil, fmt.Errorf("start of %s: %w", c.From, err)
	}
	since, err := offsetsAt(ctx, admin, c.From, c.Since, starts)
	if err != nil {
		return nil, err
	}
	stable, err := admin.ListCommittedOffsets(ctx, c.From)
	if err == nil {
		err = stable.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end of %s: %w", c.From, err)
	}
	until, err := offsetsAt(ctx, admin, c.From, c.Until, stable)
	if err != nil {
		return nil, err
	}
	for partition := range c.Ranges {
		if _, ok := starts.Lookup(c.From, partition); !ok {
			return nil, fmt.Errorf("topic %s has no partition %d", c.From, partition)
		}
	}
	spans := map[int32]span{}
	starts.Each(func(o kadm.ListedOffset) {
		end, _ := stable.Lookup(c.From, o.Partition)
		s := span{max(o.Offset, since[o.Partition]), min(end.Offset, until[o.Partition])}
		if len(c.Ranges) > 0 {
			r, ok := c.Ranges[o.Partition]
			if !ok {
				return
			}
			s.start = max(s.start, r.From)
			if r.To > 0 {
				s.end = min(s.end, r.To)
			}
		}
		if s.start < s.end {
			spans[o.Partition] = s
		}
	})
	return spans, nil
}

// offsetsAt are the first offsets at or after a time, or others where there is no time.
func offsetsAt(ctx context.Context, admin *kadm.Client, topic string, at time.Time, otherwise kadm.ListedOffsets) (map[int32]int64, error) {
	listed := otherwise
	if !at.IsZero() {
		var err error
		listed, err = admin.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("offsets of %s at %s: %w", topic, at.Format(time.RFC3339), err)
		}
	}
	found := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { found[o.Partition] = o.Offset })
	return found, nil
}

// goOn returns where the copy goes on in each partition. Where it has not begun it commits the beginning, so that the lane
// begins there.
func (c *Config) goOn(ctx context.Context, admin *kadm.Client, spans map[int32]span) (map[int32]int64, error) {
	if c.Again {
		_, err := admin.DeleteGroup(ctx, c.group())
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, err
		}
	}
	committed, err := admin.FetchOffsets(ctx, c.group())
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	from, begin := map[int32]int64{}, kadm.Offsets{}
	for partition, s := range spans {
		if at, ok := committed.Lookup(c.From, partition); ok && at.Err == nil && at.At >= s.start {
			from[partition] = at.At
			continue
		}
		from[partition] = s.start
		begin.AddOffset(c.From, partition, s.start, -1)
	}
	if len(begin) == 0 {
		return from, nil
	}
	done, err := admin.CommitOffsets(ctx, c.group(), begin)
	if err == nil {
		err = done.Error()
	}
	return from, err
}

// group is the consumer group that knows how far the copy has come. Another stretch is another group.
func (c *Config) group() string {
	h := fnv.New64a()
	fmt.Fprint(h, c.From, c.Since.UnixMilli(), c.Until.UnixMilli(), c.Ranges)
	return fmt.Sprintf("%s-replay-%016x", c.Settings.ApplicationID, h.Sum64())
}
