// Package bench measures what a user of Tributary feels: events a second, time until a conversion's record is there, bytes,
// time to restore. Every figure compares two things of one run, so that what it says outlives the machine: a rate beside
// another rate on the same broker, a time beside the commit intervals that it is made of. Nothing here passes or fails.
//
// What comes in: a Config. What goes out: rows of a table, in the order of Measurements. README.md says what each figure
// means and how to read it.
//
//	rows, err := bench.Run(ctx, bench.Config{Settings: s, Keys: keys, Events: 1_000_000, Say: log.Printf}, "throughput")
//	bench.Write(os.Stdout, rows)
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/stream/embedded"
	"tributary/stream/settings"
)

// Config says what is measured, on what, and how large. Settings, Keys, Events and Say must be set.
type Config struct {
	// Settings of the service. Names of topics, application id, sources, listener and state folder are the bench's.
	Settings *settings.Settings
	Keys     identity.Keyring
	// Client is how to reach a cluster, for which the bench makes topics that it deletes again. None: an embedded broker.
	Client []kgo.Opt
	// Events is how many events `attribute` is measured on. The other measurements take a share of it.
	Events int
	// Pairs is how often what is compared takes turns; the figures are medians. Default 5.
	Pairs int
	// Window is how long latency is measured at each commit interval. Default 16 s.
	Window time.Duration
	Seed   uint64
	Say    func(format string, args ...any) // tells how far the run is
}

// Row is one line of the table.
type Row struct {
	Figure   string // name of the measurement
	What     string
	Measured string
	Beside   string // what it is compared with
	Ratio    float64
}

// Measurement is something that can be measured by its name.
type Measurement struct {
	Name string
	What string
	run  func(*bench, context.Context) ([]Row, error)
}

// Measurements are all there are.
var Measurements = []Measurement{
	{"throughput", "events a second through the service, beside a lane that passes the same records on", (*bench).throughput},
	{"latency", "conversion produced until its record is visible, beside hops times commit interval", (*bench).latency},
	{"bytes", "state and topics a touch, beside the bytes of its events", (*bench).bytes},
	{"journeys", "time a touch by length of its journey, beside a journey of 10", (*bench).journeys},
	{"conversions", "customers of 100 conversions: time a late touch, beside a new one; conversions that become final, beside touches", (*bench).conversions},
	{"expiry", "rows a second of customers who did not come back that are deleted, beside new touches", (*bench).expiry},
	{"restore", "rows a second into an empty store, beside the rate at which they were written", (*bench).restore},
	{"attribute", "seconds for a file of events, beside reading and decoding it", (*bench).attribute},
}

// Names are the names of all measurements.
func Names() (names []string) {
	for _, m := range Measurements {
		names = append(names, m.Name)
	}
	return names
}

// ErrUnknown says that there is no measurement of a name.
var ErrUnknown = errors.New("no such measurement")

// bench is one run.
type bench struct {
	Config
	dir    string   // for state and files; removed at the end
	values []record // the population of the measurements on a broker, once it was needed
	number int      // of the last application id
	// embedded says that the broker is in this process.
	embedded bool
}

// Run measures the named things, all if none is named, in the order of Measurements.
func Run(ctx context.Context, c Config, only ...string) (rows []Row, err error) {
	for _, name := range only {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
		}
	}
	b := &bench{Config: c}
	if b.Pairs <= 0 {
		b.Pairs = 5
	}
	if b.Window <= 0 {
		b.Window = 16 * time.Second
	}
	if b.dir, err = os.MkdirTemp("", "tributary-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	if len(b.Client) == 0 {
		kafka, err := embedded.Start()
		if err != nil {
			return nil, fmt.Errorf("embedded broker: %w", err)
		}
		defer kafka.Close()
		b.Client, b.embedded = []kgo.Opt{kgo.SeedBrokers(kafka.Brokers()...)}, true
	}
	for _, m := range Measurements {
		if len(only) > 0 && !slices.Contains(only, m.Name) {
			continue
		}
		b.Say("%s: %s", m.Name, m.What)
		more, err := m.run(b, ctx)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", m.Name, err)
		}
		for i := range more {
			more[i].Figure = m.Name
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// folder is a new folder of the run's own.
func (b *bench) folder() (string, error) { return os.MkdirTemp(b.dir, "") }

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }
