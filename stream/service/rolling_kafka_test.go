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

// Three processes with state are restarted one after the other, while records arrive: no partition moves, and the groups do not even
// notice, since each comes back within its session as the member that it was.
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
	members, generations := u.members(ctx), lastGenerations(processes)
	third := len(u.queue) / 3
	for _, p := range processes {
		p.stop()
		u.feed(ctx, third)
		p.start()
		p.ready(ctx)
	}
	u.feed(ctx, len(u.queue))
	u.rest(ctx)
	if after := u.members(ctx); !maps.Equal(after, members) {
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

// members is what each static member of the groups is assigned.
func (w *world) members(ctx context.Context) map[string]string {
	w.t.Helper()
	found := map[string]string{}
	for _, role := range Roles {
		name := w.settings.ApplicationID + "-" + string(role)
		described, err := w.admin.DescribeGroups(ctx, name)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, member := range described[name].Members {
			if assigned, ok := member.Assigned.AsConsumer(); ok && member.InstanceID != nil {
				for _, topic := range assigned.Topics {
					found[*member.InstanceID] += fmt.Sprint(topic.Topic, topic.Partitions)
				}
			}
		}
	}
	return found
}

// lastGenerations are those that the lanes of the processes last spoke of.
func lastGenerations(processes []*process) map[string]int {
	found := map[string]int{}
	for _, p := range processes {
		for line := range strings.Lines(p.said()) {
			var said struct {
				Lane       string
				Generation int
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Generation > 0 {
				found[said.Lane] = said.Generation
			}
		}
	}
	return found
}
