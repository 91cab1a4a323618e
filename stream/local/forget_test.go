package local_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/local"
	"tributary/stream/local/reference"
)

// People ask to be forgotten while events arrive, and identifiers are declared shared: the newest revisions are those of
// the reference, which forgets in the same order, and no row is left that tells of what is forgotten.
func TestNewestRevisionsAfterForgetsEqualTheReference(t *testing.T) {
	tried := forgetting{}
	all := seeds(t, 200)
	for _, seed := range all {
		r := rand.New(rand.NewPCG(seed, 0))
		deliveries := reference.WithForgets(r, reference.Population(r, 3+r.IntN(40)))
		rules := reference.RandomRules(r)
		rules.Degree, rules.Alike = 0, nil // who met too many depends on who was forgotten meanwhile
		for range 2 {
			r.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
			if fault := tried.run(t, r, deliveries, rules); fault != "" {
				t.Fatalf("TRIBUTARY_SEED=%d, %d deliveries, rules %+v: %s", seed, len(deliveries), rules, fault)
			}
			if t.Failed() {
				t.Fatalf("TRIBUTARY_SEED=%d", seed)
			}
		}
	}
	t.Logf("%+v", tried)
	if len(all) > 50 && (tried.Erased == 0 || tried.Late == 0 || tried.Gone == 0) {
		t.Error("nothing was tried")
	}
}

// forgetting counts what was tried.
type forgetting struct {
	Erased int // conversions
	Late   int // events that named somebody who was forgotten up to their time
	Gone   int // identifiers of which nothing is left
}

// run delivers the events in order, in random batches of random partitions, and holds what comes of it to the reference, at
// the end and around every forget. It returns the first difference.
func (f *forgetting) run(t testing.TB, r *rand.Rand, all []reference.Delivery, rules reference.Rules) string {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	partitions := 1 + r.Int32N(16)
	config := settingsOf(t, rules, int(partitions))
	config.EveryBatch = r.IntN(2) == 0
	config.Attribution.Limits.ChunkBytes = 1 + r.IntN(2000)
	memory := reference.Memory{Rules: rules}
	declared, since := config.Ingest.Shared, r.IntN(2)*r.IntN(len(all))
	if since > 0 {
		config.Ingest.Shared, memory.Rules.Shared = nil, nil
	}
	out := newReader(t)
	p := local.New(config, store, out)
	rest := func(step string) string {
		for p.Waiting() > 0 {
			p.Step(r.Int32N(partitions), 1+r.IntN(8))
		}
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
		diff := append(out.Differences(memory.Answers()), remains(t, store, partitions, config.Ingest.Normalizer, &memory)...)
		if len(diff) == 0 {
			return ""
		}
		return step + ":\n" + strings.Join(diff, "\n")
	}
	for i, d := range all {
		if i == since && i > 0 {
			config.Ingest.Shared, memory.Rules.Shared = declared, rules.Shared
			p.Share("unlink", slices.Collect(maps.Keys(declared))...)
		}
		place := memory.Placed(d)
		if place == reference.Undefined {
			continue
		}
		if place == reference.Alone {
			if fault := rest(fmt.Sprint("before ", i)); fault != "" {
				return fault
			}
		}
		if result := p.Event(d.JSON(), schemas.Millis(d.At())); result.Refusal != nil {
			t.Fatalf("%v: %s", result.Refusal, d.JSON())
		}
		memory.Take(d)
		if place == reference.Alone {
			f.Late++
			if fault := rest(fmt.Sprintf("after %d, %s", i, d.JSON())); fault != "" {
				return fault
			}
		}
		for range r.IntN(3) {
			p.Step(r.Int32N(partitions), 1+r.IntN(5))
		}
	}
	fault := rest("at the end")
	if fault == "" && !p.Ledger.Settled() {
		fault = fmt.Sprintf("the ledger does not add up: %+v", p.Ledger)
	}
	f.Erased += memory.Erased()
	_, gone := memory.Gone()
	f.Gone += len(gone)
	return fault
}

// remains says which rows tell of what is forgotten. The node of an identifier says up to when it is, and stays.
func remains(t testing.TB, store *state.Store, partitions int32, normalizer *identity.Normalizer, memory *reference.Memory) (found []string) {
	events, identifiers := memory.Gone()
	traces := map[string][]byte{}
	for _, id := range events {
		key := identity.EventKeyOf(id)
		traces["event "+id], traces["key of event "+id] = []byte(id), key[:]
	}
	for _, id := range identifiers {
		pseudonyms, _ := normalizer.IDs([]schemas.Identifier{{Type: id[0], Value: id[1]}}, nil)
		traces["identifier "+id[1]] = pseudonyms[0][:]
	}
	for partition := range partitions {
		err := store.Entries(partition, func(e state.Entry) bool {
			kind := state.Kind(e.Key[0])
			for what, trace := range traces {
				node := kind == state.KindNode && strings.HasPrefix(what, "identifier")
				if !node && (bytes.Contains(e.Key, trace) || bytes.Contains(e.Value, trace)) {
					found = append(found, fmt.Sprintf("%s is still in a row, %s", what, kind))
				}
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
