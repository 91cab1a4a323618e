package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"tributary/identity"
	"tributary/stream/demo"
	"tributary/stream/local"
	"tributary/stream/population"
)

// demoCommand runs the whole service on an embedded broker and prints a report: what `make run` starts.
type demoCommand struct {
	settingsFlags
	Data      string `placeholder:"FILE" help:"Events to run over, one JSON object a line, instead of a generated population."`
	Customers int    `default:"2000" help:"People to invent."`
	Seed      uint64 `default:"1" help:"Seed of the population."`
	Verbose   bool   `short:"v" help:"Print the service's log."`
}

// demoBroken is the share of generated records that come a second time in a form that must be refused, so that the ledger
// has something to show.
const demoBroken = 0.001

func (cmd demoCommand) Run(ctx context.Context, c *console) error {
	loaded, err := cmd.load(c)
	if err != nil {
		return err
	}
	if loaded.Origin("partitions") == "default" {
		loaded.Partitions = 4
	}
	if loaded.Origin("commit_interval") == "default" {
		loaded.CommitInterval = 25 * time.Millisecond
	}
	loaded.HTTP.Listen = ""
	events, what, err := cmd.events()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tributary-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if cmd.Verbose {
		log = logFlags{LogFormat: "text", LogLevel: "info"}.logger(c)
	}
	fmt.Fprintf(c.err, "Tributary demo: %s, on an embedded broker that is for trying out only.\n"+
		"Identifiers are pseudonymised with a key that everybody knows; `tributary run` wants one of your own.\n\n", what)
	bar := newProgress(c.err, "demo")
	result, err := demo.Run(ctx, demo.Config{
		Settings: &loaded.Settings, Keys: keys, StateDir: dir, Events: events, Log: log, Version: version,
		Progress: func(_, settled int64) { bar.now(int(settled)) },
	})
	bar.end(int(result.Ledger.Received))
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d events in %.1f s: %d revisions of %d conversions\n\n", result.Ledger.Received, result.Took.Seconds(),
		result.Records.Revisions(), len(result.Records.Newest()))
	result.Print(c.out)
	if !result.Ledger.Settled() {
		return fmt.Errorf("the ledger does not add up: %+v", result.Ledger)
	}
	return nil
}

// events are those of the file, or of the population.
func (cmd demoCommand) events() (each func(func([]byte) error) error, what string, err error) {
	if cmd.Data != "" {
		return func(send func([]byte) error) error {
			f, err := os.Open(cmd.Data)
			if err != nil {
				return err
			}
			defer f.Close()
			return readValues(cmd.Data, f, send)
		}, "the events of " + cmd.Data, nil
	}
	config := population.Default()
	config.Seed, config.Customers, config.Broken = cmd.Seed, cmd.Customers, demoBroken
	if err := config.Validate(); err != nil {
		return nil, "", usageError{err.Error()}
	}
	return func(send func([]byte) error) error {
		for record := range config.Records() {
			if err := send(append([]byte(nil), record.Value...)); err != nil {
				return err
			}
		}
		return nil
	}, fmt.Sprintf("%d invented people (seed %d)", cmd.Customers, cmd.Seed), nil
}

func readValues(name string, r io.Reader, send func([]byte) error) error {
	return local.ReadLines(name, r, func(l local.Line) error { return send(l.Value) })
}
