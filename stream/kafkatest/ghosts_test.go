package kafkatest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A client joins and its connection breaks before it is answered. Its partitions come back to the member that is alive.
func TestAMemberThatDiesWhileItJoinsIsEnded(t *testing.T) {
	cluster := StartFake(t, Options{})
	topic, group := cluster.Topic(t, "river", 2, nil), cluster.Name("group")
	owned := make(chan int, 100)
	count := 0
	cluster.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.Balancers(kgo.RangeBalancer()), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(time.Second), kgo.RebalanceTimeout(2*time.Second), kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, gained map[string][]int32) {
			count += len(gained[topic])
			owned <- count
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			count -= len(lost[topic])
			owned <- count
		}))
	reaches(t, owned, 2)

	var link Link
	ghost := cluster.Client(t, kgo.Dialer(link.Dial))
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 1000, 2000
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Topics = []string{topic}
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: metadata.AppendTo(nil)}}
	answer, err := join.RequestWith(t.Context(), ghost)
	if err != nil {
		t.Fatal(err)
	}
	join.MemberID = answer.MemberID
	broken := make(chan struct{})
	go func() {
		defer close(broken)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := join.RequestWith(ctx, ghost); err == nil {
			t.Error("the ghost was answered")
		}
	}()
	time.Sleep(50 * time.Millisecond) // the join is on its way; the other member hears of it at its next heartbeat
	link.Cut()
	<-broken

	reaches(t, owned, 1) // the ghost got the other one
	reaches(t, owned, 2)
}

func reaches(t *testing.T, owned <-chan int, want int) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	last := -1
	for last != want {
		select {
		case last = <-owned:
		case <-deadline:
			t.Fatalf("the member owns %d partitions and not %d", last, want)
		}
	}
}
