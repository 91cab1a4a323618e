//go:build kafka && unix

package service

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
)

// What FAULTS.md promises: three processes of the built program on three brokers, records without pause, and one fault
// after the other. After each, everything that was sent must be dealt with in time; in the end every record of the output is held
// to the reference, and every row of the state to the changelog.

// bound is how long all may take to come to rest after a fault is over. A process that is gone for good is missed after its
// session timeout, 20 s.
const bound = 2 * time.Minute

// trial is one application under faults.
type trial struct {
	*run
	seed      uint64
	processes []*process
	rows      table.Writer // what happened, for who reads it
}

// fault is something that can happen. When strike returns it is over: every process runs, every broker and every network
// is whole.
type fault struct {
	name   string
	strike func(context.Context, *trial, *rand.Rand)
}

// pause lasts between a half and the whole of d.
func pause(r *rand.Rand, d time.Duration) {
	time.Sleep(d/2 + time.Duration(r.Int64N(int64(d/2))))
}

func (u *trial) anyProcess(r *rand.Rand) *process { return u.processes[r.IntN(len(u.processes))] }

// must fails the test if a fault could not be made.
func (u *trial) must(faults ...error) {
	u.t.Helper()
	if err := errors.Join(faults...); err != nil {
		u.t.Fatal(err)
	}
}

// nodes are the brokers in random order.
func (u *trial) nodes(r *rand.Rand) []int { return r.Perm(u.cluster.Nodes()) }

var processFaults = []fault{
	{"a process is killed", func(_ context.Context, u *trial, r *rand.Rand) {
		p := u.anyProcess(r)
		p.kill()
		p.start()
	}},
	{"a process is killed, its disk is lost", func(_ context.Context, u *trial, r *rand.Rand) {
		p := u.anyProcess(r)
		p.kill()
		u.must(os.RemoveAll(p.dir))
		p.start()
	}},
	{"rolling restart", func(ctx context.Context, u *trial, r *rand.Rand) {
		for _, p := range u.processes {
			p.stop()
			p.start()
			p.ready(ctx)
		}
	}},
	{"a process is frozen for longer than its session, and goes on", func(_ context.Context, u *trial, r *rand.Rand) {
		p := u.anyProcess(r)
		u.must(p.command.Process.Signal(syscall.SIGSTOP))
		time.Sleep(25 * time.Second)
		u.must(p.command.Process.Signal(syscall.SIGCONT))
	}},
	{"all processes are killed at once", func(_ context.Context, u *trial, r *rand.Rand) {
		for _, p := range u.processes {
			_ = p.command.Process.Kill()
		}
		for _, p := range u.processes {
			p.kill()
			p.start()
		}
	}},
	{"a process is stopped in order and comes back", func(_ context.Context, u *trial, r *rand.Rand) {
		p := u.anyProcess(r)
		p.stop()
		p.start()
	}},
	{"a process leaves for longer than its session: 3, 2, 3 processes", func(_ context.Context, u *trial, r *rand.Rand) {
		p := u.anyProcess(r)
		p.stop()
		time.Sleep(25 * time.Second)
		p.start()
	}},
	{"the state of a process is that of some time ago", func(ctx context.Context, u *trial, r *rand.Rand) {
		p := u.anyProcess(r)
		p.stop()
		old := p.dir + "-old"
		u.must(os.RemoveAll(old), os.CopyFS(old, os.DirFS(p.dir)))
		p.start()
		p.ready(ctx)
		pause(r, 2*time.Second)
		p.kill()
		u.must(os.RemoveAll(p.dir), os.Rename(old, p.dir))
		p.start()
	}},
}

var brokerFaults = []fault{
	{"a broker is killed and comes back", func(ctx context.Context, u *trial, r *rand.Rand) {
		node := u.nodes(r)[0]
		u.must(u.cluster.Kill(node))
		pause(r, 4*time.Second)
		u.must(u.cluster.Restart(node), u.cluster.Ready(ctx, u.cluster.Nodes()))
	}},
	{"each broker is restarted in order, one after the other", func(ctx context.Context, u *trial, r *rand.Rand) {
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Stop(node), u.cluster.Restart(node), u.cluster.Ready(ctx, u.cluster.Nodes()))
		}
	}},
	{"two of three brokers are killed and come back", func(ctx context.Context, u *trial, r *rand.Rand) {
		two := u.nodes(r)[:2]
		for _, node := range two {
			u.must(u.cluster.Kill(node))
		}
		pause(r, 10*time.Second)
		for _, node := range two {
			u.must(u.cluster.Restart(node))
		}
		u.must(u.cluster.Ready(ctx, u.cluster.Nodes()))
	}},
	{"a broker is frozen for 15 s", func(_ context.Context, u *trial, r *rand.Rand) {
		node := u.nodes(r)[0]
		u.must(u.cluster.Pause(node))
		time.Sleep(15 * time.Second)
		u.must(u.cluster.Resume(node))
	}},
}

var networkFaults = []fault{
	{"one broker can't be reached", func(_ context.Context, u *trial, r *rand.Rand) {
		network := u.cluster.Network(u.nodes(r)[0])
		u.must(network.Cut())
		pause(r, 8*time.Second)
		u.must(network.Heal())
	}},
	{"no broker can be reached", func(_ context.Context, u *trial, r *rand.Rand) {
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Network(node).Cut())
		}
		pause(r, 15*time.Second)
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Network(node).Heal())
		}
	}},
	{"requests to a broker are swallowed", func(_ context.Context, u *trial, r *rand.Rand) { u.mute(r, kafkatest.ToBroker) }},
	{"answers of a broker are swallowed", func(_ context.Context, u *trial, r *rand.Rand) { u.mute(r, kafkatest.ToClient) }},
	{"every network has 100 ms more each way, give or take 50", func(_ context.Context, u *trial, r *rand.Rand) {
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Network(node).Slow(100*time.Millisecond, 50*time.Millisecond))
		}
		pause(r, 8*time.Second)
		for _, node := range u.nodes(r) {
			u.must(u.cluster.Network(node).Heal())
		}
	}},
	{"the network of a broker flaps", func(_ context.Context, u *trial, r *rand.Rand) {
		network := u.cluster.Network(u.nodes(r)[0])
		for range 10 {
			u.must(network.Cut())
			pause(r, 500*time.Millisecond)
			u.must(network.Heal())
			pause(r, 500*time.Millisecond)
		}
	}},
}

func (u *trial) mute(r *rand.Rand, direction kafkatest.Direction) {
	network := u.cluster.Network(u.nodes(r)[0])
	u.must(network.Mute(direction))
	pause(r, 10*time.Second)
	u.must(network.Heal())
}

// newTrial starts three processes on a cluster of three brokers.
func newTrial(ctx context.Context, t *testing.T, seed uint64, version, size int) *trial {
	cluster := kafkatest.Start(t, kafkatest.Options{Nodes: 3, TransactionVersion: version, Proxied: true})
	r := rand.New(rand.NewPCG(seed, 0))
	u := &trial{run: newRunOf(t, cluster, r, reference.Crowd(r, 40, size/40), 0), seed: seed, rows: table.NewWriter()}
	u.settings.Kafka.Brokers = cluster.Proxied()
	u.rows.AppendHeader(table.Row{"fault", "it lasted", "records meanwhile", "all done after"})
	for _, name := range []string{"a", "b", "c"} {
		p := u.newProcess(name)
		p.start()
		u.processes = append(u.processes, p)
	}
	for _, p := range u.processes {
		p.ready(ctx)
	}
	return u
}

// suffer lets something happen while records arrive, then waits until everything that was sent is dealt with.
func (u *trial) suffer(ctx context.Context, name string, strike func(), records int) {
	u.t.Helper()
	u.t.Log(name)
	sent, begun := u.sent, time.Now()
	over, fed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(fed)
		u.drip(ctx, records, over)
	}()
	time.Sleep(time.Second)
	strike()
	ended := time.Now()
	time.Sleep(time.Second)
	close(over)
	<-fed
	soon, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	u.led(soon)
	u.rest(soon)
	for _, p := range u.processes {
		p.ready(soon) // and hasn't ended by itself
	}
	u.rows.AppendRow(table.Row{name, (ended.Sub(begun) - time.Second).Round(100 * time.Millisecond), u.sent - sent, time.Since(ended).Round(100 * time.Millisecond)})
}

// judge sends what is left and holds everything to what it must be.
func (u *trial) judge(ctx context.Context) {
	u.t.Helper()
	u.feed(ctx, len(u.queue))
	u.rest(ctx)
	u.checkOutput(ctx, u.want, u.rules)
	var dirs []string
	for _, p := range u.processes {
		p.stop()
		dirs = append(dirs, p.dir)
	}
	u.checkState(ctx, dirs)
	u.t.Logf("seed %d, %d records, %d conversions, %d partitions, lanes %+v:\n%s", u.seed, u.sent, len(u.want), u.settings.Partitions, u.settings.Lanes,
		u.rows.Render())
}

// drip sends n records, one every few milliseconds, or as many as there is time for until over. A broker that is away
// holds up its own partitions only.
func (u *trial) drip(ctx context.Context, n int, over <-chan struct{}) {
	var mu sync.Mutex
	for pace := time.NewTicker(10 * time.Millisecond); n > 0 && len(u.queue) > 0; n-- {
		select {
		case <-over:
			n = 1
		case <-pace.C:
		}
		record := u.queue[0]
		u.queue = u.queue[1:]
		u.sent++
		u.address(u.random, record)
		u.source.Produce(ctx, record, func(sent *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if reason, ok := u.bad[record]; ok {
				u.refused[origin{sent.Topic, sent.Partition, sent.Offset}] = refused{reason, record}
			}
			if err != nil {
				u.t.Errorf("send: %v", err)
			}
		})
	}
	if err := u.source.Flush(ctx); err != nil {
		u.t.Errorf("send: %v", err)
	}
}

// led waits until every partition of the application's topics has a leader that answers.
func (u *trial) led(ctx context.Context) {
	u.t.Helper()
	names := TopicsOf(u.settings)
	topics := append(slices.Collect(maps.Keys(u.widths)), names.Journal, names.Changelog, names.Attributions, names.Aliases, names.DeadLetters.Topic, names.Late.Topic, names.Audit)
	until(ctx, u.t, "all partitions have leaders", func() bool {
		ends, err := u.admin.ListEndOffsets(ctx, topics...)
		return err == nil && ends.Error() == nil
	})
}

// once lets each fault happen once, in random order.
func (u *trial) once(ctx context.Context, r *rand.Rand, faults []fault, records int) {
	u.t.Helper()
	for _, k := range r.Perm(len(faults)) {
		u.suffer(ctx, faults[k].name, func() { faults[k].strike(ctx, u, r) }, records)
	}
}

// The faults that an orchestrator causes every day, and one of each other kind.
func TestFaultsOnKafka(t *testing.T) {
	seed := seeds(t, 1)[0]
	ctx := limit(t, 10*time.Minute)
	u := newTrial(ctx, t, seed, 2, 3000)
	daily := slices.Concat(processFaults[:4], brokerFaults[:1], networkFaults[:1])
	u.once(ctx, rand.New(rand.NewPCG(seed, 1)), daily, len(u.queue)/len(daily))
	u.judge(ctx)
}
