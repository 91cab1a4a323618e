//go:build kafka && unix

package service

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tributary/stream/kafkatest"
)

// Where going on would be going on with less than there was, the program ends with status 1 and says what is wrong and what to do.
func TestRefusesToRunOnKafka(t *testing.T) {
	for name, c := range map[string]struct {
		change func(context.Context, *run, *process) error // while it doesn't run
		want   []string
	}{
		"the changelog was created anew": {func(ctx context.Context, u *run, _ *process) error {
			changelog := u.settings.ChangelogTopic()
			if _, err := u.admin.DeleteTopics(ctx, changelog); err != nil {
				return err
			}
			until(ctx, u.t, "the changelog is gone", func() bool {
				topics, err := u.admin.ListTopics(ctx)
				return err == nil && !topics.Has(changelog)
			})
			return nil // the program makes it again
		}, []string{"changelog has lost rows", "created anew", "application_id"}},
		"the offsets of its group are gone": {func(ctx context.Context, u *run, _ *process) error {
			until(ctx, u.t, "the group is gone", func() bool { // static members stay for their session
				_, err := u.admin.DeleteGroup(ctx, u.settings.ApplicationID+"-"+string(RoleJourney))
				return err == nil
			})
			return nil
		}, []string{"the group has no committed offset", "set the group's offset"}},
		"records of a source were deleted unread": {func(ctx context.Context, u *run, _ *process) error {
			u.feed(ctx, 200)
			offsets := kadm.Offsets{}
			for topic := range u.widths {
				for partition, end := range u.ends(ctx, topic) {
					offsets.AddOffset(topic, partition, end, -1)
				}
			}
			_, err := u.admin.DeleteRecords(ctx, offsets)
			return err
		}, []string{"OFFSET_OUT_OF_RANGE", "no longer has the records", "to accept the loss"}},
		"another number of partitions": {func(_ context.Context, u *run, _ *process) error {
			u.settings.Partitions++
			return nil
		}, []string{"partitions, must have", "fixed for the life of an application_id"}},
		"the files of its state are damaged": {func(_ context.Context, u *run, p *process) error {
			rewrite(u.t, p.dir, "MANIFEST-*", func(data []byte) []byte { return data[:len(data)/2] })
			rewrite(u.t, p.dir, "*.sst", func(data []byte) []byte { return data[:len(data)/2] })
			return nil
		}, []string{"open state in", "damaged", "delete the directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := limit(t, 2*time.Minute)
			u := newRun(t, kafkatest.Shared(t, kafkatest.Options{}), seeds(t, 1)[0], 400, 0)
			p := u.newProcess("a")
			p.start()
			u.feed(ctx, 300)
			u.rest(ctx)
			p.stop()
			if err := c.change(ctx, u, p); err != nil {
				t.Fatal(err)
			}
			p.start()
			select {
			case <-p.ended:
			case <-ctx.Done():
				t.Fatalf("it goes on:\n%s", p.tail(20))
			}
			var said string
			until(ctx, t, "its last word has come", func() bool {
				var spoke bool
				_, said, spoke = strings.Cut(p.said(), "\ntributary: ")
				return spoke
			})
			t.Log(said)
			if status := p.command.ProcessState.ExitCode(); status != 1 {
				t.Errorf("it ended with status %d", status)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it said\n%s\nwithout %q", said, want)
				}
			}
		})
	}
}
