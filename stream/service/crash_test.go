package service

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/stream/kafkatest"
)

// Every strike, in random order, while records arrive.
func TestCrashesChangeNothing(t *testing.T) {
	for _, seed := range seeds(t, 2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			ctx := limit(t, 2*time.Minute)
			r := rand.New(rand.NewPCG(seed, 1))
			u := newRun(t, kafkatest.StartFake(t, kafkatest.Options{}), seed, 150, 1+r.IntN(3))
			u.startAll()
			for _, k := range r.Perm(len(strikes)) {
				u.feed(ctx, 20+r.IntN(20))
				t.Log(strikes[k].name)
				strikes[k].hit(u.anyone(), r)
			}
			u.feed(ctx, len(u.queue))
			u.check(ctx, u.want, u.rules)
		})
	}
}

// While instances crash and come back, deleting without pause takes nothing that is still needed.
func TestDeletingWhileInstancesCrash(t *testing.T) {
	ctx := limit(t, 2*time.Minute)
	seed := seeds(t, 1)[0]
	r := rand.New(rand.NewPCG(seed, 1))
	u := newRun(t, kafkatest.StartFake(t, kafkatest.Options{}), seed, 100, 2)
	u.purgeEvery = 5 * time.Millisecond
	u.startAll()
	for range 3 {
		u.feed(ctx, 20+r.IntN(20))
		i := u.anyone()
		i.kill()
		i.start()
	}
	u.feed(ctx, len(u.queue))
	u.check(ctx, u.want, u.rules)
	total := int64(0)
	for _, start := range u.starts(t) {
		total += start
	}
	if total == 0 {
		t.Error("nothing was deleted")
	}
}
