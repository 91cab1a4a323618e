//go:build kafka && chaos && unix

package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// outages are longer than a start waits: an orchestrator would have to start again what is stopped meanwhile.
var outages = []fault{
	{"all brokers are killed and come back after 70 s", func(ctx context.Context, u *trial, r *rand.Rand) {
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Kill(node))
		}
		time.Sleep(70 * time.Second)
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Restart(node))
		}
		u.must(u.cluster.Ready(ctx, u.cluster.Nodes()))
	}},
}

// mix lets two things happen at once, again and again until the records are spent: one to a process, one to what it depends on.
func (u *trial) mix(ctx context.Context, r *rand.Rand, records int) {
	u.t.Helper()
	around := slices.Concat(brokerFaults, networkFaults)
	for len(u.queue) > 0 {
		inside, outside := processFaults[r.IntN(len(processFaults))], around[r.IntN(len(around))]
		chance := [2]*rand.Rand{rand.New(rand.NewPCG(r.Uint64(), 0)), rand.New(rand.NewPCG(r.Uint64(), 0))}
		u.suffer(ctx, inside.name+"; "+outside.name, func() {
			var both sync.WaitGroup
			both.Go(func() { inside.strike(ctx, u, chance[0]) })
			both.Go(func() { outside.strike(ctx, u, chance[1]) })
			both.Wait()
		}, records)
	}
}

// Every fault, then pairs of them, for as many seeds as are asked for, with both transaction protocols: make chaos. A trial
// goes on until RECORDS are spent.
func TestChaosOnKafka(t *testing.T) {
	records, err := strconv.Atoi(os.Getenv("TRIBUTARY_CHAOS_RECORDS"))
	if err != nil {
		t.Fatalf("TRIBUTARY_CHAOS_RECORDS: %v: make chaos sets it", err)
	}
	for n, seed := range seeds(t, 1) {
		version := 2 - n%2
		t.Run(fmt.Sprintf("%d, transaction.version=%d", seed, version), func(t *testing.T) {
			ctx := limit(t, 12*time.Hour)
			r := rand.New(rand.NewPCG(seed, 1))
			u := newTrial(ctx, t, seed, version, records)
			u.once(ctx, r, slices.Concat(processFaults, brokerFaults, networkFaults, outages), 400)
			u.mix(ctx, r, 400)
			u.judge(ctx)
		})
	}
}
