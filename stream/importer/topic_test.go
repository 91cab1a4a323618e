package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/roles"
)

// Every event arrives with its key. Unless the import is live, each is marked as replayed.
func TestTopic(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	options := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}

	const rows = 5000
	var text strings.Builder
	text.WriteString("id,at,user\n")
	for i := range rows {
		fmt.Fprintf(&text, "%d,2026-03-01T10:00:00Z,u%d\n", i, i%7)
	}
	for _, live := range []bool{false, true} {
		topic, err := NewTopic(ctx, "events", live, options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mustMapping(t, simple).Import(ctx, "data.csv", strings.NewReader(text.String()), topic.Put, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := topic.Close(); err != nil {
			t.Fatal(err)
		}
	}

	reader, err := kgo.NewClient(append(options, kgo.ConsumeTopics("events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	seen := map[string]bool{} // each event twice, with and without the mark
	for len(seen) < 2*rows && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if !strings.Contains(string(r.Value), `"user_id":"`+string(r.Key)+`"`) {
				t.Errorf("key %s of %s", r.Key, r.Value)
			}
			seen[fmt.Sprintf("%s %v", r.Value, replayed(r))] = true
		})
	}
	if len(seen) != 2*rows {
		t.Errorf("%d of %d records arrived", len(seen), 2*rows)
	}
}

func replayed(r *kgo.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == roles.HeaderReplay })
}

func TestTopicThatDoesNotExist(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	topic, err := NewTopic(ctx, "evnts", true, []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.UnknownTopicRetries(1)})
	if err != nil {
		t.Fatal(err)
	}
	topic.Put([]byte("k"), []byte("v"))
	if err := topic.Close(); err == nil || err.Error() != "topic evnts does not exist" {
		t.Errorf("closing gives %v", err)
	}
	if err := topic.Put([]byte("k"), []byte("v")); err == nil {
		t.Error("an event is taken after one was lost")
	}
}
