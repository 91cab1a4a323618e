package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"tributary/stream/importer"
)

type importCommand struct {
	settingsFlags
	Mapping   string   `short:"m" required:"" placeholder:"FILE" help:"How a row becomes an event; see stream/importer/README.md."`
	Out       string   `short:"o" placeholder:"FILE" help:"Where the events go as JSON Lines; else standard output."`
	Topic     string   `placeholder:"NAME" help:"Send the events to this topic instead. The settings say how to reach Kafka."`
	Live      bool     `help:"Send them as events of now: they move time, and can be late. Else they are marked as replayed."`
	Strict    bool     `help:"End at the first row that gives no event."`
	MaxErrors int      `default:"20" help:"Show so many errors; all are counted."`
	Files     []string `arg:"" help:"CSV files, or - for standard input."`
}

// Help is shown by tributary import --help.
func (importCommand) Help() string {
	return `Every row becomes one event, checked as the service would check it. Rows that cannot are reported with file, line and
column, the others go on, and the exit status is 1.

With --topic events are taken for history: in whatever order a file has them, none is late, and none moves time on.

  tributary import --mapping crm.mapping.yaml orders.csv > orders.jsonl
  tributary import --mapping crm.mapping.yaml --topic events --config tributary.yaml orders.csv`
}

func (cmd importCommand) Run(ctx context.Context, c *console) error {
	if cmd.Topic != "" && cmd.Out != "" {
		return usageError{"--topic and --out: only one of them"}
	}
	if cmd.Live && cmd.Topic == "" {
		return usageError{"--live: only with --topic"}
	}
	if cmd.MaxErrors < 0 {
		return usageError{"--max-errors: must not be below 0"}
	}
	text, err := os.ReadFile(cmd.Mapping)
	if err != nil {
		return fmt.Errorf("mapping: %w", err)
	}
	mapping, err := importer.ParseMapping(cmd.Mapping, text)
	if err != nil {
		return err
	}
	run := importRun{importCommand: cmd, console: c, mapping: mapping, types: map[string]int{}}
	if cmd.Topic != "" {
		err = run.toTopic(ctx)
	} else {
		err = writeTo(c, cmd.Out, func(w io.Writer) error {
			return run.files(ctx, func(_, value []byte) error {
				_, err := w.Write(append(value, '\n'))
				return err
			})
		})
	}
	run.total()
	if err == nil && run.refused > 0 {
		err = fmt.Errorf("%d of %d rows gave no event", run.refused, run.rows)
	}
	return err
}

// importRun is one import of several files.
type importRun struct {
	importCommand
	*console
	mapping *importer.Mapping

	rows, events, refused, passed, shown int
	types                                map[string]int
}

func (r *importRun) toTopic(ctx context.Context) error {
	loaded, err := r.load(r.console)
	if err != nil {
		return err
	}
	options, err := loaded.Kafka.Options(r.lookup)
	if err != nil {
		return err
	}
	topic, err := importer.NewTopic(ctx, r.Topic, r.Live, options)
	if err != nil {
		return err
	}
	return errors.Join(r.files(ctx, topic.Put), topic.Close())
}

func (r *importRun) files(ctx context.Context, sink importer.Sink) error {
	for _, name := range r.Files {
		if err := r.file(ctx, name, sink); err != nil {
			return err
		}
	}
	return nil
}

func (r *importRun) file(ctx context.Context, name string, sink importer.Sink) error {
	in, size := r.in, int64(0)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = file
	}
	meter := newProgress(r.err, name)
	options := importer.Options{Strict: r.Strict, KeepErrors: r.MaxErrors - r.shown, Progress: func(p importer.Progress) {
		if size > 0 {
			meter.what = fmt.Sprintf("%s, %d%%", name, min(p.Bytes*100/size, 100))
		}
		meter.now(p.Events)
	}}
	summary, err := r.mapping.Import(ctx, nameOf(name), in, sink, options)
	meter.end(summary.Events)
	r.add(&summary)
	var row importer.RowError
	if errors.As(err, &row) && len(summary.Errors) > 0 {
		return errors.New("ended at the first row that gives no event, as --strict says")
	}
	return err
}

// nameOf is how errors name a file.
func nameOf(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// add counts a file and shows its errors.
func (r *importRun) add(s *importer.Summary) {
	for _, e := range s.Errors {
		fmt.Fprintln(r.err, e)
		r.shown++
	}
	r.rows, r.events, r.refused, r.passed = r.rows+s.Rows, r.events+s.Events, r.refused+s.Refused, r.passed+s.Passed
	for typ, n := range s.Types {
		r.types[typ] += n
	}
	if len(s.Columns) > 0 && s.Rows > 0 {
		r.note("columns that the mapping does not use: %s", strings.Join(s.Columns, ", "))
	}
}

// total says what became of all files.
func (r *importRun) total() {
	if hidden := r.refused - r.shown; hidden > 0 {
		r.note("%d more errors are not shown, see --max-errors", hidden)
	}
	var parts []string
	for _, typ := range slices.Sorted(maps.Keys(r.types)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.types[typ], typ))
	}
	kinds := ""
	if len(parts) > 0 {
		kinds = " (" + strings.Join(parts, ", ") + ")"
	}
	r.note("%d rows: %d events%s, %d refused, %d passed over", r.rows, r.events, kinds, r.refused, r.passed)
}
