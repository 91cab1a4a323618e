package replay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/lane"
	"tributary/stream/service"
	"tributary/stream/settings"
	"tributary/stream/topics"
)

// Config says what to replay, and into which application.
type Config struct {
	Settings *settings.Settings // of the application that takes the records
	Client   []kgo.Opt          // how to reach the cluster

	From         string          // topic
	Since, Until time.Time       // record times; zero: from the start, to the end that the topic has now
	Ranges       map[int32]Range // only these offsets of these partitions; empty: of all
	Again        bool            // begin anew, though this stretch was replayed before

	Rate     int            // records a second at most; 0: as fast as it goes
	Progress func(Progress) // after every transaction
	Log      *slog.Logger
}

// Progress is how far a replay has come, since it was first begun.
type Progress struct {
	Offsets, Of int64 // offsets behind us, of those in the stretch; transaction markers count
	Copied      int64 // records, by this process
	Skipped     int64 // of the records that this process passed: replayed ones, dead letters that are not whole, and what is larger than an event
}

// Done reports whether nothing is left.
func (p Progress) Done() bool { return p.Offsets >= p.Of }

// idleAfter is how long nothing must come of a partition for it to be at its end, where that is a gap.
const idleAfter = 500 * time.Millisecond

// Run copies until all of the stretch is in the replay topic or ctx is cancelled, which is no error: the next call with
// the same configuration goes on.
func Run(ctx context.Context, c Config) (Progress, error) {
	if _, err := service.CreateTopics(ctx, c.Client, c.Settings, false); err != nil {
		return Progress{}, err
	}
	spans, from, err := c.plan(ctx)
	if err != nil {
		return Progress{}, err
	}
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	t := newTask(&c, spans, from, finish)
	if t.progress().Done() {
		return t.progress(), nil
	}
	client := append(slices.Clip(c.Client), kgo.ProducerBatchMaxBytes(topics.MaxRecordBytes))
	l, err := lane.New(lane.Config{Client: client, Group: c.group(), TransactionalID: c.group(), Topics: []string{c.From},
		MaxPollRecords: t.poll(), CommitInterval: commitInterval, IdleInterval: idleAfter / 2, IdleAfter: idleAfter, Log: c.Log}, t)
	if err != nil {
		return Progress{}, err
	}
	if err := l.Run(ctx); err != nil {
		return t.progress(), fmt.Errorf("replay %s: %w", c.From, err)
	}
	return t.progress(), nil
}

const commitInterval = 200 * time.Millisecond
