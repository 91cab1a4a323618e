package importer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTopic(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	options := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}

	topic, err := NewTopic(ctx, "events", options)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 5000
	var text strings.Builder
	text.WriteString("id,at,user\n")
	for i := range rows {
		fmt.Fprintf(&text, "%d,2026-03-01T10:00:00Z,u%d\n", i, i%7)
	}
	if _, err := mustMapping(t, simple).Import(ctx, "data.csv", strings.NewReader(text.String()), topic.Put, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := topic.Close(); err != nil {
		t.Fatal(err)
	}

	reader, err := kgo.NewClient(append(options, kgo.ConsumeTopics("events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	seen := map[string]bool{}
	for len(seen) < rows && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if !strings.Contains(string(r.Value), `"user_id":"`+string(r.Key)+`"`) {
				t.Errorf("key %s of %s", r.Key, r.Value)
			}
			seen[string(r.Value)] = true
		})
	}
	if len(seen) != rows {
		t.Errorf("%d of %d events arrived", len(seen), rows)
	}
}

func TestTopicThatDoesNotExist(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	topic, err := NewTopic(ctx, "evnts", []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.UnknownTopicRetries(1)})
	if err != nil {
		t.Fatal(err)
	}
	topic.Put([]byte("k"), []byte("v"))
	if err := topic.Close(); err == nil || !strings.HasPrefix(err.Error(), "topic evnts") {
		t.Errorf("closing gives %v", err)
	}
	if err := topic.Put([]byte("k"), []byte("v")); err == nil {
		t.Error("an event is taken after one was lost")
	}
}
