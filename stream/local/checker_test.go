package local_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/local"
	"tributary/stream/local/reference"
)

// recorder keeps every record of the output.
type recorder struct{ records []schemas.Attribution }

func (r *recorder) Attribution(a *schemas.Attribution) {
	copied, err := schemas.DecodeAttribution(a.Encode(nil))
	if err != nil {
		panic(err)
	}
	r.records = append(r.records, copied)
}

func (*recorder) Alias(schemas.Alias) {}
func (*recorder) Audit(schemas.Audit) {}

// The checker that every suite relies on, here and on real brokers, is checked itself: of an output that is right it says nothing,
// and whatever is done to one record of it is seen.
func TestTheCheckerSeesWhatIsDoneToTheOutput(t *testing.T) {
	for _, seed := range seeds(t, 30) {
		r := rand.New(rand.NewPCG(seed, 0))
		all, rules := reference.Population(r, 60), reference.RandomRules(r)
		want := reference.Answers(all, rules)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		store, err := state.OpenMemory()
		if err != nil {
			t.Fatal(err)
		}
		out := &recorder{}
		config := settingsOf(t, rules, 4)
		config.EveryBatch = true
		p := local.New(config, store, out)
		for _, s := range all {
			p.Event(s.JSON(), schemas.Millis(s.At()))
			p.Step(r.Int32N(4), 1+r.IntN(5))
		}
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if faults := faultsOf(out.records, want); len(faults) > 0 {
			t.Fatalf("seed %d: %v", seed, faults)
		}
		for name, change := range mutations {
			if changed := change(r, slices.Clone(out.records)); changed != nil && len(faultsOf(changed, want)) == 0 {
				t.Errorf("seed %d: nobody sees it: %s", seed, name)
			}
		}
	}
}

func faultsOf(records []schemas.Attribution, want map[string]reference.Answer) []string {
	reader := reference.NewReader()
	for i := range records {
		reader.Attribution(&records[i])
	}
	return slices.Concat(reader.Faults, reader.Differences(want))
}

// mutations change one record, or return nil where there is none to change.
var mutations = map[string]func(*rand.Rand, []schemas.Attribution) []schemas.Attribution{
	"a record is lost": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		i := r.IntN(len(all))
		return slices.Delete(all, i, i+1)
	},
	"a record is there twice": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		i := r.IntN(len(all))
		return slices.Insert(all, i+r.IntN(len(all)-i), all[i])
	},
	"two revisions of a conversion change places": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		for _, i := range r.Perm(len(all)) {
			if next := later(all, i); next >= 0 {
				all[i], all[next] = all[next], all[i]
				return all
			}
		}
		return nil
	},
	"a revision of an aborted transaction is read, and the next one has its number": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		i := r.IntN(len(all))
		aborted := all[i]
		aborted.ScoredAt++
		aborted.Conversion.NetValue.Minor++
		return slices.Insert(all, i, aborted)
	},
	"an instance goes on with old state: it repeats an old answer": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		for _, i := range r.Perm(len(all)) {
			if next := later(all, i); next >= 0 {
				stale := all[i]
				stale.Revision = all[next].Revision + 1
				for ; next >= 0; next = later(all, next) {
					stale.Revision = all[next].Revision + 1
				}
				if bytes.Equal(stale.Encode(nil), all[i].Encode(nil)) {
					continue
				}
				return append(all, stale)
			}
		}
		return nil
	},
	"a touch of another customer": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		for _, i := range r.Perm(len(all)) {
			if len(all[i].Touches) > 0 && later(all, i) < 0 {
				all[i].Touches = slices.Clone(all[i].Touches)
				all[i].Touches[0].EventID += "x"
				return all
			}
		}
		return nil
	},
	"a cent moves from one touch to another": func(r *rand.Rand, all []schemas.Attribution) []schemas.Attribution {
		for _, i := range r.Perm(len(all)) {
			if len(all[i].Touches) > 1 && later(all, i) < 0 {
				all[i].Touches = slices.Clone(all[i].Touches)
				for n, by := range []int64{1, -1} {
					credit := slices.Clone(all[i].Touches[n].Credit)
					credit[0].Minor += by
					all[i].Touches[n].Credit = credit
				}
				return all
			}
		}
		return nil
	},
}

// later is where the next record of the same conversion is, -1 if there is none.
func later(all []schemas.Attribution, i int) int {
	for next := i + 1; next < len(all); next++ {
		if all[next].ConversionID == all[i].ConversionID {
			return next
		}
	}
	return -1
}
