package service

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	for _, a := range w.newestOf(t) {
		if strings.HasPrefix(a.Conversion.Name, "zebra") {
			traces["customer id"] = []byte(a.CustomerID)
		}
	}
	cluster.Fake().Compact()
	before := w.found(t, traces)
	for what := range traces {
		if len(before[what]) == 0 {
			t.Errorf("%s is nowhere before the erasure: the search finds nothing", what)
		}
	}

	var scrubbed []int64
	for _, i := range w.instances {
		scrubbed = append(scrubbed, i.service.erasing())
	}
	send(`{"event_id":"forget-77","type":"forget","occurred_at":"2026-03-02T10:00:00Z","identifiers":{"email":"ZEBRA@example.com"}}`)
	w.rest(ctx)
	for n, i := range w.instances {
		if err := i.service.purgeOnce(ctx, w.admin); err != nil {
			t.Fatal(err)
		}
		dropped, err := i.service.abandon(time.Now()) // what another instance has now
		if err != nil {
			t.Fatal(err)
		}
		if dropped > 0 {
			scrubbed[n] = -1
		}
		if i.service.scrubOnce(ctx, scrubbed[n], i.service.store.Compact) < 0 {
			t.Fatal("the state can't be rewritten")
		}
	}
	cluster.Fake().Compact()
	for { // the engine deletes files that it has no use for in its own time
		left := w.remains(t, traces)
		if len(left) == 0 {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
			continue
		case <-ctx.Done():
			t.Fatal(strings.Join(left, "\n"))
		}
	}
	if horses := w.found(t, map[string][]byte{"horse": []byte("horse")}); len(horses["horse"]) == 0 {
		t.Error("somebody else was erased too")
	}
}

// remains says where the bytes are though they should not be.
func (w *world) remains(t *testing.T, traces map[string][]byte) (left []string) {
	for what, places := range w.found(t, traces) {
		for _, place := range places {
			// A node row says up to when its pseudonym is forgotten. The engine's list of files has the first and last key of each, until it begins a new one at the next start.
			pseudonym := strings.HasPrefix(what, "pseudonym") && (strings.HasSuffix(place, " node") || strings.HasPrefix(place, "file"))
			bound := what == "event key" && strings.HasPrefix(place, "file MANIFEST")
			if !pseudonym && !bound {
				left = append(left, what+" is still in "+place)
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
		traces[fmt.Sprint("pseudonym ", i)] = id[:]
	}
	touch := identity.EventKeyOf(name + "-1")
	traces["event key"] = touch[:]
	return traces
}

func (w *world) newestOf(t *testing.T) map[string]schemas.Attribution {
	newest := map[string]schemas.Attribution{}
	w.read(t.Context(), w.settings.Topics.Attributions, nil, func(r *kgo.Record) {
		decode := schemas.DecodeAttribution
		if w.settings.Output.Format == "protobuf" {
			decode = schemas.DecodeAttributionProto
		}
		a, err := decode(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		newest[a.ConversionID] = a
	})
	return newest
}

// found says where the bytes are: in which of our topics, rows of the changelog by kind, and files of the state.
func (w *world) found(t *testing.T, traces map[string][]byte) map[string][]string {
	found := map[string][]string{}
	look := func(place string, parts ...[]byte) {
		for what, trace := range traces {
			for _, part := range parts {
				if bytes.Contains(part, trace) {
					found[what] = append(found[what], place)
				}
			}
		}
	}
	names := TopicsOf(w.settings)
	for _, topic := range []string{names.Journal, names.Changelog, names.Attributions, names.Aliases, names.DeadLetters.Topic, names.Late.Topic, names.Audit} {
		w.read(t.Context(), topic, nil, func(r *kgo.Record) {
			place := "topic " + topic
			if topic == names.Changelog {
				place += " " + state.Kind(r.Key[0]).String()
			}
			if r.Value != nil { // a tombstone goes after its own time
				look(place, r.Key, r.Value)
			}
		})
	}
	for _, i := range w.instances {
		err := filepath.WalkDir(i.dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			look("file "+entry.Name(), content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
