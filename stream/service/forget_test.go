package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
	"tributary/stream/operator"
)

// forgetful is a population of which people ask to be forgotten, on its way through an application whose instances die.
type forgetful struct {
	*world
	random   *rand.Rand
	memory   reference.Memory
	queue    []reference.Delivery
	declare  int // after so many deliveries an operator declares what is shared; 0: the settings do
	shared   [][2]string
	renamed  []string // customer ids that nobody has any more
	forgets  int
	takeover int // of the forgets, those that an instance slept through
}

// newForgetful makes a population, and an application for it.
func newForgetful(t *testing.T, cluster *kafkatest.Cluster, seed uint64, size, instances int) *forgetful {
	r := rand.New(rand.NewPCG(seed, 0))
	f := &forgetful{random: r, queue: reference.WithForgets(r, reference.Population(r, size))}
	rules := reference.RandomRules(r)
	rules.Degree, rules.Alike = 0, nil // who met too many depends on who was forgotten meanwhile
	if len(rules.Shared) > 0 && r.IntN(2) == 0 {
		f.declare, f.shared, rules.Shared = 1+r.IntN(size), rules.Shared, nil
	}
	f.memory.Rules = rules
	f.world = newWorld(t, cluster, r, rules, instances)
	r.Shuffle(len(f.queue), func(i, j int) { f.queue[i], f.queue[j] = f.queue[j], f.queue[i] })
	return f
}

// play sends everything. What has to be alone finds everything at rest. Between deliveries strike may hit somebody.
func (f *forgetful) play(ctx context.Context, strike func()) {
	f.t.Helper()
	late := 0
	for n, d := range f.queue {
		if n == f.declare && n > 0 {
			f.unlink(ctx)
		}
		place := f.memory.Placed(d)
		if place == reference.Alone && !d.Forgets() {
			if late++; late > 4 { // each takes a while
				continue
			}
		}
		switch {
		case place == reference.Undefined:
			continue
		case d.Forgets():
			f.forget(ctx, d)
		case place == reference.Alone:
			f.rest(ctx)
			f.deliver(ctx, d)
			f.rest(ctx)
		default:
			f.deliver(ctx, d)
			if f.random.IntN(12) == 0 {
				strike()
			}
		}
	}
	f.rest(ctx)
}

func (f *forgetful) deliver(ctx context.Context, d reference.Delivery) {
	f.send(ctx, f.random, &kgo.Record{Value: d.JSON()})
	f.memory.Take(d)
}

// forget delivers a forget. One instance may be dead meanwhile, or die of it.
func (f *forgetful) forget(ctx context.Context, d reference.Delivery) {
	f.t.Helper()
	f.rest(ctx)
	before := f.newestOf()
	first := f.forgets == 0
	victim := f.instances[f.random.IntN(len(f.instances))]
	sleeps := len(f.instances) > 1 && f.random.IntN(3) > 0
	if sleeps {
		victim.kill()
		f.takeover++
	}
	f.deliver(ctx, d)
	f.forgets++
	if !sleeps {
		time.Sleep(time.Duration(f.random.IntN(100)) * time.Millisecond)
		victim.kill()
		victim.start()
	}
	f.rest(ctx)
	if sleeps {
		victim.start()
	}
	if !first { // who was forgotten before up to later keeps that name
		return
	}
	for id := range f.memory.Dissolved() {
		if name := before[id].CustomerID; name != "" {
			f.renamed = append(f.renamed, name)
		}
	}
}

// unlink declares identifiers shared as an operator does.
func (f *forgetful) unlink(ctx context.Context) {
	f.t.Helper()
	var identifiers []schemas.Identifier
	for _, id := range f.shared {
		identifiers = append(identifiers, schemas.Identifier{Type: id[0], Value: id[1]})
	}
	o := operator.Operator{Settings: f.settings, Keys: f.keys, Client: f.client()}
	if err := o.Share(ctx, "unlink", identifiers...); err != nil {
		f.t.Fatal(err)
	}
	f.memory.Rules.Shared = f.shared
}

// traces are the bytes by which what is forgotten could be found, and the bytes of identifiers as they were sent, which
// should never have been there.
func (f *forgetful) traces() map[string][]byte {
	normalizer, err := identity.NewNormalizer(f.settings.IdentityRules(), f.keys)
	if err != nil {
		f.t.Fatal(err)
	}
	traces := map[string][]byte{}
	events, identifiers := f.memory.Gone()
	for _, id := range events { // the engine leaves out of a key what the key before it begins with, too
		key := identity.EventKeyOf(id)
		traces["event "+id], traces["event key of "+id] = []byte(id), key[2:]
	}
	for _, id := range identifiers {
		pseudonyms, _ := normalizer.IDs([]schemas.Identifier{{Type: id[0], Value: id[1]}}, nil)
		traces["pseudonym of "+id[1]] = pseudonyms[0][4:]
	}
	for _, name := range f.renamed {
		traces["customer id "+name] = []byte(name)
	}
	for _, raw := range []string{"@example.com", "@Example.com", "@EXAMPLE.COM", "415 555 267", "415-555-267", "(415) 555-267", "1415555267"} {
		traces["raw "+raw] = []byte(raw)
	}
	return traces
}

// check holds everything that is left to the reference, and looks for what should not be. Afterwards no instance runs.
func (f *forgetful) check(ctx context.Context, compact func()) {
	f.t.Helper()
	reader, names := f.attributions(ctx)
	for _, fault := range slices.Concat(reader.Faults, reader.Differences(f.memory.Answers())) {
		f.t.Error(fault)
	}
	f.checkAliases(ctx, reader, names, true)
	f.checkLedger(ctx)
	f.rewrite(ctx, nil, compact)
	traces := f.traces()
	f.checkRemains(ctx, traces)
	dirs := f.leaveAll()
	f.checkState(ctx, dirs)
	f.t.Logf("%d records, %d instances, %d forgets of which %d while one was dead, %d conversions forgotten, %d traces looked for", f.sent, len(f.instances),
		f.forgets, f.takeover, f.memory.Erased(), len(traces))
}

// People ask to be forgotten, and identifiers are declared shared, while instances crash, also in the middle of it, and sleep
// through it. The answers are those of the reference, and nothing is left of what is forgotten: in no topic, and in no file of
// any instance.
func TestForgetsAmongCrashes(t *testing.T) {
	for _, seed := range seeds(t, 1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			ctx := limit(t, 2*time.Minute)
			r := rand.New(rand.NewPCG(seed, 1))
			cluster := kafkatest.StartFake(t, kafkatest.Options{})
			f := newForgetful(t, cluster, seed, 20+r.IntN(40), 1+r.IntN(3))
			for _, i := range f.instances {
				i.start()
			}
			f.play(ctx, func() {
				k := strikes[r.IntN(len(strikes))]
				t.Log(k.name)
				k.hit(f.instances[r.IntN(len(f.instances))], r)
			})
			f.check(ctx, cluster.Fake().Compact)
		})
	}
}
