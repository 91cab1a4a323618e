package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"tributary/schemas"
	"tributary/state"
	"tributary/stream/ingest"
	"tributary/stream/local"
	"tributary/stream/service"
)

// attribute does what the command of that name does with a file of events: read, decode, attribute, and write the newest
// record of every conversion in order.
func (b *bench) attribute(ctx context.Context) ([]Row, error) {
	name := b.file("events.jsonl")
	defer os.Remove(name)
	n, size, err := b.writeEvents(ctx, name)
	if err != nil {
		return nil, err
	}
	b.Say("attribute: %d events are in a file", n)
	decoding, err := b.decodeFile(ctx, name)
	if err != nil {
		return nil, err
	}
	b.Say("attribute: decoded in %.1f s", decoding.wall.Seconds())
	all, conversions, err := b.attributeFile(ctx, name)
	if err != nil {
		return nil, err
	}
	b.Say("attribute: attributed in %.1f s", all.wall.Seconds())
	rows := []Row{{
		What:     fmt.Sprintf("%s events, %s, from file to the records of %s conversions", count(n), bytesOf(size), count(conversions)),
		Measured: fmt.Sprintf("%.1f s, %s events/s", all.wall.Seconds(), count(perSecond(n, all.wall))),
		Beside:   fmt.Sprintf("%.1f s to decode it in one goroutine", decoding.wall.Seconds()),
		Ratio:    all.wall.Seconds() / decoding.wall.Seconds(),
	}}
	if all.cpu > 0 {
		rows = append(rows, Row{
			What:     "processor time of that",
			Measured: fmt.Sprintf("%.1f s", all.cpu.Seconds()),
			Beside:   fmt.Sprintf("%.1f s to decode it", decoding.cpu.Seconds()),
			Ratio:    all.cpu.Seconds() / decoding.cpu.Seconds(),
		})
	}
	return rows, nil
}

func (b *bench) writeEvents(ctx context.Context, name string) (n, size int, err error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	for r := range b.people(b.Events).Records() {
		out.Write(r.Value)
		if err := out.WriteByte('\n'); err != nil {
			return n, size, err
		}
		size += len(r.Value) + 1
		if n++; n == b.Events || ctx.Err() != nil {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return n, size, err
	}
	return n, size, ctx.Err()
}

// decodeFile is the time that reading, decoding, checking, normalising and pseudonymising take alone.
func (b *bench) decodeFile(ctx context.Context, name string) (t took, err error) {
	decide, err := service.IngestOf(b.Settings, b.Keys)
	if err != nil {
		return t, err
	}
	watch := startWatch()
	now := schemas.MillisOf(watch.began)
	err = readFile(name, func(l local.Line) error {
		if r := decide.Record(l.Value, now); r.Refusal != nil {
			return fmt.Errorf("%v: %w", l, r.Refusal)
		}
		return ctx.Err()
	})
	return watch.stop(), err
}

func (b *bench) attributeFile(ctx context.Context, name string) (t took, conversions int, err error) {
	dir, err := b.folder()
	if err != nil {
		return t, 0, err
	}
	defer os.RemoveAll(dir)
	watch := startWatch()
	config, err := service.AttributionConfig(b.Settings, b.Keys)
	if err != nil {
		return t, 0, err
	}
	decide, err := service.IngestOf(b.Settings, b.Keys)
	if err != nil {
		return t, 0, err
	}
	store, err := state.Open(dir, state.Options{NoWAL: true})
	if err != nil {
		return t, 0, err
	}
	defer store.Close()
	records := newest{}
	p := local.New(local.Config{Ingest: decide, Attribution: config}, store, records)
	read := func(each func(local.Line) error) error { return readFile(name, each) }
	if err := p.Feed(ctx, schemas.MillisOf(watch.began), read, func(local.Line, ingest.Result) {}); err != nil {
		return t, 0, err
	}
	if err := p.Finish(); err != nil {
		return t, 0, err
	}
	err = records.write(io.Discard)
	return watch.stop(), len(records), err
}

func readFile(name string, each func(local.Line) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return local.ReadLines(name, f, each)
}

// newest keeps the newest record of each conversion, encoded.
type newest map[string][]byte

func (n newest) Attribution(a *schemas.Attribution) { n[a.ConversionID] = a.Encode(nil) }
func (newest) Alias(schemas.Alias)                  {}
func (newest) Audit(schemas.Audit)                  {}

func (n newest) write(w io.Writer) error {
	ids := make([]string, 0, len(n))
	for id := range n {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if _, err := w.Write(append(n[id], '\n')); err != nil {
			return err
		}
	}
	return nil
}
