package watermark

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/schemas"
)

const outOfOrderness = 60 * time.Second

// event is one of a source. It becomes a message that makes another one, hops times.
type event struct {
	at    schemas.Millis
	hops  int
	spare bool // came to a partition of which the clock thought, or was about to think, that it is idle: nobody waits for it
}

// feed is a source partition with what ingest has done of it.
type feed struct {
	place
	width  int32
	log    []event
	next   int // the first that ingest hasn't read
	newest schemas.Millis
	source Source
	told   *Message // the last tick
	ticks  int      // so many
	idle   int      // the last that said idle
}

// letter is a record of the journal: a message about time, or one of a chain.
type letter struct {
	time  []byte // wire form; nil: of a chain
	at    schemas.Millis
	left  int // hops that follow
	spare bool
}

// model is a journal with its partitions, sources, and a clock. Steps are transactions: all that one produces is appended at
// once.
type model struct {
	*rand.Rand
	t     *testing.T
	clock Clock
	feeds []*feed
	logs  [][]letter
	done  []int // of each log
	rows  []RowMap

	ticks   map[place]Message // the last that the clock has handled
	handled map[place]int     // so many
	started schemas.Millis    // of the newest cycle
	cycles  int
}

func newModel(t *testing.T, r *rand.Rand) *model {
	m := &model{Rand: r, t: t, ticks: map[place]Message{}, handled: map[place]int{}}
	m.clock.Partitions = 1 + r.IntN(10)
	for n := range 1 + r.IntN(2) {
		topic := fmt.Sprint("events-", n)
		m.clock.Topics = append(m.clock.Topics, topic)
		width := 1 + r.Int32N(4)
		for p := range width {
			m.feeds = append(m.feeds, &feed{place: place{topic, p}, width: width})
		}
	}
	m.logs, m.done = make([][]letter, m.clock.Partitions), make([]int, m.clock.Partitions)
	for range m.clock.Partitions {
		m.rows = append(m.rows, RowMap{})
	}
	return m
}

// arrive lets an event come to a source. It is at most so much older than the newest as is usual.
func (m *model) arrive(f *feed) {
	at := schemas.Millis(1_700_000_000_000)
	if f.newest > 0 {
		at = f.newest.Add(time.Duration(m.IntN(int(2*outOfOrderness))) - outOfOrderness + time.Millisecond)
	}
	if m.IntN(20) == 0 {
		at += schemas.Millis(m.IntN(3_600_000))
	}
	f.newest = max(f.newest, at)
	spare := at <= m.started || f.idle > 0 && m.handled[f.place] <= f.idle
	f.log = append(f.log, event{at: at, hops: m.IntN(LastRound + 1), spare: spare})
}

// ingest is a transaction that reads some of a source, or finds that nothing is left.
func (m *model) ingest(f *feed) {
	var out []posted
	n := min(m.IntN(4), len(f.log)-f.next)
	for _, e := range f.log[f.next : f.next+n] {
		f.source.See(e.at, e.at, outOfOrderness)
		out = append(out, posted{m.IntN(m.clock.Partitions), letter{at: e.at, left: e.hops, spare: e.spare}})
	}
	f.next += n
	idle := n == 0 && f.next == len(f.log) && m.IntN(3) == 0
	tick := Message{Kind: Tick, Watermark: f.source.Watermark, Topic: f.topic, Partition: f.partition, Partitions: f.width, Idle: idle}
	if f.told == nil || f.told.Idle != idle || tick.Watermark >= f.told.Watermark+1000 {
		f.told = &tick
		f.ticks++
		if idle {
			f.idle = f.ticks
		}
		out = append(out, posted{ClockPartition, letter{time: tick.Append(nil)}})
	}
	m.publish(out)
}

// posted is a letter with its address.
type posted struct {
	partition int
	letter
}

// publish appends what a transaction produced. All of it becomes visible at once.
func (m *model) publish(out []posted) {
	for _, p := range out {
		m.logs[p.partition] = append(m.logs[p.partition], p.letter)
	}
}

// step is a transaction of a partition of the journal. Some are aborted.
func (m *model) step(partition int) {
	rows := maps.Clone(m.rows[partition])
	var out []posted
	send := func(to int32, message Message) {
		out = append(out, posted{int(to), letter{time: message.Append(nil)}})
	}
	n := min(1+m.IntN(6), len(m.logs[partition])-m.done[partition])
	aborted := m.IntN(5) == 0
	var begun schemas.Millis
	for i, l := range m.logs[partition][m.done[partition] : m.done[partition]+n] {
		if l.time == nil {
			if l.left > 0 {
				out = append(out, posted{m.IntN(m.clock.Partitions), letter{at: l.at, left: l.left - 1, spare: l.spare}})
			}
			continue
		}
		message, err := Decode(l.time)
		if err != nil {
			m.t.Fatal(err)
		}
		before, err := TimesOf(rows)
		if err != nil {
			m.t.Fatal(err)
		}
		times, err := m.clock.Handle(rows, int32(partition), &message, send)
		if err != nil {
			m.t.Fatal(err)
		}
		if times.Watermark < before.Watermark || times.Settled < before.Settled || times.Settled > times.Watermark {
			m.t.Fatalf("partition %d went from %+v to %+v", partition, before, times)
		}
		if aborted {
			continue
		}
		if message.Kind == Tick {
			p := place{message.Topic, message.Partition}
			m.ticks[p] = message
			m.handled[p]++
		}
		if times.Settled > before.Settled {
			m.checkSettled(partition, m.done[partition]+i, times.Settled)
		}
	}
	if partition == ClockPartition {
		err := m.clock.Start(rows, func(to int32, message Message) {
			begun = message.Watermark
			send(to, message)
		})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	if aborted {
		return
	}
	if begun > 0 {
		m.checkStart(begun)
	}
	m.rows[partition] = rows
	m.done[partition] += n
	m.publish(out)
}

// checkSettled: nothing that followed from an event up to the time waits here, nor will: what waits elsewhere has made all
// of its hops.
func (m *model) checkSettled(partition, offset int, settled schemas.Millis) {
	for p, log := range m.logs {
		from := m.done[p]
		if p == partition {
			from = offset
		}
		for _, l := range log[from:] {
			if l.time == nil && !l.spare && l.at <= settled && (p == partition || l.left > 0) {
				m.t.Fatalf("partition %d settled %v, but a message of %v with %d hops to go waits in partition %d", partition, settled, l.at, l.left, p)
			}
		}
	}
}

// checkStart: the cycle's watermark is what a naive reading of the ticks says, and ahead of no event that a partition still
// holds.
func (m *model) checkStart(begun schemas.Millis) {
	var lowest, highest schemas.Millis = schemas.MaxMillis, 0
	idle := true
	for _, f := range m.feeds {
		tick, ok := m.ticks[f.place]
		if !ok {
			m.t.Fatalf("a cycle began before %v was heard of", f.place)
		}
		highest = max(highest, tick.Watermark)
		if !tick.Idle {
			idle = false
			lowest = min(lowest, tick.Watermark)
		}
		for _, e := range f.log[f.next:] {
			if !e.spare && e.at <= begun {
				m.t.Fatalf("a cycle began with %v, but %v holds an event of %v", begun, f.place, e.at)
			}
		}
	}
	want := lowest
	if idle {
		want = highest
	}
	if begun != want || begun <= m.started {
		m.t.Fatalf("a cycle began with %v after %v, want %v", begun, m.started, want)
	}
	m.started = begun
	m.cycles++
}

func seedOf(t *testing.T) uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TRIBUTARY_SEED"), 10, 64); err == nil {
		return seed
	}
	return rand.Uint64N(1 << 40)
}

// Whatever the schedule: the watermark is ahead of no event that somebody waits for, what is settled is, and when all
// sources are idle and all is handled, every partition has settled the newest watermark.
func TestClockOnRandomSchedules(t *testing.T) {
	seed, cycles := seedOf(t), 0
	for n := range 300 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		m := newModel(t, r)
		for range 200 + r.IntN(1500) {
			switch f := m.feeds[r.IntN(len(m.feeds))]; r.IntN(6) {
			case 0:
				m.arrive(f)
			case 1:
				m.ingest(f)
			default:
				m.step(r.IntN(m.clock.Partitions))
			}
			if t.Failed() {
				t.Fatalf("TRIBUTARY_SEED=%d, schedule %d", seed, n)
			}
		}
		m.finish()
		cycles += m.cycles
		if t.Failed() {
			t.Fatalf("TRIBUTARY_SEED=%d, schedule %d", seed, n)
		}
	}
	if cycles < 1000 {
		t.Errorf("%d cycles only", cycles)
	}
}

// The slowest that a chain can be: every partition handles no more than it must between two rounds, so that it makes one hop
// in each. Eight are handled when the time is settled, and the ninth is not.
func TestRoundsAreForEightHops(t *testing.T) {
	for _, hops := range []int{LastRound, LastRound + 1} {
		clock := Clock{Topics: []string{"events"}, Partitions: 3}
		tick := Message{Kind: Tick, Topic: "events", Partitions: 1, Watermark: at("10:00:00"), Idle: true}
		logs := [3][]letter{{{time: tick.Append(nil)}}, {{left: hops}}, nil}
		rows := [3]RowMap{{}, {}, {}}
		send := func(to int32, m Message) { logs[to] = append(logs[to], letter{time: m.Append(nil)}) }
		waiting := true // the chain has hops to make
		step := func(p int) (times Times) {
			l := logs[p][0]
			logs[p] = logs[p][1:]
			if l.time == nil {
				if waiting = l.left > 0; waiting {
					logs[3-p] = append(logs[3-p], letter{left: l.left - 1})
				}
				return times
			}
			m, err := Decode(l.time)
			if err == nil {
				times, err = clock.Handle(rows[p], int32(p), &m, send)
			}
			if err == nil && p == ClockPartition {
				err = clock.Start(rows[p], send)
			}
			if err != nil {
				t.Fatal(err)
			}
			return times
		}
		settled := 0
		for range LastRound + 1 {
			for len(logs[ClockPartition]) > 0 {
				step(ClockPartition)
			}
			for _, p := range []int{1, 2} {
				for at := slices.IndexFunc(logs[p], func(l letter) bool { return l.time != nil }); at >= 0; at-- {
					if step(p).Settled > 0 {
						settled++
					}
				}
			}
		}
		if settled != 2 || waiting != (hops > LastRound) {
			t.Errorf("%d hops: settled in %d partitions, on its way %v", hops, settled, waiting)
		}
	}
}

// finish runs until nothing is left.
func (m *model) finish() {
	for _, f := range m.feeds {
		for f.told == nil || !f.told.Idle || f.next < len(f.log) {
			m.ingest(f)
		}
	}
	for busy := true; busy; {
		busy = false
		for p := range m.logs {
			if m.done[p] < len(m.logs[p]) {
				busy = true
				m.step(p)
			}
		}
	}
	var newest schemas.Millis
	for _, f := range m.feeds {
		newest = max(newest, f.source.Watermark)
	}
	want := Times{Watermark: max(newest, m.started), Settled: max(newest, m.started)}
	for p, rows := range m.rows {
		if times, err := TimesOf(rows); err != nil || times != want {
			m.t.Errorf("partition %d ends with %+v (%v), want %+v", p, times, err, want)
		}
	}
}

func at(text string) schemas.Millis {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-03-01 "+text)
	if err != nil {
		panic(err)
	}
	return schemas.MillisOf(t)
}

// desk is a clock with one partition, which handles what it sends to itself at once.
type desk struct {
	t     *testing.T
	clock Clock
	rows  RowMap
	times Times
}

func (d *desk) tick(topic string, partition int32, watermark schemas.Millis, idle bool) schemas.Millis {
	d.t.Helper()
	queue := []Message{{Kind: Tick, Topic: topic, Partition: partition, Partitions: 2, Watermark: watermark, Idle: idle}}
	send := func(_ int32, m Message) { queue = append(queue, m) }
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		var err error
		if d.times, err = d.clock.Handle(d.rows, 0, &m, send); err == nil {
			err = d.clock.Start(d.rows, send)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return d.times.Settled
}

// Two partitions of one source, as somebody would tell it.
func TestClockWaitsForTheSlowest(t *testing.T) {
	d := &desk{t: t, clock: Clock{Topics: []string{"events"}, Partitions: 1}, rows: RowMap{}}
	for _, c := range []struct {
		story     string
		topic     string
		partition int32
		watermark schemas.Millis
		idle      bool
		want      schemas.Millis
	}{
		{"partition 1 is yet to be heard of", "events", 0, at("10:00:00"), false, 0},
		{"it is there and has nothing yet", "events", 1, 0, false, 0},
		{"the slower one decides", "events", 1, at("09:30:00"), false, at("09:30:00")},
		{"the faster one runs ahead", "events", 0, at("10:30:00"), false, at("09:30:00")},
		{"half a second is not worth a cycle", "events", 1, at("09:30:00") + 500, false, at("09:30:00")},
		{"the slower one is idle", "events", 1, at("09:30:00") + 500, true, at("10:30:00")},
		{"it is back, behind: time stands still", "events", 1, at("09:40:00"), false, at("10:30:00")},
		{"the other one is idle", "events", 0, at("10:30:00"), true, at("10:30:00")},
		{"it has caught up", "events", 1, at("10:31:00"), false, at("10:31:00")},
		{"all are idle: the newest, to the millisecond", "events", 1, at("10:31:00") + 3, true, at("10:31:00") + 3},
		{"no source of the settings", "old-events", 0, at("08:00:00"), false, at("10:31:00") + 3},
	} {
		if got := d.tick(c.topic, c.partition, c.watermark, c.idle); got != c.want {
			t.Errorf("%s: settled %v, want %v", c.story, got, c.want)
		}
	}
}

// One event far in the future moves the watermark no further than the broker's clock.
func TestOneEventFarInTheFuture(t *testing.T) {
	var s Source
	s.See(at("10:00:00"), at("10:00:05"), time.Minute)
	s.See(at("23:00:00"), at("10:01:00"), time.Minute)
	if s.Watermark != at("10:00:00") {
		t.Errorf("watermark %v, want 10:00:00", s.Watermark)
	}
	for _, c := range []struct {
		event schemas.Millis
		age   time.Duration
		late  bool
	}{
		{at("10:00:00"), 0, false},
		{at("11:00:00"), 0, false},
		{at("09:50:00"), 10 * time.Minute, false},
		{at("09:50:00") - 1, 10*time.Minute + time.Millisecond, true},
	} {
		if age, late := s.Age(c.event), s.Late(c.event, 10*time.Minute); age != c.age || late != c.late {
			t.Errorf("event of %v: age %v, late %v; want %v, %v", c.event, age, late, c.age, c.late)
		}
	}
	if (Source{}).Late(1, 0) {
		t.Error("late although there was no event before")
	}
}

// A note comes back as it was; what others wrote says nothing.
func TestNotes(t *testing.T) {
	for _, s := range []Source{{}, {Watermark: 1}, {Watermark: schemas.MaxMillis}} {
		if got := ParseNote(s.Note()); got != s {
			t.Errorf("%+v became %+v", s, got)
		}
	}
	for _, note := range []string{"", "tributary-ingest-i0-0-4f3c", "watermark/2 5", "watermark/1 -5", "watermark/1 x", "watermark/1 99999999999999999999", "watermark/1 253402300800000"} {
		if got := ParseNote(note); got != (Source{}) {
			t.Errorf("%q became %+v", note, got)
		}
	}
}

// golden are the bytes of released messages: they can be in a journal for ever.
var golden = map[string]Message{
	"\x00\x01\x80\xda\xdc\xc6\xca3\x03\x10\x01events": {Kind: Tick, Watermark: 1772359200000, Topic: "events", Partition: 3, Partitions: 16, Idle: true},
	"\x00\x02\x80\xda\xdc\xc6\xca3\x07":               {Kind: Round, Watermark: 1772359200000, Round: 7},
	"\x00\x03\x80\xda\xdc\xc6\xca3\x07\x0f":           {Kind: Heard, Watermark: 1772359200000, Round: 7, Partition: 15},
}

func TestGoldenMessages(t *testing.T) {
	for wire, m := range golden {
		if got := m.Append(nil); string(got) != wire {
			t.Errorf("%+v is %q, was %q", m, got, wire)
		}
		if got, err := Decode([]byte(wire)); err != nil || got != m {
			t.Errorf("%q is %+v (%v), was %+v", wire, got, err, m)
		}
	}
}

// Any bytes are a message that has these bytes, or an error.
func FuzzDecode(f *testing.F) {
	for wire := range golden {
		f.Add([]byte(wire))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := Decode(value)
		if err == nil && !bytes.Equal(m.Append(nil), value) {
			t.Errorf("%x is %+v, which is %x", value, m, m.Append(nil))
		}
	})
}

// Damaged rows stop the clock, and say which.
func TestDamagedRows(t *testing.T) {
	c := Clock{Topics: []string{"events"}, Partitions: 4}
	nobody := func(int32, Message) {}
	for _, rows := range []RowMap{
		{"p": "\x01"}, {"c": "\x01\x09"}, {"c": ""}, {"s": ""}, {"sevents\x00\x00\x00\x00\x01": "\x01\x02\x03"}, {"sevents": "\x01\x01\x03"},
	} {
		_, err := c.Handle(rows, 0, &Message{Kind: Round, Round: 3}, nobody)
		if err == nil {
			err = c.Start(rows, nobody)
		}
		if err == nil || !strings.Contains(err.Error(), ErrRow.Error()) {
			t.Errorf("%q: %v", rows, err)
		}
	}
	for _, m := range []Message{{Kind: Tick}, {Kind: Heard}} {
		if _, err := c.Handle(RowMap{}, 1, &m, nobody); err == nil {
			t.Errorf("partition 1 took a %v", m.Kind)
		}
	}
}

// Any rows are read, or are an error of rows; what can be read has one form.
func FuzzRows(f *testing.F) {
	f.Add([]byte("p"), []byte("\x01\x02"))
	f.Add([]byte("c"), []byte("\x01\x08"))
	f.Add([]byte("sevents\x00\x00\x00\x00\x01"), []byte("\x01\x01\x03"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 {
			return
		}
		rows, again := RowMap{}, RowMap{}
		rows.Put(key, value)
		times, err := TimesOf(rows)
		if err == nil && times != (Times{}) {
			times.put(again)
		}
		now, wrong := cycleOf(rows)
		if wrong == nil && string(key) == string(rowCycle) {
			now.put(again)
		}
		lost := eachSource(rows, func(p place, s source) { s.put(again, p) })
		for _, err := range []error{err, wrong, lost} {
			if err != nil && !errors.Is(err, ErrRow) {
				t.Fatalf("%x: %x: %v", key, value, err)
			}
		}
		for k, v := range again {
			if rows[k] != v {
				t.Errorf("%x: %x became %x: %x", key, value, k, v)
			}
		}
	})
}

// Any note says a time that can be, and what was read is written the same.
func FuzzParseNote(f *testing.F) {
	f.Add("watermark/1 1772359200000")
	f.Add("watermark/1 -5")
	f.Fuzz(func(t *testing.T, note string) {
		s := ParseNote(note)
		if s.Watermark < 0 || s.Watermark > schemas.MaxMillis || ParseNote(s.Note()) != s {
			t.Errorf("%q became %+v", note, s)
		}
	})
}
