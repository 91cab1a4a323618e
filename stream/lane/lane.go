// Package lane runs a task exactly once over Kafka: consume, process, produce, and change state, all or nothing.
//
// What comes in: records of the topics of a consumer group. What goes out: the records that the Task makes of them, in
// one Kafka transaction with the consumed offsets, and after it the task's own state. What it doesn't do: decide
// anything about the records, keep state, create topics.
//
// A lane is one group member with one transactional producer, and one goroutine that calls the task. More lanes use more
// cores. README.md tells the loop, what a crash means at each of its lines, and the rules that aren't obvious.
//
//	// counter makes of each click one output record "key: count so far", and a changelog record that restores the count.
//	task := &counter{…}
//	clicks, err := lane.New(lane.Config{
//		Client:          []kgo.Opt{kgo.SeedBrokers("kafka:9092")},
//		Group:           "clicks-count",
//		Topics:          []string{"clicks"},
//		TransactionalID: "clicks-count-pod-0",
//		InstanceID:      "clicks-count-pod-0",
//		Changelog:       "clicks-count-changelog",
//	}, task)
//	…
//	err = clicks.Run(ctx) // nil once ctx is cancelled and the last transaction has ended
package lane

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Lane runs one task. Use New.
type Lane struct {
	config Config
	task   Task
	stats  Stats
}

// New is a lane that hasn't started. The error tells every fault of the settings.
func New(config Config, task Task) (*Lane, error) {
	config.setDefaults()
	if err := config.validate(task); err != nil {
		return nil, err
	}
	return &Lane{config: config, task: task}, nil
}

// Stats are the lane's counters.
func (l *Lane) Stats() *Stats { return &l.stats }

// Run works until ctx is cancelled, ends the open transaction, leaves the group unless the lane is a static member, and
// returns nil. What the cluster does wrong it survives: the session with its client is thrown away and a new one begun,
// at growing distances up to ten seconds. It returns an error, and the lane is over, when the task returns one or when
// something is wrong that a new session can't cure.
func (l *Lane) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 10*time.Second
	for {
		commits := l.stats.Commits.Load()
		err := l.runSession(ctx)
		switch {
		case err != nil && isFatal(err):
			return fmt.Errorf("lane %s: %w", l.config.TransactionalID, err)
		case ctx.Err() != nil:
			return nil
		}
		if l.stats.Commits.Load() > commits {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		l.stats.Restarts.Add(1)
		l.config.Log.Warn("lane begins a new session", "lane", l.config.TransactionalID, "after", wait, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
