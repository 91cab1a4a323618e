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

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
)

// Ann, of whom everything has a zebra in its name, is forgotten. Nothing of her is left then in any topic of ours or in the
// files of the state: not her words, event ids, customer id, or pseudonyms. What is left of those is the node row that
// makes late news of her be refused.
func TestErasureLeavesNothing(t *testing.T) {
	ctx := limit(t, time.Minute)
	cluster := kafkatest.StartFake(t, kafkatest.Options{})
	w := newWorld(t, cluster, rand.New(rand.NewPCG(1, 1)), reference.Rules{Timeout: 1_800_000, Lookback: 30 * 86_400_000}, 2)
	for _, i := range w.instances {
		i.start()
	}
	source := w.settings.Sources[0].Topic
	send := func(event string) {
		if err := w.source.ProduceSync(ctx, &kgo.Record{Topic: source, Value: []byte(event)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"zebra", "horse"} {
		send(fmt.Sprintf(`{"event_id":"%[1]s-1","type":"touch","occurred_at":"2026-03-01T10:00:00Z","identifiers":{"anonymous_id":"%[1]s-laptop"},
			"touch":{"kind":"click","channel":"paid_search","campaign":"%[1]s-spring"}}`, name))
		send(fmt.Sprintf(`{"event_id":"%[1]s-2","type":"identify","occurred_at":"2026-03-01T10:05:00Z","identifiers":{"anonymous_id":"%[1]s-laptop","email":"%[1]s@example.com"}}`, name))
		send(fmt.Sprintf(`{"event_id":"%[1]s-3","type":"consent","occurred_at":"2026-03-01T10:06:00Z","identifiers":{"user_id":"%[1]s-login","email":"%[1]s@example.com"},"consent":{"attribution":true}}`, name))
		send(fmt.Sprintf(`{"event_id":"%[1]s-4","type":"conversion","occurred_at":"2026-03-01T11:00:00Z","identifiers":{"user_id":"%[1]s-login"},
			"conversion":{"name":"%[1]s-purchase","id":"order-of-%[2]d","value":"10.00","currency":"USD"}}`, name, len(name)*int(name[0])))
	}
	w.rest(ctx)
	traces := w.traces(t, "zebra")
	for _, a := range w.newestOf() {
		if strings.HasPrefix(a.Conversion.Name, "zebra") {
			traces["customer id"] = []byte(a.CustomerID)
		}
	}
	cluster.Fake().Compact()
	before := w.found(traces)
	for what := range traces {
		if len(before[what]) == 0 {
			t.Errorf("%s is nowhere before the erasure: the search finds nothing", what)
		}
	}

	scrubbed := map[*instance]int64{}
	for _, i := range w.instances {
		scrubbed[i] = i.service.erasing()
	}
	send(`{"event_id":"forget-77","type":"forget","occurred_at":"2026-03-02T10:00:00Z","identifiers":{"email":"ZEBRA@example.com"}}`)
	w.rest(ctx)
	w.checkErased(ctx, traces, scrubbed, cluster.Fake().Compact)
	if horses := w.found(map[string][]byte{"horse": []byte("horse")}); len(horses["horse"]) == 0 {
		t.Error("somebody else was erased too")
	}
}

// checkErased does what instances do once in a while, so that nothing of a deleted row is left, and lets the broker do its
// part, until nothing is left by which a person can be found. It takes a while: whoever restores a partition deletes rows when
// the files were just rewritten, and the engine deletes files in its own time. scrubbed is what erasing stood at when an
// instance rewrote its files last.
func (w *world) checkErased(ctx context.Context, traces map[string][]byte, scrubbed map[*instance]int64, compact func()) {
	w.t.Helper()
	for {
		w.givenOut(ctx)
		w.rewrite(ctx, scrubbed)
		compact()
		left := w.remains(traces)
		if len(left) == 0 {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			w.t.Fatal(strings.Join(left, "\n"))
		}
	}
	w.givenOut(ctx) // what was nobody's for a moment has been thrown away
}

// givenOut waits until every partition of the journal is somebody's, who has restored its rows.
func (w *world) givenOut(ctx context.Context) {
	w.t.Helper()
	for partition := range int32(w.settings.Partitions) {
		until(ctx, w.t, fmt.Sprintf("partition %d is given out", partition), func() bool {
			return slices.ContainsFunc(w.instances, func(i *instance) bool { return i.running() && i.has(w.t, partition) })
		})
	}
}

func (i *instance) has(t *testing.T, partition int32) bool {
	position, ok, err := i.service.store.Position(partition)
	if err != nil {
		t.Fatal(err)
	}
	claimed := true
	_ = i.service.gate.IfNobodys(partition, func() error { claimed = false; return nil })
	return claimed && ok && position.At >= i.started.UnixMilli()
}

func (w *world) rewrite(ctx context.Context, scrubbed map[*instance]int64) {
	w.t.Helper()
	for _, i := range w.instances {
		if err := i.service.purgeOnce(ctx, w.admin); err != nil {
			w.t.Fatal(err)
		}
		dropped, err := i.service.abandon(time.Now()) // what another instance has now
		if err != nil {
			w.t.Fatal(err)
		}
		done, known := scrubbed[i]
		if dropped > 0 || !known {
			done = -1
		}
		if scrubbed[i] = i.service.scrubOnce(ctx, done, i.service.store.Compact); scrubbed[i] < 0 {
			w.t.Fatal("the state can't be rewritten")
		}
	}
}

// remains says where the bytes are though they should not be. A node row says up to when its pseudonym is forgotten, so
// that is once in the files of an instance that has the row. The engine's list of files has the first and last key of each,
// until it begins a new one at the next start.
func (w *world) remains(traces map[string][]byte) (left []string) {
	for what, places := range w.found(traces) {
		files := map[*instance]int{}
		for _, p := range places {
			switch pseudonym := strings.HasPrefix(what, "pseudonym"); {
			case pseudonym && p.row == state.KindNode:
			case strings.HasPrefix(p.file, "MANIFEST") && (pseudonym || strings.HasPrefix(what, "event key")):
			case pseudonym && p.file != "" && files[p.of] == 0:
				files[p.of]++
			default:
				left = append(left, what+" is still in "+p.String())
			}
		}
	}
	return left
}

// traces are the bytes by which a person can be found.
func (w *world) traces(t *testing.T, name string) map[string][]byte {
	normalizer, err := identity.NewNormalizer(w.settings.IdentityRules(), w.keys)
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := normalizer.IDs([]schemas.Identifier{{Type: "anonymous_id", Value: name + "-laptop"}, {Type: "email", Value: name + "@example.com"},
		{Type: "user_id", Value: name + "-login"}}, nil)
	traces := map[string][]byte{"word": []byte(name)}
	for i, id := range ids {
		traces[fmt.Sprint("pseudonym ", i)] = id[4:] // the engine leaves out of a key what the key before it begins with, too
	}
	touch := identity.EventKeyOf(name + "-1")
	traces["event key"] = touch[:]
	return traces
}

func (w *world) newestOf() map[string]schemas.Attribution {
	newest := map[string]schemas.Attribution{}
	w.read(w.t.Context(), w.settings.Topics.Attributions, nil, func(r *kgo.Record) {
		decode := schemas.DecodeAttribution
		if w.settings.Output.Format == "protobuf" {
			decode = schemas.DecodeAttributionProto
		}
		a, err := decode(r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		newest[a.ConversionID] = a
	})
	return newest
}

// place is where bytes were found.
type place struct {
	topic string
	row   state.Kind // in the changelog
	file  string
	of    *instance // whose file it is
}

func (p place) String() string {
	switch {
	case p.file != "":
		return "file " + p.file + " of " + p.of.name
	case p.row != 0:
		return "topic " + p.topic + ", a row: " + p.row.String()
	default:
		return "topic " + p.topic
	}
}

// ours are the topics that the application writes.
func (w *world) ours() []string {
	names := TopicsOf(w.settings)
	return []string{names.Journal, names.Changelog, names.Attributions, names.Aliases, names.DeadLetters.Topic, names.Late.Topic, names.Audit}
}

// erasable are those of our topics of which a forget leaves nothing. Late events stay as they came, for as long as their topic
// keeps them.
func (w *world) erasable() []string {
	return slices.DeleteFunc(w.ours(), func(topic string) bool { return topic == w.settings.Topics.Late && w.late > 0 })
}

// found says where the bytes are, as often as they are there: in our topics, and in the files of the state.
func (w *world) found(traces map[string][]byte) map[string][]place {
	found := map[string][]place{}
	look := func(at place, parts ...[]byte) {
		for what, trace := range traces {
			for _, part := range parts {
				for range bytes.Count(part, trace) {
					found[what] = append(found[what], at)
				}
			}
		}
	}
	for _, topic := range w.erasable() {
		w.read(w.t.Context(), topic, nil, func(r *kgo.Record) {
			at := place{topic: topic}
			if topic == w.settings.ChangelogTopic() {
				at.row = state.Kind(r.Key[0])
			}
			if r.Value != nil { // a tombstone goes after its own time
				look(at, r.Key, r.Value)
			}
		})
	}
	for _, i := range w.instances {
		err := filepath.WalkDir(i.dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				return nil
			}
			var content []byte
			if err == nil {
				content, err = os.ReadFile(path)
			}
			if errors.Is(err, fs.ErrNotExist) { // the engine has deleted it meanwhile
				return nil
			}
			look(place{file: entry.Name(), of: i}, content)
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return found
}
