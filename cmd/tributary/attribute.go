package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/ingest"
	"tributary/stream/local"
	"tributary/stream/report"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// attributeCommand runs the pipeline over files: nothing is late, and what comes out is the newest revision of every
// conversion, by conversion id, so that two runs can be compared line by line.
type attributeCommand struct {
	settingsFlags
	Events     []string `arg:"" name:"file" help:"Files of events, one JSON object a line; - is standard input."`
	Shuffle    *uint64  `placeholder:"SEED" help:"Deliver the events in an order that the seed decides: the answers are the same."`
	Partitions int      `placeholder:"N" help:"Number of partitions, else that of the settings: the answers are the same."`
	Report     bool     `help:"Print credit by channel and model instead of records."`
	Strict     bool     `help:"Fail if an event was refused."`
	MaxErrors  int      `default:"20" help:"How many refused events to name."`
	Quiet      bool     `short:"q" help:"No progress and no ledger."`
}

func (cmd attributeCommand) Run(ctx context.Context, c *console) error {
	loaded, err := cmd.load(c)
	if err != nil {
		return err
	}
	if cmd.Partitions != 0 {
		if cmd.Partitions < 1 || cmd.Partitions > 1024 {
			return usageError{"--partitions must be from 1 to 1024"}
		}
		loaded.Partitions = cmd.Partitions
	}
	keys, err := keysOrDevelopment(&loaded.Settings, c)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tributary-attribute-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := state.Open(dir, state.Options{NoWAL: true})
	if err != nil {
		return err
	}
	defer store.Close()

	run := attributeRun{attributeCommand: cmd, console: c, started: time.Now()}
	if err := run.pipeline(ctx, &loaded.Settings, keys, store); err != nil {
		return err
	}
	if err := run.print(); err != nil {
		return err
	}
	if cmd.Strict && run.refused > 0 {
		return fmt.Errorf("%d events were refused", run.refused)
	}
	return nil
}

// attributeRun is one run of the command.
type attributeRun struct {
	attributeCommand
	*console
	started time.Time
	lines   int
	refused int
	records newest
	local   *local.Pipeline
}

func (r *attributeRun) pipeline(ctx context.Context, s *settings.Settings, keys identity.Keyring, store *state.Store) error {
	config, err := service.AttributionConfig(s, keys)
	if err != nil {
		return err
	}
	decide, err := service.IngestOf(s, keys)
	if err != nil {
		return err
	}
	r.records = newest{}
	r.local = local.New(local.Config{Ingest: decide, Attribution: config}, store, r.records)
	read := r.read
	if r.Shuffle != nil {
		read = func(each func(local.Line) error) error { return local.Shuffled(*r.Shuffle, r.read, each) }
	}
	progress := r.progress("attribute")
	err = r.local.Feed(ctx, schemas.MillisOf(r.started), read, func(l local.Line, result ingest.Result) {
		r.lines++
		if result.Refusal != nil {
			if r.refused++; r.refused <= r.MaxErrors {
				r.note("%v: %v", l, result.Refusal)
			}
		}
		progress.tick(r.lines)
	})
	if err == nil {
		err = r.local.Finish()
	}
	progress.end(r.lines)
	if more := r.refused - r.MaxErrors; more > 0 {
		r.note("%d more events were refused", more)
	}
	return err
}

// progress is a progress that writes nothing when the command is to be quiet.
func (r *attributeRun) progress(what string) *progress {
	if r.Quiet {
		return newProgress(io.Discard, what)
	}
	return newProgress(r.err, what)
}

func (r *attributeRun) read(each func(local.Line) error) error {
	for _, name := range r.Events {
		if err := readFile(name, r.in, each); err != nil {
			return err
		}
	}
	return nil
}

func readFile(name string, stdin io.Reader, each func(local.Line) error) error {
	if name == "-" {
		return local.ReadLines("standard input", stdin, each)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return local.ReadLines(name, f, each)
}

func (r *attributeRun) print() error {
	if !r.Quiet {
		report.WriteLedger(r.err, r.local.Ledger, 0)
	}
	ids := make([]string, 0, len(r.records))
	for id := range r.records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := bufio.NewWriterSize(r.out, 1<<16)
	if r.Report {
		var all []*schemas.Attribution
		for _, id := range ids {
			a, err := schemas.DecodeAttribution(r.records[id])
			if err != nil {
				return fmt.Errorf("record of conversion %q: %w", id, err)
			}
			all = append(all, &a)
		}
		report.WriteChannels(out, report.ByChannel(all))
		return out.Flush()
	}
	for _, id := range ids {
		out.Write(r.records[id])
		out.WriteByte('\n')
	}
	return out.Flush()
}

// newest keeps the newest record of each conversion, encoded.
type newest map[string][]byte

func (n newest) Attribution(a *schemas.Attribution) { n[a.ConversionID] = a.Encode(nil) }

func (newest) Alias(schemas.Alias) {}
func (newest) Audit(schemas.Audit) {}

// keysOrDevelopment reads the keys of the settings; without any it takes the development key, which is good enough for
// pseudonyms that end with the process.
func keysOrDevelopment(s *settings.Settings, c *console) (identity.Keyring, error) {
	keys, warning, err := s.Identity.Keyring(c.lookup)
	if errors.Is(err, settings.ErrNoKey) {
		return identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	}
	if warning != "" {
		c.note("warning: %s", warning)
	}
	return keys, err
}
