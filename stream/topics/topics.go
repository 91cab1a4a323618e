// Package topics looks at a cluster before work begins: whether it can be reached and entered, whether its transaction
// protocol is new enough, and whether every topic is there and as it must be. Missing topics of ours it creates; a topic
// that is there it never changes.
package topics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// MaxRecordBytes is the largest record that our own topics take, in bytes: room for a dead letter of nearly as much.
const MaxRecordBytes = 16 << 20

// MaxRecordBytesText is MaxRecordBytes as a topic's setting.
var MaxRecordBytesText = strconv.Itoa(MaxRecordBytes)

// Topic is what a topic must be like.
type Topic struct {
	Name              string
	Create            bool // if it is missing; else that is an error
	Partitions        int  // 0: any number
	AnyPartitions     bool // Partitions is only for creation
	AnyPolicy         bool // cleanup.policy and retention are only for creation
	ReplicationFactor int  // for creation; -1: the broker's default
	Configs           map[string]string
}

// Found is a topic as it is.
type Found struct {
	Name       string
	Partitions int // 0: it does not exist
	Configs    map[string]string
	Faults     []string // what is not as it must be
}

// Exists reports whether the topic is there.
func (f Found) Exists() bool { return f.Partitions > 0 }

// MaxBatchBytes is the largest batch of records, in bytes, that the topic takes: its max.message.bytes, at most
// MaxRecordBytes. Where the cluster does not say, it is Kafka's default.
func (f Found) MaxBatchBytes() int {
	n, err := strconv.Atoi(f.Configs["max.message.bytes"])
	if err != nil {
		return defaultBatchBytes
	}
	return min(max(n, minBatchBytes), MaxRecordBytes)
}

const (
	defaultBatchBytes = 1_000_012
	minBatchBytes     = 1024 // the client refuses less than 512
)

// freshness is how long the client of Connect remembers what it saw. Its default of 5 s is how long a service that has
// just created its topics would wait to see them.
const freshness = 20 * time.Millisecond

// Connect returns a client to look at topics with, which the caller closes. It has asked nobody yet.
func Connect(opts []kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(slices.Clip(opts), kgo.MetadataMinAge(freshness))...)
}

// Prepare takes a client of Connect. It pings the cluster, warns of an old transaction protocol, creates what is missing and checks the rest. It
// returns the topics as they are, in the order of want; the error names every fault.
func Prepare(ctx context.Context, client *kgo.Client, want []Topic, log *slog.Logger) ([]Found, error) {
	if err := Ping(ctx, client); err != nil {
		return nil, err
	}
	admin := kadm.NewClient(client)
	if warning, err := protocolWarning(ctx, admin); err != nil {
		return nil, err
	} else if warning != "" {
		log.Warn(warning)
	}
	if _, err := Create(ctx, client, want); err != nil {
		return nil, err
	}
	found, err := checkShown(ctx, client, want)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, f := range found {
		for _, fault := range f.Faults {
			faults = append(faults, fmt.Errorf("topic %s: %s", f.Name, fault))
		}
	}
	return found, errors.Join(faults...)
}

// appearTimeout is how long a topic may take to be shown by every broker after somebody has created it.
const appearTimeout = 5 * time.Second

// checkShown checks until every topic is known to the broker that is asked, or long enough: one that was created a moment ago,
// by us or by whoever feeds us, takes a moment to get around.
func checkShown(ctx context.Context, client *kgo.Client, want []Topic) (found []Found, err error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, time.Second
	missing := errors.New("a topic is missing")
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		var err error
		if found, err = Check(ctx, client, want); err != nil {
			return struct{}{}, backoff.Permanent(err)
		}
		if slices.ContainsFunc(found, func(f Found) bool { return !f.Exists() }) {
			return struct{}{}, missing
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(appearTimeout))
	if errors.Is(err, missing) {
		err = nil // a fault of the topic, which found names
	}
	return found, err
}

// protocolWarning says what exactly once lacks on a cluster with the transaction protocol before KIP-890.
func protocolWarning(ctx context.Context, admin *kadm.Client) (string, error) {
	brokers, err := admin.ApiVersions(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for the cluster's features: %w", err)
	}
	level := func(b kadm.BrokerApiVersions) int16 {
		for _, f := range b.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" {
				return f.MaxVersionLevel
			}
		}
		if end, _ := b.KeyMaxVersion(int16(kmsg.EndTxn)); len(b.Raw().FinalizedFeatures) == 0 && end >= 5 {
			return 2 // an imitation that tells no features
		}
		return 0
	}
	var silent error
	answers, old := 0, false
	for _, b := range brokers {
		if b.Err != nil { // one that is away keeps nobody from starting
			silent = fmt.Errorf("ask broker %d for the cluster's features: %w", b.NodeID, b.Err)
			continue
		}
		answers++
		old = old || level(b) < 2
	}
	if answers == 0 {
		return "", silent
	}
	if !old {
		return "", nil
	}
	return "the cluster has transaction.version below 2: exactly once is promised from Kafka 4.0 with transaction.version=2, " +
		"since the older protocol lets a late commit hit the next transaction", nil
}

// Create creates those topics that are missing and ours to create, and returns their names.
func Create(ctx context.Context, client *kgo.Client, want []Topic) (created []string, err error) {
	admin := kadm.NewClient(client)
	details, err := admin.ListTopics(ctx, names(want)...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	for _, t := range want {
		if !t.Create || details.Has(t.Name) {
			continue
		}
		configs := make(map[string]*string, len(t.Configs))
		for k, v := range t.Configs {
			configs[k] = &v
		}
		factor := int16(t.ReplicationFactor)
		if factor == 0 {
			factor = -1
		}
		_, err := admin.CreateTopic(ctx, int32(max(t.Partitions, 1)), factor, configs, t.Name)
		switch {
		case errors.Is(err, kerr.TopicAlreadyExists): // another instance was faster
		case err != nil:
			return created, fmt.Errorf("create topic %s with %d partitions: %w", t.Name, t.Partitions, err)
		default:
			created = append(created, t.Name)
		}
	}
	return created, nil
}

func names(want []Topic) (names []string) {
	for _, t := range want {
		names = append(names, t.Name)
	}
	return names
}

// Check compares topics with what they must be like.
func Check(ctx context.Context, client *kgo.Client, want []Topic) ([]Found, error) {
	admin := kadm.NewClient(client)
	details, err := admin.ListTopics(ctx, names(want)...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var existing []string
	for _, t := range want {
		if details.Has(t.Name) {
			existing = append(existing, t.Name)
		}
	}
	configs := map[string]map[string]string{}
	if len(existing) > 0 {
		described, err := admin.DescribeTopicConfigs(ctx, existing...)
		if err != nil {
			return nil, fmt.Errorf("describe topics: %w", err)
		}
		for _, d := range described {
			if d.Err != nil {
				return nil, fmt.Errorf("describe topic %s: %w", d.Name, d.Err)
			}
			configs[d.Name] = map[string]string{}
			for _, c := range d.Configs {
				configs[d.Name][c.Key] = c.MaybeValue()
			}
		}
	}
	out := make([]Found, len(want))
	for i, t := range want {
		out[i] = compare(t, details[t.Name], configs[t.Name])
	}
	return out, nil
}

// compare lists what is wrong with a topic. Only settings on which correctness rests are compared; sizes and the like are
// the operator's.
func compare(t Topic, d kadm.TopicDetail, configs map[string]string) Found {
	f := Found{Name: t.Name, Partitions: len(d.Partitions), Configs: configs}
	if !f.Exists() {
		fault := "does not exist"
		if !t.Create {
			fault += "; its writers create it, or `tributary topics create --sources`"
		}
		f.Faults = append(f.Faults, fault)
		return f
	}
	if t.Partitions > 0 && !t.AnyPartitions && f.Partitions != t.Partitions {
		f.Faults = append(f.Faults, fmt.Sprintf("has %d partitions, must have %d: the number is fixed for the life of an application_id", f.Partitions, t.Partitions))
	}
	for _, key := range slices.Sorted(maps.Keys(t.Configs)) {
		correctness := key == "cleanup.policy" || key == "retention.ms" && t.Configs["cleanup.policy"] == "compact"
		if t.AnyPolicy || !correctness {
			continue
		}
		if got := configs[key]; got != t.Configs[key] {
			f.Faults = append(f.Faults, fmt.Sprintf("has %s=%s, must have %s", key, got, t.Configs[key]))
		}
	}
	return f
}
