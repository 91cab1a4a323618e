package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
	"tributary/stream/operator"
	"tributary/stream/settings"
)

// forgetful is a population of which people ask to be forgotten, on its way through an application whose instances die.
type forgetful struct {
	*world
	random   *rand.Rand
	line     reference.Timeline
	queue    []reference.Delivery
	declare  int // after so many deliveries an operator declares what is shared; 0: the settings do
	shared   [][2]string
	tooLate  map[origin]bool
	renamed  []string // customer ids that nobody has any more
	forgets  int
	sleepers int // forgets that an instance was dead for
}

// newForgetful makes a population, and an application for it. If it is timed, events come from one partition, as late as it
// happens, and conversions become final; else in any order from several, and nothing is late.
func newForgetful(t *testing.T, cluster *kafkatest.Cluster, seed uint64, size, instances int, timed bool) *forgetful {
	r := rand.New(rand.NewPCG(seed, 0))
	f := &forgetful{random: r, queue: reference.WithForgets(r, reference.Population(r, size)), tooLate: map[origin]bool{}}
	rules := reference.RandomRules(r)
	rules.Degree, rules.Alike = 0, nil // who met too many depends on who was forgotten meanwhile
	if len(rules.Shared) > 0 && r.IntN(2) == 0 {
		f.declare, f.shared, rules.Shared = 1+r.IntN(size), rules.Shared, nil
	}
	f.line.Memory.Rules = rules
	f.world = newWorld(t, cluster, r, rules, instances)
	if !timed {
		f.line.OutOfOrderness, f.line.Allowed = f.settings.Lateness.OutOfOrderness.Milliseconds(), f.settings.Lateness.Allowed.Milliseconds()
		r.Shuffle(len(f.queue), func(i, j int) { f.queue[i], f.queue[j] = f.queue[j], f.queue[i] })
		return f
	}
	// Whole minutes, as the events: no second in which a watermark has moved and nobody was told decides anything.
	lateness := &f.settings.Lateness
	lateness.OutOfOrderness, lateness.Allowed = time.Duration(1+r.IntN(1000))*time.Minute, time.Duration(1+r.IntN(10_000))*time.Minute
	f.line.OutOfOrderness, f.line.Allowed = lateness.OutOfOrderness.Milliseconds(), lateness.Allowed.Milliseconds()
	f.queue = reference.Delayed(r, f.queue, 4*(f.line.OutOfOrderness+f.line.Allowed))
	source := cluster.Name("timed")
	cluster.CreateTopic(t, source, 1, nil)
	f.widths = map[string]int32{source: 1}
	f.settings.Sources = []settings.Source{{Topic: source, Format: "native"}}
	return f
}

// play sends everything. What has to be alone finds everything at rest, and so does what follows when something has become
// final. Between deliveries strike may hit somebody.
func (f *forgetful) play(ctx context.Context, strike func()) {
	f.t.Helper()
	alone := 0
	for n, d := range f.queue {
		if n == f.declare && n > 0 {
			f.settle(ctx)
			f.unlink(ctx)
			f.settle(ctx)
		}
		place := f.line.Memory.Placed(d)
		if place == reference.Alone && !d.Forgets() {
			if alone++; alone > 4 { // each takes a while
				continue
			}
		}
		switch {
		case place == reference.Undefined:
			continue
		case d.Forgets():
			f.forget(ctx, d)
		case place == reference.Alone:
			f.settle(ctx)
			f.deliver(ctx, d)
			f.settle(ctx)
		default:
			f.deliver(ctx, d)
			if f.random.IntN(12) == 0 {
				strike()
			}
			if f.line.Due() {
				f.settle(ctx)
			}
		}
	}
	f.settle(ctx)
}

func (f *forgetful) deliver(ctx context.Context, d reference.Delivery) {
	from := f.send(ctx, f.random, &kgo.Record{Value: d.JSON()})
	if !f.line.Deliver(d) {
		f.tooLate[from] = true
		f.late++
	}
}

// settle waits until everything is at rest, and holds the answers to the reference.
func (f *forgetful) settle(ctx context.Context) {
	f.t.Helper()
	f.rest(ctx)
	reader, _ := f.attributions(ctx)
	if faults := slices.Concat(reader.Faults, reader.Differences(f.line.Settle())); len(faults) > 0 {
		f.t.Fatalf("after %d records:\n%s", f.sent, strings.Join(faults, "\n"))
	}
}

// forget delivers a forget. One instance may be dead meanwhile, or die of it.
func (f *forgetful) forget(ctx context.Context, d reference.Delivery) {
	f.t.Helper()
	f.settle(ctx)
	before := f.newestOf()
	victim := f.instances[f.random.IntN(len(f.instances))]
	sleeps := len(f.instances) > 1 && f.random.IntN(3) > 0
	if sleeps {
		victim.kill()
		f.sleepers++
	}
	f.deliver(ctx, d)
	// Who was forgotten before, up to later, keeps that name; so does what was final when a customer was split.
	if f.forgets == 0 && f.declare == 0 {
		for id := range f.line.Memory.Dissolved() {
			if name := before[id].CustomerID; name != "" {
				f.renamed = append(f.renamed, name)
			}
		}
	}
	f.forgets++
	if !sleeps {
		time.Sleep(time.Duration(f.random.IntN(100)) * time.Millisecond)
		victim.kill()
		victim.start()
	}
	f.settle(ctx)
	if sleeps {
		victim.start()
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
	f.line.Memory.Rules.Shared = f.shared
}

// traces are the bytes by which what is forgotten could be found, and the bytes of identifiers as they were sent, which
// should never have been there.
func (f *forgetful) traces() map[string][]byte {
	normalizer, err := identity.NewNormalizer(f.settings.IdentityRules(), f.keys)
	if err != nil {
		f.t.Fatal(err)
	}
	traces := map[string][]byte{}
	events, identifiers := f.line.Memory.Gone()
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
	if f.line.Finals() == 0 { // what is final keeps the name that its customer had
		f.checkAliases(ctx, reader, names, true)
	}
	f.checkLate(ctx, f.tooLate)
	f.checkLedger(ctx)
	traces := f.traces()
	f.checkErased(ctx, traces, map[*instance]int64{}, compact)
	f.checkState(ctx, f.leaveAll())
	f.t.Logf("%d records, %d of them too late, %d instances, %d conversions final, %d forgets of which %d while one was dead, %d conversions forgotten, %d traces looked for",
		f.sent, f.late, len(f.instances), f.line.Finals(), f.forgets, f.sleepers, f.line.Memory.Erased(), len(traces))
}

// People ask to be forgotten, and identifiers are declared shared, while instances crash, also in the middle of it, and sleep
// through it. The answers are those of the reference, and nothing is left of what is forgotten: in no topic, and in no file of
// any instance. Where time flows, some events come too late, and every conversion is final once.
func TestForgetsAmongCrashes(t *testing.T) {
	for _, seed := range seeds(t, 2) {
		timed := seed%2 == 1
		t.Run(fmt.Sprintf("%d, timed=%v", seed, timed), func(t *testing.T) {
			t.Parallel() // they wait most of the time
			ctx := limit(t, 2*time.Minute)
			r := rand.New(rand.NewPCG(seed, 1))
			cluster := kafkatest.StartFake(t, kafkatest.Options{})
			f := newForgetful(t, cluster, seed, 20+r.IntN(40), 1+r.IntN(3), timed)
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
