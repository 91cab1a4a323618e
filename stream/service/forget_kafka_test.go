//go:build kafka

package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/state"
	"tributary/stream/kafkatest"
)

// People ask to be forgotten while instances of an application on Apache Kafka crash. When the broker's log cleaner has gone
// through, nothing of them is in the files of its disk either, but in those of the source topics, which are not ours.
func TestForgetsAmongCrashesOnKafka(t *testing.T) {
	for _, seed := range seeds(t, 2) {
		timed := seed%2 == 1
		t.Run(fmt.Sprintf("%d, timed=%v", seed, timed), func(t *testing.T) { forgetOnKafka(t, seed, timed) })
	}
}

func forgetOnKafka(t *testing.T, seed uint64, timed bool) {
	ctx := limit(t, 4*time.Minute)
	r := rand.New(rand.NewPCG(seed, 1))
	cluster := kafkatest.Shared(t, kafkatest.Options{Config: map[string]string{
		"log.cleaner.backoff.ms":          "200",  // looks for what is to be compacted
		"log.retention.check.interval.ms": "500",  // and for what is deleted
		"log.segment.delete.delay.ms":     "1000", // a file that nobody needs is there so long
	}})
	data := cluster.Data(t)
	f := newForgetful(t, cluster, seed, 40, 2, timed)
	f.patience = someOnKafka
	if _, err := CreateTopics(ctx, f.client(), f.settings, false); err != nil {
		t.Fatal(err)
	}
	f.configure(ctx, map[string]string{"compression.type": "uncompressed"}) // the search would miss what is compressed
	for _, i := range f.instances {
		i.start()
	}
	f.play(ctx, func() {
		k := strikes[r.IntN(len(strikes))]
		t.Log(k.name)
		k.hit(f.instances[r.IntN(len(f.instances))], r)
	})
	traces := f.traces()
	if gone, _ := f.line.Memory.Gone(); len(gone) > 0 && len(f.onDisk(data, traces)) == 0 {
		t.Error("nothing was on the disk before: the search finds nothing")
	}
	f.check(ctx, func() {
		// A day in a few seconds. Kafka compacts no segment that it still writes to, and begins a new one only when something
		// is written: life goes on, in all partitions.
		f.configure(ctx, map[string]string{"segment.ms": "1000", "max.compaction.lag.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000"})
		f.cleaned(ctx, data, traces)
	})
}

// configure changes settings of all topics of ours.
func (w *world) configure(ctx context.Context, values map[string]string) {
	w.t.Helper()
	var changes []kadm.AlterConfig
	for name, value := range values {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	answers, err := w.admin.AlterTopicConfigs(ctx, changes, w.ours()...)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range answers {
		if a.Err != nil {
			w.t.Fatalf("change %s: %v", a.Name, a.Err)
		}
	}
}

// cleaned waits until the log cleaner has gone through, while others go on living, and says what is left if it does not.
func (f *forgetful) cleaned(ctx context.Context, data []string, traces map[string][]byte) {
	f.t.Helper()
	begun := time.Now()
	for round := 0; ; round++ {
		f.others(ctx, round)
		f.rest(ctx)
		for _, i := range f.instances {
			if err := i.service.purgeOnce(ctx, f.admin); err != nil {
				f.t.Fatal(err)
			}
		}
		left := f.onDisk(data, traces)
		if len(left) == 0 {
			f.t.Logf("clean after %v", time.Since(begun).Round(time.Millisecond))
			return
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			f.t.Fatalf("the log cleaner has had %v, and left:\n%s", time.Since(begun).Round(time.Second), strings.Join(left, "\n"))
		}
	}
}

// others are people who click, sign in and buy, enough of them that every partition of every topic has something of theirs.
func (f *forgetful) others(ctx context.Context, round int) {
	f.t.Helper()
	for n := range 8 * f.settings.Partitions {
		who := fmt.Sprintf("%d-%d", round, n)
		at := time.Date(2026, 3, 1, 0, round, 0, 0, time.UTC).Format(time.RFC3339)
		for _, event := range []string{
			`{"event_id":"t%[1]s","type":"touch","occurred_at":"%[2]s","identifiers":{"anonymous_id":"other-%[1]s"},"touch":{"kind":"click"}}`,
			`{"event_id":"i%[1]s","type":"identify","occurred_at":"%[2]s","identifiers":{"anonymous_id":"other-%[1]s","user_id":"user-%[1]s"}}`,
			`{"event_id":"c%[1]s","type":"conversion","occurred_at":"%[2]s","identifiers":{"user_id":"user-%[1]s"},"conversion":{"name":"sale","id":"sale-%[1]s","value":"1.00","currency":"USD"}}`,
		} {
			f.source.Produce(ctx, &kgo.Record{Topic: f.settings.Sources[0].Topic, Value: fmt.Appendf(nil, event, who, at)}, nil)
			f.sent++
		}
	}
	if err := f.source.Flush(ctx); err != nil {
		f.t.Fatal(err)
	}
}

// onDisk says in which files of the brokers the bytes are though they should not be. In the changelog a pseudonym may be the
// key of its node row: the kind of the row, and then the pseudonym.
func (f *forgetful) onDisk(data []string, traces map[string][]byte) (left []string) {
	for _, folder := range data {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && (entry.IsDir() || f.foreign(path)) {
				return nil
			}
			var content []byte
			if err == nil {
				content, err = os.ReadFile(path)
			}
			if errors.Is(err, fs.ErrNotExist) { // the broker has deleted it meanwhile
				return nil
			}
			place := filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
			for what, trace := range traces {
				for at, rest := 0, content; ; {
					next := bytes.Index(rest, trace)
					if next < 0 {
						break
					}
					at += next
					node := strings.HasPrefix(what, "pseudonym") && at >= 5 && state.Kind(content[at-5]) == state.KindNode
					if !node {
						left = append(left, what+" is still in "+place)
					}
					at++
					rest = content[at:]
				}
			}
			return err
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// foreign reports whether a file belongs to another test's topic, or to one that keeps what came as it came.
func (f *forgetful) foreign(path string) bool {
	topic := filepath.Base(filepath.Dir(path))
	ours := slices.ContainsFunc(f.erasable(), func(name string) bool { return strings.HasPrefix(topic, name+"-") })
	return !ours && !strings.HasPrefix(topic, "__")
}
