package local_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state"
	"tributary/state/journey"
	"tributary/stream/attribution"
	"tributary/stream/ingest"
	"tributary/stream/local"
	"tributary/stream/local/reference"
)

// The promise: the newest revision of every attribution is a pure function of the set of events, whatever the order of
// arrival, the partitions and the batches. Here it is checked against a reference, on populations small enough that
// everything that can go wrong does.

// settingsOf are the rules as the pipeline takes them.
func settingsOf(t testing.TB, r reference.Rules, partitions int) local.Config {
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	normalizer, err := identity.NewNormalizer(identity.Rules{DefaultRegion: "US"}, keys)
	if err != nil {
		t.Fatal(err)
	}
	models, err := scoring.NewAll(nil)
	if err != nil {
		t.Fatal(err)
	}
	j := journey.Defaults()
	j.SessionTimeout = time.Duration(r.Timeout) * time.Millisecond
	j.Lookback.Default = time.Duration(r.Lookback) * time.Millisecond
	j.Lookback.ByKind = map[string]time.Duration{}
	for k, l := range r.LookbackOf {
		j.Lookback.ByKind[k] = time.Duration(l) * time.Millisecond
	}
	if r.UnitSession {
		j.TouchUnit = journey.UnitSession
	}
	j.Conversions = map[string]journey.ConversionRule{}
	for name := range r.First {
		rule := journey.ConversionRule{Occurrence: journey.Every, Reset: r.Reset[name]}
		if r.First[name] {
			rule.Occurrence = journey.First
		}
		j.Conversions[name] = rule
	}
	c := local.Config{
		Ingest:      &ingest.Ingest{Normalizer: normalizer, Channels: direct{}, Shared: ingest.SharedOf(normalizer, sharedIdentifiers(r))},
		Attribution: attribution.Config{Partitions: partitions, MaxMembers: uint32(r.Members), Rules: j, Models: models, Key: keys.Active()},
	}
	limits := &c.Attribution.Limits
	for i := range limits.Neighbours {
		limits.Neighbours[i] = uint32(r.Degree)
	}
	types := normalizer.Types()
	for pair, n := range r.Alike {
		name, of, _ := strings.Cut(pair, " ")
		typ, _ := types.Lookup(name)
		with, _ := types.Lookup(of)
		limits.NeighboursOf[typ.Rank][with.Rank] = uint32(n)
	}
	return c
}

func sharedIdentifiers(r reference.Rules) (all []schemas.Identifier) {
	for _, id := range r.Shared {
		all = append(all, schemas.Identifier{Type: id[0], Value: id[1]})
	}
	return all
}

type direct struct{}

func (direct) Channel(*schemas.Touch) string { return "direct" }

// reader is a consumer of the output, which fails the test at the first record that is wrong.
type reader struct {
	*reference.Reader
	t testing.TB
}

func newReader(t testing.TB) *reader { return &reader{reference.NewReader(), t} }

func (r *reader) Attribution(a *schemas.Attribution) {
	r.Reader.Attribution(a)
	for _, fault := range r.Faults {
		r.t.Error(fault)
	}
	r.Faults = nil
}

func (*reader) Alias(schemas.Alias) {}
func (*reader) Audit(schemas.Audit) {}

// seeds returns the seeds to try: TRIBUTARY_SEED alone if it is set, else n from TRIBUTARY_SEEDS or the given number.
func seeds(t testing.TB, n int) []uint64 {
	if s := os.Getenv("TRIBUTARY_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	if s := os.Getenv("TRIBUTARY_SEEDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		n = max(1, n/10)
	}
	base := uint64(time.Now().UnixNano())
	out := make([]uint64, n)
	for i := range out {
		out[i] = base + uint64(i)
	}
	return out
}

func TestNewestRevisionsEqualTheReference(t *testing.T) {
	for _, seed := range seeds(t, 1500) {
		r := rand.New(rand.NewPCG(seed, 0))
		all := reference.Population(r, 3+r.IntN(40))
		rl := reference.RandomRules(r)
		want := reference.Answers(all, rl)
		for range 2 {
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			got, ledger := run(t, r, all, rl, 1+r.IntN(16), r.IntN(2) == 0)
			if !ledger {
				t.Fatalf("seed %d: the ledger does not add up", seed)
			}
			if diff := got.Differences(want); len(diff) > 0 {
				t.Fatalf("seed %d, %d deliveries, rules %+v:\n%s", seed, len(all), rl, strings.Join(diff, "\n"))
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// run delivers the events in order, in random batches of random partitions, and returns what a reader has at the end. What
// is declared shared is so from the beginning, or from any time on.
func run(t testing.TB, r *rand.Rand, all []reference.Delivery, rl reference.Rules, partitions int, everyBatch bool) (*reader, bool) {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	config := settingsOf(t, rl, partitions)
	config.EveryBatch = everyBatch
	config.Attribution.Limits.ChunkBytes = 1 + r.IntN(2000)
	out := newReader(t)
	declared, since := config.Ingest.Shared, r.IntN(2)*r.IntN(len(all))
	if since > 0 {
		config.Ingest.Shared = nil
	}
	p := local.New(config, store, out)
	for i, s := range all {
		if i == since && i > 0 {
			config.Ingest.Shared = declared
			p.Share("unlink", slices.Collect(maps.Keys(declared))...)
		}
		if result := p.Event(s.JSON(), schemas.Millis(s.At())); result.Refusal != nil {
			t.Fatalf("%v: %s", result.Refusal, s.JSON())
		}
		for range r.IntN(3) {
			p.Step(r.Int32N(int32(partitions)), 1+r.IntN(5))
		}
	}
	for p.Waiting() > 0 {
		p.Step(r.Int32N(int32(partitions)), 1+r.IntN(8))
	}
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	return out, p.Ledger.Settled()
}
