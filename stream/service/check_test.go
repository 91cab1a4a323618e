package service

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/local/reference"
	"tributary/stream/roles"
)

// check waits until all is at rest and holds everything that the application has written to what it must be. Afterwards
// no instance runs.
func (w *world) check(ctx context.Context, want map[string]reference.Answer, rules reference.Rules) {
	w.t.Helper()
	w.rest(ctx)
	w.checkOutput(ctx, want, rules)
	w.checkLedger(ctx)
	w.checkState(ctx, w.leaveAll())
}

// leaveAll stops all instances in order and returns their directories.
func (w *world) leaveAll() (dirs []string) {
	for _, i := range w.instances {
		if i.running() {
			i.stop()
		}
	}
	for _, i := range w.instances {
		i.leave()
		dirs = append(dirs, i.dir)
	}
	return dirs
}

// checkOutput is about what readers of the output topics see.
func (w *world) checkOutput(ctx context.Context, want map[string]reference.Answer, rules reference.Rules) {
	w.t.Helper()
	reader, names := w.attributions(ctx)
	for _, fault := range slices.Concat(reader.Faults, reader.Differences(want)) {
		w.t.Error(fault)
	}
	w.checkAliases(ctx, reader, names, rules.Degree > 0 || len(rules.Alike) > 0)
	w.checkDeadLetters(ctx)
}

// attributions reads the output topic as any reader would. names are the customer ids that each conversion's records had.
func (w *world) attributions(ctx context.Context) (reader *reference.Reader, names map[string][]string) {
	reader, names = reference.NewReader(), map[string][]string{}
	partitions := map[string]int32{}
	w.read(ctx, w.settings.Topics.Attributions, nil, func(r *kgo.Record) {
		decode := schemas.DecodeAttribution
		if w.settings.Output.Format == "protobuf" {
			decode = schemas.DecodeAttributionProto
		}
		a, err := decode(r.Value)
		if err != nil || string(r.Key) != a.ConversionID {
			w.t.Errorf("record under key %s: %v", r.Key, err)
			return
		}
		if p, ok := partitions[a.ConversionID]; ok && p != r.Partition {
			w.t.Errorf("%s is in the partitions %d and %d", a.ConversionID, p, r.Partition)
		}
		partitions[a.ConversionID] = r.Partition
		reader.Attribution(&a)
		names[a.ConversionID] = append(names[a.ConversionID], a.CustomerID)
	})
	return reader, names
}

// checkAliases: every alias can be read and leads somewhere else, chains end, and the customer that a conversion has goes
// by no other name. Unless customers were split, the chain from every name that a conversion's customer had leads to
// the one it has.
func (w *world) checkAliases(ctx context.Context, reader *reference.Reader, names map[string][]string, split bool) {
	w.t.Helper()
	aliases := map[string]string{}
	w.read(ctx, w.settings.Topics.Aliases, nil, func(r *kgo.Record) {
		if r.Value == nil {
			delete(aliases, string(r.Key)) // withdrawn
			return
		}
		a, err := schemas.DecodeAlias(r.Value)
		if err != nil || string(r.Key) != a.Old || a.Old == a.New {
			w.t.Errorf("alias %s under key %s: %v", r.Value, r.Key, err)
		}
		aliases[a.Old] = a.New
	})
	end := func(name string) string {
		for range len(aliases) + 1 {
			next, ok := aliases[name]
			if !ok {
				return name
			}
			name = next
		}
		w.t.Errorf("the aliases of %s go round", name)
		return name
	}
	for name := range aliases {
		end(name)
	}
	for conversion, a := range reader.Newest {
		if end(a.CustomerID) != a.CustomerID {
			w.t.Errorf("%s: its customer %s has the alias %s", conversion, a.CustomerID, end(a.CustomerID))
		}
		for _, name := range names[conversion] {
			if !split && name != "" && end(name) != a.CustomerID {
				w.t.Errorf("%s: customer %s became %s, but its aliases lead to %s", conversion, name, a.CustomerID, end(name))
			}
		}
	}
}

// refused is a source record that must become a dead letter.
type refused struct {
	reason schemas.Reason
	record *kgo.Record
}

// originOf is where the record of a dead letter or of a late event came from.
func originOf(letter *kgo.Record) (o origin) {
	for _, h := range letter.Headers {
		switch h.Key {
		case roles.HeaderTopic:
			o.topic = string(h.Value)
		case roles.HeaderPartition:
			partition, _ := strconv.Atoi(string(h.Value))
			o.partition = int32(partition)
		case roles.HeaderOffset:
			o.offset, _ = strconv.ParseInt(string(h.Value), 10, 64)
		}
	}
	return o
}

// checkDeadLetters: each refused record is there once, with its bytes, its own headers, the reason and where it came from.
func (w *world) checkDeadLetters(ctx context.Context) {
	w.t.Helper()
	seen := map[origin]bool{}
	w.read(ctx, w.settings.Topics.DeadLetters, nil, func(r *kgo.Record) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		from := originOf(r)
		want, ok := w.refused[from]
		switch {
		case !ok:
			w.t.Errorf("dead letter of %v, which is none: %s", from, headers[roles.HeaderReason])
			return
		case seen[from]:
			w.t.Errorf("two dead letters of %v", from)
		case headers[roles.HeaderReason] != string(want.reason):
			w.t.Errorf("dead letter of %v: %s (%s, %s), want %s", from, headers[roles.HeaderReason], headers[roles.HeaderField], headers[roles.HeaderDetail], want.reason)
		case !bytes.Equal(r.Value, want.record.Value) || !bytes.Equal(r.Key, want.record.Key):
			w.t.Errorf("dead letter of %v: %d bytes under key %q, want %d under %q", from, len(r.Value), r.Key, len(want.record.Value), want.record.Key)
		}
		for _, h := range want.record.Headers {
			if headers[h.Key] != string(h.Value) {
				w.t.Errorf("dead letter of %v: header %s is %q, was %q", from, h.Key, headers[h.Key], h.Value)
			}
		}
		at, err := time.Parse(time.RFC3339Nano, headers[roles.HeaderTimestamp])
		if err != nil || at.UnixMilli() != want.record.Timestamp.UnixMilli() {
			w.t.Errorf("dead letter of %v: time %s, want %v", from, headers[roles.HeaderTimestamp], want.record.Timestamp)
		}
		seen[from] = true
	})
	if len(seen) != len(w.refused) {
		w.t.Errorf("%d dead letters, want %d", len(seen), len(w.refused))
	}
}

// checkLedger: every record sent has ended in one place, exactly, whatever crashed. The metrics say the same, but those of an
// instance that died took what they had not shown yet with them.
func (w *world) checkLedger(ctx context.Context) {
	w.t.Helper()
	exact, err := Ledger(ctx, w.client(), w.settings)
	if err != nil {
		w.t.Fatal(err)
	}
	if !exact.Settled() || exact.Waiting() != 0 || exact.Received != w.sent || exact.Refused != int64(len(w.refused)) || exact.Filtered != w.filtered || exact.Late != w.late {
		w.t.Errorf("ledger %+v: %d sent, %d to be refused, %d filtered, %d late", exact, w.sent, len(w.refused), w.filtered, w.late)
	}
	l := w.ledger()
	if w.crashed && (l.Received > w.sent || l.Refused > exact.Refused || l.Filtered > exact.Filtered || l.Late > exact.Late || l.Journaled-l.Waiting() > exact.Journaled) {
		w.t.Errorf("metrics %+v count something twice, the ledger is %+v", l, exact)
	}
	if !w.crashed && l != exact {
		w.t.Errorf("metrics %+v, the ledger is %+v", l, exact)
	}
}

// checkState takes the directories of instances that have stopped after all was at rest. The rows of a partition in any of
// them, together with the part of the changelog that they don't include, are the fold of the changelog; and in one of
// them no row is missing.
func (w *world) checkState(ctx context.Context, dirs []string) {
	w.t.Helper()
	changelog := make([][]*kgo.Record, w.settings.Partitions)
	w.read(ctx, w.settings.ChangelogTopic(), nil, func(r *kgo.Record) {
		changelog[r.Partition] = append(changelog[r.Partition], r)
		if err := state.CheckEntry(r.Key, r.Value); err != nil {
			w.t.Errorf("changelog, partition %d, offset %d: %v", r.Partition, r.Offset, err)
		}
	})
	complete := map[int32]bool{}
	for _, dir := range dirs {
		w.checkStore(dir, changelog, complete)
	}
	for partition, records := range changelog {
		if len(records) > 0 && !complete[int32(partition)] {
			w.t.Errorf("partition %d: no instance has all of its rows", partition)
		}
	}
}

func (w *world) checkStore(dir string, changelog [][]*kgo.Record, complete map[int32]bool) {
	w.t.Helper()
	store, err := state.Open(dir, state.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	positions, err := store.Partitions()
	if err != nil {
		w.t.Fatal(err)
	}
	for partition, position := range positions {
		rows := map[string]string{}
		if err := store.Entries(partition, func(e state.Entry) bool { rows[string(e.Key)] = string(e.Value); return true }); err != nil {
			w.t.Fatal(err)
		}
		all := map[string]string{}
		missing := 0
		for _, r := range changelog[partition] {
			fold(all, r)
			if r.Offset >= position.Next {
				fold(rows, r)
				missing++
			}
		}
		if !maps.Equal(rows, all) {
			w.t.Errorf("%s, partition %d: its rows and the changelog from %d on make %d rows, the changelog has %d: %s", dir, partition,
				position.Next, len(rows), len(all), strings.Join(unlike(rows, all), ", "))
		}
		complete[partition] = complete[partition] || missing == 0
	}
}

// fold lets a changelog record change rows.
func fold(rows map[string]string, r *kgo.Record) {
	if r.Value == nil {
		delete(rows, string(r.Key))
		return
	}
	rows[string(r.Key)] = string(r.Value)
}

// unlike names the kinds of rows that differ.
func unlike(a, b map[string]string) (kinds []string) {
	for key := range a {
		if v, ok := b[key]; !ok || v != a[key] {
			kinds = append(kinds, state.Kind(key[0]).String())
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			kinds = append(kinds, state.Kind(key[0]).String())
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
