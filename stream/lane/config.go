package lane

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says what a lane consumes and how it commits. Fields without a default must be set.
type Config struct {
	// Client is how to reach the cluster: seed brokers, TLS, SASL, dialer, logger. Nothing about groups, transactions,
	// consuming or partitioning: these belong to the lane, and win.
	Client []kgo.Opt
	// Group is the consumer group. Its offsets are what makes a transaction final.
	Group string
	// Topics are what the lane consumes: exactly one for a Stateful task.
	Topics []string
	// TransactionalID names the producer. It must be the same after a restart of the same lane, since that is what ends
	// the transaction the crash left open, and no two lanes may share one. It is not per partition.
	TransactionalID string
	// InstanceID makes the lane a static member of the group: a restart within SessionTimeout moves no partition.
	// Optional; the same rules as for TransactionalID.
	InstanceID string
	// Changelog is the topic of the state's changes. Only for a Stateful task, which produces to it the records that
	// restore its state, each to the partition that it belongs to.
	Changelog string
	// Addressed are further topics whose records carry the partition they go to in Record.Partition. In all others the
	// hash of the key decides, as in the Java client.
	Addressed []string
	// Spanning lets a Stateful task change the state of any partition that it was told it owns, not only of those that a
	// transaction's records came from. The offsets of all of them are committed with every transaction.
	Spanning bool
	// Gate is shared by the lanes that share a store. Default: a gate of the lane's own.
	Gate *Gate

	// CommitInterval is the time from the first record of a transaction to its commit. Default 100 ms: the lag that every
	// hop adds, against the cost of a marker per partition and commit.
	CommitInterval time.Duration
	// MaxBatchBytes commits early once a transaction has consumed and produced this much, since all of it is held in
	// memory until the commit. Default 64 MiB. One poll may go beyond it.
	MaxBatchBytes int
	// MaxPollRecords bounds one call of Process. Default 5,000.
	MaxPollRecords int
	// IdleInterval is how often an Idler is asked. Default 1 s.
	IdleInterval time.Duration
	// IdleAfter is how long nothing must have come of a partition for it to be quiet. Default 1 minute.
	IdleAfter time.Duration

	// TransactionTimeout is when the broker aborts a transaction whose lane is silent. Records behind it are invisible until
	// then, so it is short; but it must exceed CommitInterval and the worst flush, or the lane is fenced. Default 10 s.
	TransactionTimeout time.Duration
	// SessionTimeout is when the group gives away the partitions of a silent lane. Default 20 s. Must exceed
	// TransactionTimeout, so that the new owner doesn't wait for the old transaction.
	SessionTimeout time.Duration
	// HeartbeatInterval bounds how fast a rebalance is noticed. Default 500 ms.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long members have to join again. Default 60 s.
	RebalanceTimeout time.Duration
	// RestoreStall gives up a restore, and the session, that made no progress for this long. Default 60 s, which must
	// exceed the transaction timeout of every lane that writes the changelog.
	RestoreStall time.Duration
	// StopTimeout is how long the last transaction may take to end after Run's context is cancelled. Default 15 s.
	StopTimeout time.Duration

	// Log gets what an operator should know. Default slog.Default().
	Log *slog.Logger
	// Now is the clock, for the commit interval and the age of positions. Default time.Now.
	Now func() time.Time
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c *Config) setDefaults() {
	if c.Gate == nil {
		c.Gate = NewGate()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	orDefault(&c.CommitInterval, 100*time.Millisecond)
	orDefault(&c.MaxBatchBytes, 64<<20)
	orDefault(&c.MaxPollRecords, 5_000)
	orDefault(&c.IdleInterval, time.Second)
	orDefault(&c.IdleAfter, time.Minute)
	orDefault(&c.TransactionTimeout, 10*time.Second)
	orDefault(&c.SessionTimeout, 20*time.Second)
	orDefault(&c.HeartbeatInterval, 500*time.Millisecond)
	orDefault(&c.RebalanceTimeout, time.Minute)
	orDefault(&c.RestoreStall, time.Minute)
	orDefault(&c.StopTimeout, 15*time.Second)
}

// validate reports every fault at once. Defaults are set.
func (c *Config) validate(task Task) error {
	var faults []error
	fault := func(bad bool, format string, values ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, values...))
		}
	}
	_, stateful := task.(Stateful)
	_, idler := task.(Idler)
	_, owner := task.(Owner)
	fault(len(c.Client) == 0, "lane: no way to reach the cluster")
	fault(c.Group == "", "lane: no group")
	fault(c.TransactionalID == "", "lane: no transactional id")
	fault(len(c.Topics) == 0, "lane: no topics")
	fault(stateful && len(c.Topics) != 1, "lane: a stateful task consumes one topic, not %d", len(c.Topics))
	fault(stateful && c.Changelog == "", "lane: a stateful task needs a changelog")
	fault(!stateful && c.Changelog != "", "lane: the changelog %s belongs to no state", c.Changelog)
	fault(c.Spanning && (!stateful || !owner), "lane: only a stateful task that is told what it owns can span partitions")
	fault(stateful && idler, "lane: a stateful task can't be an idler")
	fault(c.CommitInterval*5 > c.TransactionTimeout, "lane: transaction timeout %v, must be at least five commit intervals of %v", c.TransactionTimeout, c.CommitInterval)
	fault(c.TransactionTimeout >= c.SessionTimeout, "lane: session timeout %v, must exceed the transaction timeout %v", c.SessionTimeout, c.TransactionTimeout)
	fault(c.HeartbeatInterval*3 > c.SessionTimeout, "lane: session timeout %v, must be at least three heartbeats of %v", c.SessionTimeout, c.HeartbeatInterval)
	return errors.Join(faults...)
}

// partitioner sends the records of addressed topics where they say, and the others by the hash of their key.
type partitioner struct {
	addressed map[string]bool
	manual    kgo.Partitioner
	byKey     kgo.Partitioner
}

func newPartitioner(addressed []string) *partitioner {
	p := &partitioner{addressed: map[string]bool{}, manual: kgo.ManualPartitioner(), byKey: kgo.StickyKeyPartitioner(nil)}
	for _, topic := range addressed {
		p.addressed[topic] = true
	}
	return p
}

// ForTopic chooses by the topic's name.
func (p *partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if p.addressed[topic] {
		return p.manual.ForTopic(topic)
	}
	return p.byKey.ForTopic(topic)
}
