package service

import (
	"context"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/settings"
	"tributary/stream/topics"
)

// scrubText bounds how long compaction may leave what was erased, as a topic's setting.
var scrubText = strconv.FormatInt(scrubInterval.Milliseconds(), 10)

// journalSegment is how many bytes of a partition of the journal can be on the disk although they were consumed: 64 MiB.
const journalSegment = "67108864"

// Topics says what the topics of the settings must be like. Sources belong to whoever writes them: they are only looked
// for.
func Topics(s *settings.Settings) []topics.Topic {
	names := TopicsOf(s)
	internal := func(name string, t topics.Topic) topics.Topic {
		t.Name, t.ReplicationFactor, t.Create = name, s.Topics.ReplicationFactor, true
		return t
	}
	out := []topics.Topic{
		// Consumed messages are deleted, but leave the disk only with the whole of their segment.
		internal(names.Journal, topics.Topic{Partitions: s.Partitions, Configs: map[string]string{
			"cleanup.policy": "delete", "retention.ms": "-1", "segment.ms": scrubText, "segment.bytes": journalSegment,
			"message.timestamp.type": "LogAppendTime", "max.message.bytes": topics.MaxRecordBytesText}}),
		internal(names.Changelog, topics.Topic{Partitions: s.Partitions, Configs: map[string]string{
			"cleanup.policy": "compact", "retention.ms": "-1", "max.compaction.lag.ms": scrubText, "max.message.bytes": topics.MaxRecordBytesText}}),
		// The newest revision of each conversion stays; how long the others do is the operator's to choose.
		internal(names.Attributions, topics.Topic{Partitions: s.Partitions, AnyPartitions: true, AnyPolicy: true, Configs: map[string]string{
			"cleanup.policy": "compact", "retention.ms": "-1", "max.compaction.lag.ms": scrubText, "max.message.bytes": topics.MaxRecordBytesText}}),
		internal(names.Aliases, topics.Topic{Partitions: s.Partitions, AnyPartitions: true, Configs: map[string]string{
			"cleanup.policy": "compact", "retention.ms": "-1", "max.compaction.lag.ms": scrubText}}),
		internal(names.Audit, topics.Topic{Partitions: 1, AnyPartitions: true, Configs: map[string]string{
			"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(s.Topics.AuditRetention.Milliseconds(), 10)}}),
		internal(names.DeadLetters.Topic, topics.Topic{Partitions: 1, AnyPartitions: true, Configs: map[string]string{
			"max.message.bytes": topics.MaxRecordBytesText}}),
		// The broker's clock, since the records would else be as old as their events, and gone at once.
		internal(names.Replay, topics.Topic{Partitions: s.Partitions, AnyPartitions: true, Configs: map[string]string{
			"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", "max.message.bytes": topics.MaxRecordBytesText}}),
		internal(names.Late.Topic, topics.Topic{Partitions: s.Partitions, AnyPartitions: true, Configs: map[string]string{
			"max.message.bytes": topics.MaxRecordBytesText}}),
	}
	for _, source := range s.Sources {
		out = append(out, topics.Topic{Name: source.Topic, Partitions: s.Partitions, AnyPartitions: true, ReplicationFactor: s.Topics.ReplicationFactor})
	}
	return out
}

// CreateTopics creates our topics that are missing, and returns their names. With sources it creates the source topics
// too: for demos and laptops, where nobody else does.
func CreateTopics(ctx context.Context, client []kgo.Opt, s *settings.Settings, sources bool) (created []string, err error) {
	c, err := reach(ctx, client)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	want := Topics(s)
	if sources {
		for i := range want {
			want[i].Create = true
		}
	}
	return topics.Create(ctx, c, want)
}

// CheckTopics compares the topics of the settings with what they must be like.
func CheckTopics(ctx context.Context, client []kgo.Opt, s *settings.Settings) ([]topics.Found, error) {
	c, err := reach(ctx, client)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return topics.Check(ctx, c, Topics(s))
}

// reach is a client that the cluster has answered. The caller closes it. It can read what is committed, markers too.
func reach(ctx context.Context, client []kgo.Opt) (*kgo.Client, error) {
	c, err := topics.Connect(append(slices.Clip(client), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()))
	if err != nil {
		return nil, err
	}
	if err := topics.Ping(ctx, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
