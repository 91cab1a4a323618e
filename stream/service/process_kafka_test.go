//go:build kafka && unix

package service

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tributary/schemas/shareddata"
	"tributary/stream/kafkatest"
	"tributary/stream/metrics"
	"tributary/stream/settings"
	"tributary/stream/yamldoc"
)

// program builds the binary, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tributary-program-")
	if err != nil {
		return "", err
	}
	afterwards = append(afterwards, func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "tributary")
	said, err := exec.Command("go", "build", "-o", binary, "tributary/cmd/tributary").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, said)
	}
	return binary, nil
})

// key names customers: 32 bytes.
const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// command is the program with arguments, and with no variable of this process that it would take for a setting.
func command(t *testing.T, w *world, arguments ...string) *exec.Cmd {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, append(arguments, "--config", w.settingsFile())...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TRIBUTARY_") {
			c.Env = append(c.Env, variable)
		}
	}
	c.Env = append(c.Env, "TRIBUTARY_IDENTITY_KEY=1:"+key)
	return c
}

// settingsFile writes the application's settings, without those of an instance.
func (w *world) settingsFile() string {
	s := w.settings
	conversions := map[string]any{}
	for name, c := range s.Conversions {
		conversions[name] = map[string]any{"occurrence": c.Occurrence, "reset": c.Reset}
	}
	byKind := map[string]any{}
	for kind, lookback := range s.Lookback.ByKind {
		byKind[kind] = yamldoc.FormatDuration(lookback)
	}
	var sources []any
	for _, source := range s.Sources {
		sources = append(sources, map[string]any{"topic": source.Topic})
	}
	var models []any
	for _, m := range s.Models {
		models = append(models, map[string]any{"type": m.Type})
	}
	shared := []any{}
	for _, id := range s.Identity.Shared {
		shared = append(shared, map[string]any{"type": id.Type, "value": id.Value})
	}
	limits := map[string]any{"max_members": s.Identity.Limits.MaxMembers}
	for typ, n := range limitsOf(&s.Identity.Limits) {
		limits[typ] = map[string]any{"any": n.Any, "user_id": n.UserID, "email": n.Email, "phone": n.Phone, "anonymous_id": n.AnonymousID}
	}
	text, err := json.Marshal(map[string]any{ // which is YAML
		"application_id": s.ApplicationID,
		"kafka":          map[string]any{"brokers": s.Kafka.Brokers},
		"sources":        sources,
		"topics": map[string]any{"attributions": s.Topics.Attributions, "aliases": s.Topics.Aliases, "late": s.Topics.Late,
			"dead_letters": s.Topics.DeadLetters, "audit": s.Topics.Audit},
		"partitions":      s.Partitions,
		"commit_interval": yamldoc.FormatDuration(s.CommitInterval),
		"lanes":           map[string]any{"ingest": s.Lanes.Ingest, "journey": s.Lanes.Journey},
		"sessions":        map[string]any{"timeout": yamldoc.FormatDuration(s.Sessions.Timeout)},
		"touch_unit":      s.TouchUnit,
		"lateness":        map[string]any{"allowed": yamldoc.FormatDuration(s.Lateness.Allowed)},
		"retention":       yamldoc.FormatDuration(s.Retention),
		"lookback":        map[string]any{"default": yamldoc.FormatDuration(s.Lookback.Default), "by_kind": byKind},
		"conversions":     conversions,
		"models":          models,
		"output":          map[string]any{"format": s.Output.Format},
		"identity":        map[string]any{"limits": limits, "shared": shared},
	})
	name := filepath.Join(w.dir, "tributary.yaml")
	if err == nil {
		err = os.WriteFile(name+".new", text, 0o644)
	}
	if err == nil {
		err = os.Rename(name+".new", name) // a process that has just been started may be reading it
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return name
}

// process is `tributary run` as an operator runs it.
type process struct {
	world *world
	name  string
	dir   string // its state

	command *exec.Cmd
	ended   <-chan struct{}
	mu      sync.Mutex
	log     bytes.Buffer
	address string // of its listener
}

func (w *world) newProcess(name string) *process {
	p := &process{world: w, name: name, dir: filepath.Join(w.dir, name)}
	w.t.Cleanup(func() {
		if p.running() {
			p.kill()
		}
		if w.t.Failed() {
			w.t.Logf("%s said last:\n%s", name, p.tail(20))
		}
	})
	return p
}

func (p *process) start() {
	t := p.world.t
	t.Helper()
	p.command = command(t, p.world, "run", "--set", "state.dir="+p.dir, "--set", "http.listen=127.0.0.1:0", "--log-format=json")
	p.command.Env = append(p.command.Env, settings.InstanceVariable+"="+p.name)
	said, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stderr = in
	p.mu.Lock()
	p.address = ""
	p.mu.Unlock()
	if p.ended, err = kafkatest.StartProcess(p.command); err != nil {
		t.Fatal(err)
	}
	in.Close()
	go p.listen(said)
}

// listen keeps what the process says, and finds the address of its listener in it.
func (p *process) listen(said io.ReadCloser) {
	defer said.Close()
	for lines := bufio.NewScanner(said); lines.Scan(); {
		var line struct{ Msg, Address string }
		_ = json.Unmarshal(lines.Bytes(), &line) // a panic is no JSON
		p.mu.Lock()
		p.log.Write(lines.Bytes())
		p.log.WriteByte('\n')
		if line.Address != "" {
			p.address = line.Address
		}
		p.mu.Unlock()
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(p.said()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (p *process) running() bool {
	if p.command == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// stop is what an orchestrator does: SIGTERM, and the exit status must be 0.
func (p *process) stop() {
	t := p.world.t
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(25 * time.Second):
		t.Fatalf("%s still runs 25 s after SIGTERM", p.name)
	}
	if status := p.command.ProcessState.ExitCode(); status != 0 {
		t.Errorf("%s ended with status %d after SIGTERM", p.name, status)
	}
}

// get asks the listener; status 0 is no answer.
func (p *process) get(path string) (status int, body string) {
	p.mu.Lock()
	address := p.address
	p.mu.Unlock()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

// ready waits until /readyz says so.
func (p *process) ready(ctx context.Context) {
	p.world.t.Helper()
	until(ctx, p.world.t, p.name+" is ready", func() bool {
		if !p.running() {
			p.world.t.Fatalf("%s has ended:\n%s", p.name, p.tail(20))
		}
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
}

// ledger reads /metrics.
func (p *process) ledger() metrics.Ledger {
	t := p.world.t
	t.Helper()
	status, text := p.get("/metrics")
	if status != http.StatusOK {
		t.Fatalf("%s: /metrics: %d %s", p.name, status, text)
	}
	values := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = int64(n)
		}
	}
	ingest := func(outcome string) int64 { return values[`tributary_ingest_records_total{outcome="`+outcome+`"}`] }
	journey := func(outcome string) int64 { return values[`tributary_journey_events_total{outcome="`+outcome+`"}`] }
	return metrics.Ledger{Received: ingest("received"), Journaled: ingest("journaled"), Refused: ingest("refused"), Filtered: ingest("filtered"),
		Applied: journey("applied"), Duplicate: journey("duplicate"), Late: ingest("late"), Forgotten: journey("forgotten"), Shared: journey("shared"),
		Expired:   journey("expired"),
		Conflicts: values["tributary_journey_conflicts_total"]}
}

// Two processes of the built program on Apache Kafka, with both transaction protocols. One is killed and comes back, the
// other is killed and stays away, so that the first must finish its work, and comes back in the end. The answers are those
// of the reference, SIGTERM ends both with status 0, and of the old protocol they warn.
func TestProcessesKilledOnKafka(t *testing.T) {
	for _, version := range []int{2, 1} {
		t.Run(fmt.Sprint("transaction.version=", version), func(t *testing.T) {
			ctx := limit(t, 3*time.Minute)
			u := newRun(t, kafkatest.Shared(t, kafkatest.Options{TransactionVersion: version}), seeds(t, 1)[0], 300, 0)
			a, b := u.newProcess("a"), u.newProcess("b")
			third := len(u.queue) / 3
			for _, p := range []*process{a, b} {
				p.start()
			}
			u.feed(ctx, third)
			a.ready(ctx)
			b.ready(ctx)
			until(ctx, t, "events are applied", func() bool { return a.ledger().Applied+b.ledger().Applied > 0 })
			a.kill()
			u.feed(ctx, third/2)
			a.start()
			u.feed(ctx, third/2)
			a.ready(ctx)
			b.kill()
			u.feed(ctx, len(u.queue))
			u.rest(ctx)
			b.start()
			b.ready(ctx)
			u.rest(ctx)
			u.checkOutput(ctx, u.want, u.rules)
			u.crashed = true
			u.checkLedger(ctx)
			if said, err := command(t, u.world, "inspect", "ledger").CombinedOutput(); err != nil || !strings.Contains(string(said), "adds up") {
				t.Errorf("inspect ledger: %v\n%s", err, said)
			}
			a.stop()
			b.stop()
			u.checkState(ctx, []string{a.dir, b.dir})
			for _, p := range []*process{a, b} {
				if warned := strings.Contains(p.said(), "transaction.version below 2"); warned != (version == 1) {
					t.Errorf("%s on transaction.version %d: warned of it: %v", p.name, version, warned)
				}
				if !strings.Contains(p.said(), "tributary has stopped") {
					t.Errorf("%s didn't say that it has stopped:\n%s", p.name, p.tail(5))
				}
			}
		})
	}
}

// The totals of July 2018 by channel, as they were published: from the CSV file through import, Apache Kafka and two
// processes of the built program, whose ledgers add up.
func TestJuly2018OnKafka(t *testing.T) {
	data := shareddata.Path(t, "july2018/attribution_data.csv")
	ctx := limit(t, 3*time.Minute)
	w := newWorld(t, kafkatest.Shared(t, kafkatest.Options{}), plainRandom(), plainRules, 0)
	s := w.settings
	s.Partitions, s.CommitInterval, s.Lanes, s.Output.Format = 8, 50*time.Millisecond, settings.Lanes{Ingest: 1, Journey: 1}, "json"
	s.Lateness, s.Lookback.Default = settings.Default().Lateness, 60*day // the file goes by customer: imports are never late
	s.Conversions = map[string]settings.Conversion{"purchase": {Occurrence: "every", Reset: true}}
	a, b := w.newProcess("a"), w.newProcess("b")
	a.start()
	b.start()
	mapping := filepath.Join("..", "..", "cmd", "tributary", "testdata", "july2018.mapping.yaml")
	said, err := command(t, w, "import", "--mapping", mapping, "--topic", s.Sources[0].Topic, data).CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v\n%s", err, said)
	}
	a.ready(ctx)
	b.ready(ctx)
	w.rest(ctx)
	for _, end := range w.ends(ctx, s.Sources[0].Topic) {
		w.sent += end
	}
	if w.sent != 62_483 {
		t.Errorf("%d records imported, want 62483", w.sent)
	}
	w.buried = sum(a.ledger(), b.ledger())
	w.checkLedger(ctx)
	if l := w.buried; l.Applied != w.sent {
		t.Errorf("%+v: all should have been applied", l)
	}

	reader, _ := w.attributions(ctx)
	for _, fault := range reader.Faults {
		t.Error(fault)
	}
	if len(reader.Newest) != 1838 {
		t.Errorf("%d conversions, want 1838", len(reader.Newest))
	}
	got := map[string]map[string]int64{} // by model and channel, in millionths
	for _, conversion := range reader.Newest {
		for _, touch := range conversion.Touches {
			for m, model := range conversion.Models {
				if got[model.Name] == nil {
					got[model.Name] = map[string]int64{}
				}
				got[model.Name][touch.Channel] += int64(touch.Credit[m].Share)
			}
		}
	}
	for model, want := range map[string]map[string]string{
		"first_touch": {"Facebook": "569.0000", "Instagram": "226.0000", "Online Display": "220.0000", "Online Video": "222.0000", "Paid Search": "601.0000"},
		"last_touch":  {"Facebook": "561.0000", "Instagram": "237.0000", "Online Display": "233.0000", "Online Video": "350.0000", "Paid Search": "457.0000"},
		"linear":      {"Facebook": "532.2776", "Instagram": "234.6260", "Online Display": "210.0265", "Online Video": "309.5611", "Paid Search": "551.5088"},
	} {
		rounded := map[string]string{}
		for channel, millionths := range got[model] {
			tenThousandths := (millionths + 50) / 100
			rounded[channel] = fmt.Sprintf("%d.%04d", tenThousandths/10_000, tenThousandths%10_000)
		}
		if !maps.Equal(rounded, want) {
			t.Errorf("%s: %v, want %v", model, rounded, want)
		}
	}
	a.stop()
	b.stop()
	w.checkState(ctx, []string{a.dir, b.dir})
}
