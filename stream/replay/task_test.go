package replay

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/stream/lane"
	"tributary/stream/roles"
	"tributary/stream/settings"
)

// stretch is a task that copies offsets 0 to 10 of partition 0, and whether it has finished.
func stretch() (t *task, finished *bool) {
	finished = new(bool)
	config := &Config{Settings: settings.Default(), From: "events"}
	return newTask(config, map[int32]span{0: {0, 10}}, map[int32]int64{0: 0}, func() { *finished = true }), finished
}

func (t *task) mustProcess(test *testing.T, offsets ...int64) (copies int) {
	test.Helper()
	var records []*kgo.Record
	for _, offset := range offsets {
		records = append(records, &kgo.Record{Topic: "events", Offset: offset, Value: []byte("x")})
	}
	made, err := t.Process(test.Context(), records)
	if err != nil {
		test.Fatal(err)
	}
	return len(made)
}

// A partition can be quiet while its last records are in the open transaction. If that is aborted they are still to be copied.
func TestQuietIsNotCommitted(t *testing.T) {
	quiet := []lane.TopicPartition{{Topic: "events", Partition: 0}}
	task, finished := stretch()
	task.mustProcess(t, 0, 1, 2)
	if _, err := task.Idle(t.Context(), quiet); err != nil || *finished {
		t.Fatalf("finished %v, %v; nothing is committed", *finished, err)
	}
	task.Abort()
	if p := task.progress(); p.Done() || p.Offsets != 0 {
		t.Fatalf("%+v after an abort", p)
	}
	task.mustProcess(t, 0, 1, 2)
	if err := task.Commit(nil); err != nil || *finished {
		t.Fatalf("finished %v, %v; 3 to 9 are left", *finished, err)
	}
	if _, err := task.Idle(t.Context(), quiet); err != nil || !*finished {
		t.Fatalf("finished %v, %v; nothing is left to read", *finished, err)
	}
}

// The stretch ends with a marker, and the topic goes on: the next record that comes is behind the stretch.
func TestGapAtTheEndOfABusyPartition(t *testing.T) {
	task, finished := stretch()
	if n := task.mustProcess(t, 7, 8, 10, 11); n != 2 {
		t.Errorf("%d copies, want 2", n)
	}
	if err := task.Commit(nil); err != nil || !*finished {
		t.Errorf("finished %v, %v: %+v", *finished, err, task.progress())
	}
	if p := task.progress(); p.Copied != 2 || p.Skipped != 0 {
		t.Errorf("%+v", p)
	}
}

// What is not copied.
func TestSkipped(t *testing.T) {
	task, _ := stretch()
	for what, r := range map[string]*kgo.Record{
		"a replayed record":   {Headers: []kgo.RecordHeader{{Key: roles.HeaderReplay, Value: []byte("events")}}},
		"a letter cut short":  {Headers: []kgo.RecordHeader{{Key: roles.HeaderTruncated}}},
		"more than any event": {Value: make([]byte, schemas.MaxEventBytes+1)},
	} {
		if task.copy(r) != nil {
			t.Errorf("%s is copied", what)
		}
	}
}
