package kafkatest

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ghosts ends the membership of clients that kfake forgets to end. It starts a new member's session with the answer to the
// member's join: where the connection broke before, there is no session to time out, and once the others have
// synchronised nobody asks for the member again. It keeps its partitions for ever, and nobody reads them. A broker would
// end it after the session timeout; this does, a little later than that.
type ghosts struct {
	client *kgo.Client
	stop   context.CancelFunc
	done   chan struct{}

	mu sync.Mutex
	// heard is when a member last said something. A static member that joins has no id yet: it is first heard when described.
	heard map[string]time.Time
	// patience is how long a member of a group may be silent.
	patience map[string]time.Duration
}

func banish(cluster *kfake.Cluster) (*ghosts, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.MetadataMinAge(20*time.Millisecond))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &ghosts{client: client, stop: stop, done: make(chan struct{}), heard: map[string]time.Time{}, patience: map[string]time.Duration{}}
	cluster.Control(func(request kmsg.Request) (kmsg.Response, error, bool) {
		g.hear(request)
		return nil, nil, false
	})
	go g.watch(ctx)
	return g, nil
}

func (g *ghosts) close() {
	g.stop()
	<-g.done
	g.client.Close()
}

func (g *ghosts) hear(request kmsg.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch said := request.(type) {
	case *kmsg.JoinGroupRequest:
		g.heard[said.MemberID] = time.Now()
		g.patience[said.Group] = time.Duration(said.SessionTimeoutMillis)*time.Millisecond + time.Second
	case *kmsg.SyncGroupRequest:
		g.heard[said.MemberID] = time.Now()
	case *kmsg.HeartbeatRequest:
		g.heard[said.MemberID] = time.Now()
	}
}

func (g *ghosts) watch(ctx context.Context) {
	defer close(g.done)
	admin := kadm.NewClient(g.client)
	for pace := time.NewTicker(500 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		if groups := g.groups(); len(groups) > 0 {
			// An error, such as the end of the cluster, is not ours to tell: the next look will do.
			described, _ := admin.DescribeGroups(ctx, groups...)
			for _, group := range described {
				g.look(ctx, admin, group)
			}
		}
	}
}

func (g *ghosts) groups() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	groups := make([]string, 0, len(g.patience))
	for group := range g.patience {
		groups = append(groups, group)
	}
	return groups
}

func (g *ghosts) look(ctx context.Context, admin *kadm.Client, group kadm.DescribedGroup) {
	// While a group rebalances, its members wait in silence.
	if group.Err != nil || group.State != "Stable" {
		return
	}
	for _, member := range group.Members {
		if g.silent(group.Group, member.MemberID) {
			request := kmsg.NewPtrLeaveGroupRequest()
			request.Group = group.Group
			request.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member.MemberID}}
			_, _ = request.RequestWith(ctx, g.client) // as above
		}
	}
}

// silent says whether a member has said nothing for too long.
func (g *ghosts) silent(group, member string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	heard, known := g.heard[member]
	if !known {
		g.heard[member] = time.Now()
	}
	return known && time.Since(heard) > g.patience[group]
}
