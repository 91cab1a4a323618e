package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/stream/kafkatest"
	"tributary/stream/metrics"
)

// A message that can't be read, or that lies in a partition that is not its own, is damage: the whole service stops and
// says where, and nothing behind the message is touched.
func TestDamageStopsTheService(t *testing.T) {
	id := identity.ID{1, 2, 3}
	message := identity.Message{Kind: identity.KindForget, To: identity.Ref{ID: id}, Time: 1}
	for name, c := range map[string]struct {
		value     []byte
		elsewhere int32
	}{
		"garbage":             {value: []byte("\xff\xff\xff")},
		"the wrong partition": {value: identity.AppendToRecord(nil, &message), elsewhere: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := limit(t, time.Minute)
			w := newWorld(t, kafkatest.StartFake(t, kafkatest.Options{}), plainRandom(), plainRules, 1)
			w.settings.Partitions = 4
			i := w.instances[0]
			i.start()
			journal := TopicsOf(w.settings).Journal
			partition := (int32(message.Partition(4)) + c.elsewhere) % 4
			record := &kgo.Record{Topic: journal, Partition: partition, Value: c.value}
			if err := w.source.ProduceSync(ctx, record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			err := <-i.ended
			where := fmt.Sprintf("%s, partition %d, offset %d", journal, partition, record.Offset)
			if !errors.Is(err, identity.ErrWire) || !strings.Contains(err.Error(), where) {
				t.Errorf("ended with %v, want a fault at %s", err, where)
			}
			i.ended <- nil
			i.leave()
			if at := w.committed(ctx, RoleJourney, journal)[partition]; at > record.Offset {
				t.Errorf("the group is at %d, behind the damage", at)
			}
		})
	}
}

// What is wrong with a cluster or a directory is said at the start, all at once, and nothing stays open.
func TestFaultsAtTheStart(t *testing.T) {
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	w := newWorld(t, cluster, plainRandom(), plainRules, 1)
	start := func(change func(*Config)) error {
		s := *w.settings
		s.State.Dir = t.TempDir()
		config := Config{Settings: &s, Keys: w.keys, Instance: "a", Metrics: metrics.New("test"), Log: slog.New(slog.DiscardHandler),
			Client: []kgo.Opt{kgo.SeedBrokers(cluster.Brokers()...)}, patience: time.Second}
		change(&config)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		service, err := New(ctx, config)
		if service != nil {
			if err := service.Close(); err != nil {
				t.Error(err)
			}
		}
		return err
	}
	if err := start(func(*Config) {}); err != nil {
		t.Fatal(err)
	}
	names := TopicsOf(w.settings)
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"another number of partitions", func(c *Config) { c.Settings.Partitions++ },
			[]string{names.Journal + ": has", names.Changelog + ": has", "fixed for the life"}},
		{"no source", func(c *Config) {
			c.Settings.Sources = append(c.Settings.Sources[:0:0], c.Settings.Sources[0])
			c.Settings.Sources[0].Topic = "nowhere"
		},
			[]string{"nowhere", "does not exist"}},
		{"no broker", func(c *Config) { c.Client = []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")} },
			[]string{"reach the cluster", "kafka.brokers"}},
		{"a changelog that forgets", func(c *Config) {
			c.Settings.ApplicationID = cluster.Name("forgetful")
			cluster.CreateTopic(t, c.Settings.ChangelogTopic(), int32(c.Settings.Partitions), map[string]string{"cleanup.policy": "delete", "retention.ms": "1000"})
		}, []string{"cleanup.policy=delete, must have compact", "retention.ms=1000, must have -1"}},
	} {
		err := start(c.change)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\ndoes not say %q", c.name, err, want)
			}
		}
	}
	// Two instances can't share a directory.
	i := w.instances[0]
	i.start()
	err := start(func(c *Config) { c.Settings.State.Dir = i.dir })
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a directory that is in use: %v", err)
	}
}

// A cluster that can't be reached when a service starts is waited for, and the log says why.
func TestTheStartWaitsForTheCluster(t *testing.T) {
	ctx := limit(t, time.Minute)
	w := newWorld(t, kafkatest.StartFake(t, kafkatest.Options{}), plainRandom(), plainRules, 0)
	var link kafkatest.Link
	link.Cut()
	waits := make(waiting, 100)
	s := *w.settings
	s.State.Dir = t.TempDir()
	config := Config{Settings: &s, Keys: w.keys, Instance: "a", Metrics: metrics.New("test"), Log: slog.New(slog.NewTextHandler(waits, nil)),
		Client: []kgo.Opt{kgo.SeedBrokers(w.cluster.Brokers()...), kgo.Dialer(link.Dial), kgo.RequestRetries(0)}}
	started := make(chan error, 1)
	go func() {
		service, err := New(ctx, config)
		if service != nil {
			err = errors.Join(err, service.Close())
		}
		started <- err
	}()
	select {
	case said := <-waits:
		if !strings.Contains(said, "waits for the cluster") || !strings.Contains(said, "link cut") {
			t.Errorf("it said %s", said)
		}
	case err := <-started:
		t.Fatalf("the start ended without a cluster: %v", err)
	}
	link.Heal()
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// waiting passes on what is written.
type waiting chan string

func (w waiting) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}
