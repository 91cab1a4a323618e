package service

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// rest waits until every record sent has been dealt with and no message is on its way. Kafka is asked, not the instances,
// and in an order in which nothing can slip by: the messages that a transaction produced are in the journal before its
// offsets are committed.
func (w *world) rest(ctx context.Context) {
	w.t.Helper()
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the last question may be answered
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(5*time.Second, cancel) })()
	for pause := 20 * time.Millisecond; ; pause = min(pause+pause/4, 250*time.Millisecond) {
		busy := w.busy(asking)
		if busy == "" {
			return
		}
		w.alive()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			w.t.Fatalf("no rest in time: %s\n%s\n%s", busy, w.groups(asking), lanes())
		}
	}
}

// groups is who is in the groups, and has what.
func (w *world) groups(ctx context.Context) string {
	var text strings.Builder
	for _, role := range Roles {
		name := w.settings.ApplicationID + "-" + string(role)
		described, err := w.admin.DescribeGroups(ctx, name)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&text, "%s: %s\n", name, described[name].State)
		for _, member := range described[name].Members {
			assigned, _ := member.Assigned.AsConsumer()
			fmt.Fprintf(&text, "  %s:", member.MemberID)
			if assigned != nil {
				for _, topic := range assigned.Topics {
					fmt.Fprintf(&text, " %s %v", topic.Topic, topic.Partitions)
				}
			}
			fmt.Fprintln(&text)
		}
	}
	return text.String()
}

// lanes is what every lane of this process is doing.
func lanes() string {
	all := make([]byte, 1<<22)
	all = all[:runtime.Stack(all, true)]
	var found []string
	for stack := range strings.SplitSeq(string(all), "\n\n") {
		if strings.Contains(stack, "stream/lane.") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// alive fails the test if an instance has ended by itself.
func (w *world) alive() {
	w.t.Helper()
	for _, i := range w.instances {
		if !i.running() {
			continue
		}
		select {
		case err := <-i.ended:
			i.ended <- err
			w.t.Fatalf("%s has stopped: %v", i.name, err)
		default:
		}
	}
}

// busy is something that is still to be done, or "".
func (w *world) busy(ctx context.Context) string {
	journal := w.settings.JournalTopic()
	for topic := range w.widths {
		committed := w.committed(ctx, RoleIngest, topic)
		for partition, end := range w.ends(ctx, topic) {
			if end > committed[partition] {
				return fmt.Sprintf("%s/%d: %d of %d records consumed", topic, partition, committed[partition], end)
			}
		}
	}
	committed := w.committed(ctx, RoleJourney, journal)
	for _, topic := range w.ours() {
		ends := w.ends(ctx, topic)
		stable, err := w.admin.ListCommittedOffsets(ctx, topic)
		if err != nil {
			return err.Error()
		}
		for partition, end := range ends {
			if at, _ := stable.Lookup(topic, partition); at.Offset < end {
				return fmt.Sprintf("%s/%d: a transaction is open at %d, the end is %d", topic, partition, at.Offset, end)
			}
		}
	}
	// What lies behind the committed offsets of the journal must be markers only.
	left := 0
	w.read(ctx, journal, committed, func(*kgo.Record) { left++ })
	if left > 0 {
		return fmt.Sprintf("%d messages left", left)
	}
	return ""
}

// committed is what a role's group has committed for a topic; 0 for a partition of which it has nothing.
func (w *world) committed(ctx context.Context, role Role, topic string) map[int32]int64 {
	found := map[int32]int64{}
	offsets, err := w.admin.FetchOffsets(ctx, w.settings.ApplicationID+"-"+string(role))
	if err != nil {
		return found
	}
	for partition, offset := range offsets[topic] {
		found[partition] = max(0, offset.At)
	}
	return found
}

// ends are the offsets behind the last records of a topic, open transactions included.
func (w *world) ends(ctx context.Context, topic string) map[int32]int64 {
	w.t.Helper()
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		w.t.Fatalf("ends of %s: %v", topic, err)
	}
	found := map[int32]int64{}
	for partition, end := range ends[topic] {
		found[partition] = end.Offset
	}
	return found
}

// read calls each for the committed records of a topic from given offsets, or the start, to the end that it has now. No
// transaction must be open in it.
func (w *world) read(ctx context.Context, topic string, from map[int32]int64, each func(*kgo.Record)) {
	w.t.Helper()
	starts, err := w.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		w.t.Fatalf("start of %s: %v", topic, err)
	}
	left, at := map[int32]int64{}, map[int32]kgo.Offset{}
	for partition, end := range w.ends(ctx, topic) {
		start, _ := starts.Lookup(topic, partition)
		if begin := max(start.Offset, from[partition]); begin < end {
			left[partition], at[partition] = end, kgo.NewOffset().At(begin)
		}
	}
	if len(left) == 0 {
		return
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.Brokers()...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.MetadataMinAge(20*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("read %s: the ends %v not reached in time", topic, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				each(r)
			}
		})
	}
}
