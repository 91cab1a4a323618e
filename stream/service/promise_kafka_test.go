//go:build kafka

package service

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/stream/kafkatest"
	"tributary/stream/lane"
)

// Every strike on two instances while records arrive, on Apache Kafka with both transaction protocols.
func TestCrashesChangeNothingOnKafka(t *testing.T) {
	for n, seed := range seeds(t, 4) {
		version := 2 - n%2
		t.Run(fmt.Sprintf("%d, transaction.version=%d", seed, version), func(t *testing.T) {
			ctx := limit(t, 2*time.Minute)
			r := rand.New(rand.NewPCG(seed, 1))
			u := newRun(t, kafkatest.Shared(t, kafkatest.Options{TransactionVersion: version}), seed, 200, 2)
			u.patience = someOnKafka
			u.startAll()
			for _, k := range r.Perm(len(strikes)) {
				u.feed(ctx, 30+r.IntN(20))
				t.Log(strikes[k].name)
				strikes[k].hit(u.anyone(), r)
			}
			u.feed(ctx, len(u.queue))
			u.check(ctx, u.want, u.rules)
		})
	}
}

// Two instances and a stream with late, too late and repeated events, on Apache Kafka.
func TestDisorderOnKafka(t *testing.T) {
	seed := seeds(t, 1)[0]
	if disorderly(t, limit(t, 4*time.Minute), kafkatest.Shared(t, kafkatest.Options{}), seed, 3000) == 0 {
		t.Error("nothing was too late")
	}
}

// someOnKafka is as much patience as Apache Kafka needs.
func someOnKafka(c *lane.Config) {
	c.TransactionTimeout, c.SessionTimeout = 2*time.Second, 3*time.Second
	c.HeartbeatInterval, c.StopTimeout = 200*time.Millisecond, 2*time.Second
}

// Apache Kafka keeps the watermarks of source partitions across crashes.
func TestLateEventsOfACrashingIngestOnKafka(t *testing.T) {
	u := newTimed(t, kafkatest.Shared(t, kafkatest.Options{}), 2)
	u.patience = someOnKafka
	lateEventsOfACrashingIngest(t, u)
}
