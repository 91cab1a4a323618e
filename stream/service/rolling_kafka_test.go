//go:build kafka && unix

package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"tributary/stream/kafkatest"
)

// Three processes with state are restarted one after the other, while records arrive: no partition with state moves, and their group does not
// even notice, since each comes back within its session as the member that it was. In the group of ingest, which has no state, the
// client's balancer may change its mind when the leader comes back.
func TestRollingRestartMovesNothingOnKafka(t *testing.T) {
	ctx := limit(t, 3*time.Minute)
	u := newRun(t, kafkatest.Shared(t, kafkatest.Options{}), seeds(t, 1)[0], 600, 0)
	u.settings.Partitions = 12
	var processes []*process
	for _, name := range []string{"a", "b", "c"} {
		p := u.newProcess(name)
		p.start()
		p.ready(ctx)
		processes = append(processes, p)
	}
	u.feed(ctx, len(u.queue)/3)
	u.rest(ctx)
	var members map[string]string
	until(ctx, t, "everything is assigned", func() bool {
		var partitions int
		members, partitions = u.members(ctx)
		return partitions == u.settings.Partitions
	})
	generations := lastGenerations(processes)
	third := len(u.queue) / 3
	for _, p := range processes {
		p.stop()
		u.feed(ctx, third)
		p.start()
		p.ready(ctx)
	}
	u.feed(ctx, len(u.queue))
	u.rest(ctx)
	if after, _ := u.members(ctx); !maps.Equal(after, members) {
		t.Errorf("who has what was\n%v\nand is\n%v", members, after)
	}
	if after := lastGenerations(processes); !maps.Equal(after, generations) {
		t.Errorf("the generations of the groups were\n%v\nand are\n%v", generations, after)
	}
	u.checkOutput(ctx, u.want, u.rules)
	var dirs []string
	for _, p := range processes {
		p.stop()
		dirs = append(dirs, p.dir)
	}
	u.checkState(ctx, dirs)
}

// members is what each static member of the journey group is assigned, and how many partitions these are.
func (w *world) members(ctx context.Context) (found map[string]string, partitions int) {
	w.t.Helper()
	found = map[string]string{}
	name := w.settings.ApplicationID + "-" + string(RoleJourney)
	described, err := w.admin.DescribeGroups(ctx, name)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, member := range described[name].Members {
		if assigned, ok := member.Assigned.AsConsumer(); ok && member.InstanceID != nil {
			for _, topic := range assigned.Topics {
				found[*member.InstanceID] += fmt.Sprint(topic.Topic, topic.Partitions)
				partitions += len(topic.Partitions)
			}
		}
	}
	return found, partitions
}

// lastGenerations are those that the journey lanes of the processes last spoke of.
func lastGenerations(processes []*process) map[string]int {
	found := map[string]int{}
	for _, p := range processes {
		for line := range strings.Lines(p.said()) {
			var said struct {
				Role, Lane string
				Generation int
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Generation > 0 && said.Role == string(RoleJourney) {
				found[said.Lane] = said.Generation
			}
		}
	}
	return found
}
