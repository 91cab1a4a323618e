package lane

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"tributary/stream/kafkatest"
)

// seed is TRIBUTARY_TEST_SEED or drawn, and always printed.
func seed(t *testing.T) *rand.Rand {
	number := rand.Uint64()
	if fixed, err := strconv.ParseUint(os.Getenv("TRIBUTARY_TEST_SEED"), 10, 64); err == nil {
		number = fixed
	}
	t.Logf("TRIBUTARY_TEST_SEED=%d", number)
	return rand.New(rand.NewPCG(number, 0))
}

// faults are what happens to an instance. Each leaves it running.
var faults = []struct {
	name string
	do   func(*instance, *rand.Rand)
}{
	{"crash", func(i *instance, _ *rand.Rand) {
		i.kill()
		i.start()
	}},
	{"crash and lose the disk", func(i *instance, _ *rand.Rand) {
		i.kill()
		i.disk = newDisk()
		i.start()
	}},
	{"crash between the two commits", func(i *instance, _ *rand.Rand) {
		i.mu.Lock()
		i.crash = true
		i.mu.Unlock()
		// The lane ends by itself at its next commit; where it owns nothing there is none.
		select {
		case err := <-i.ended:
			if !errors.Is(err, errCrash) {
				i.river.t.Errorf("instance %s ended with %v", i.name, err)
			}
			i.ended <- err
		case <-time.After(2 * time.Second):
		}
		i.kill()
		i.crashes()
		i.start()
	}},
	{"zombie", func(i *instance, random *rand.Rand) {
		i.link.Cut()
		time.Sleep(time.Duration(random.IntN(6000)) * time.Millisecond) // session timeout 4 s
		i.link.Heal()
	}},
	{"the answer to a commit is lost", func(i *instance, random *rand.Rand) {
		cut := i.cutAtEndTxn()
		select {
		case <-cut:
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		case <-time.After(time.Second): // it owns nothing
			i.mu.Lock()
			i.cut = nil
			i.mu.Unlock()
		}
		i.link.Heal()
	}},
	{"orderly restart", func(i *instance, _ *rand.Rand) {
		i.leave()
		i.start()
	}},
}

// flood lets records run through the river without pause while faults happen to its instances.
func (r *river) flood(random *rand.Rand, strikes int, limit time.Duration) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	for _, i := range r.instances {
		i.start()
	}
	source := rand.New(rand.NewPCG(random.Uint64(), 1))
	dry, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for pace := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-dry:
				return
			case <-pace.C:
				r.send(ctx, source, 15)
			}
		}
	}()
	for range strikes {
		time.Sleep(time.Duration(100+random.IntN(400)) * time.Millisecond)
		number := random.IntN(len(faults))
		for r.spared[number] {
			number = random.IntN(len(faults))
		}
		fault := faults[number]
		i := r.instances[random.IntN(len(r.instances))]
		r.t.Logf("%s: %s", i.name, fault.name)
		fault.do(i, random)
	}
	close(dry)
	<-done
	r.check(ctx)
	r.t.Logf("%d records sent, %d commits, %d aborts, %d new sessions, %d rows restored", r.sent, r.commits, r.aborts, r.restarts, r.restored)
	if r.commits < int64(strikes) {
		r.t.Errorf("only %d commits: the faults met a river at rest", r.commits)
	}
}

// Whatever crashes, every record is counted once, and outputs, changelog and local state agree.
func TestExactlyOnceUnderFaultsOnFake(t *testing.T) {
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{}), 6, 3)
	r.flood(seed(t), 5, 2*time.Minute)
}

// The same with the transaction protocol before KIP-890 and static members, whose transactions span partitions.
func TestExactlyOnceUnderFaultsOnFakeOldProtocol(t *testing.T) {
	r := newRiver(t, kafkatest.StartFake(t, kafkatest.Options{TransactionVersion: 1}), 6, 3)
	r.static, r.spanning = true, true
	r.flood(seed(t), 5, 2*time.Minute)
}
