package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"tributary/schemas"
	"tributary/stream/ingest"
)

// Line is one line of a file of events. Number counts from 1.
type Line struct {
	File   string
	Number int
	Value  []byte
}

func (l Line) String() string { return fmt.Sprintf("%s:%d", l.File, l.Number) }

// ReadLines calls each for every line of r that is not empty, in order. A line longer than an event may be is cut: what is
// left is still too long, so that it is refused and the next line is found. Line.Value is each's own.
func ReadLines(file string, r io.Reader, each func(Line) error) error {
	in := bufio.NewReaderSize(r, 1<<20)
	for number := 1; ; number++ {
		value, err := readLine(in)
		end := errors.Is(err, io.EOF)
		if err != nil && !end { // what there is of the line is not all of it
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
		if len(value) > 0 {
			if err := each(Line{file, number, value}); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// keptBytes of a line and its end are kept: so many that what is left of a longer one is too long for an event, even if a
// carriage return comes to stand at its end.
const keptBytes = schemas.MaxEventBytes + len("+\r\n")

// readLine returns the next line without its end, at most keptBytes of it.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if room := keptBytes - len(line); len(part) > room {
			line = append(line, part[:max(room, 0)]...)
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return trimEnd(line), err
		}
	}
}

func trimEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// Shuffled reads all lines first and delivers them in an order that the seed decides.
func Shuffled(seed uint64, read func(each func(Line) error) error, each func(Line) error) error {
	var lines []Line
	if err := read(func(l Line) error { lines = append(lines, l); return nil }); err != nil {
		return err
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for _, l := range lines {
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}

// feedMessages wait before Feed has some of them handled: so many that what a batch reads and writes serves several
// messages, and so few that they and their rows stay near the processor. 200,000 events with 1, 4,096, 16,384 and 65,536 took
// 7.3, 5.2, 4.1 and 4.2 s of processor time.
const feedMessages = 16384

// decodeBatch is how many lines are decoded before they are handed over.
const decodeBatch = 512

type decoded struct {
	line   Line
	result ingest.Result
}

// Feed delivers all lines to the pipeline, stamped with the time now, and runs it as they come; decoding has a goroutine
// of its own. after is called with what became of each line, in order. Finish is still to be called.
func (p *Pipeline) Feed(ctx context.Context, now schemas.Millis, read func(each func(Line) error) error, after func(Line, ingest.Result)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan []decoded, 4)
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		failed <- p.decode(ctx, now, read, batches)
	}()
	for batch := range batches {
		for _, d := range batch {
			p.Add(d.result, now)
			after(d.line, d.result)
		}
		if p.waiting >= feedMessages {
			p.round()
		}
		if p.err != nil {
			return p.err
		}
	}
	return <-failed
}

func (p *Pipeline) decode(ctx context.Context, now schemas.Millis, read func(each func(Line) error) error, batches chan<- []decoded) error {
	batch := make([]decoded, 0, decodeBatch)
	send := func() error {
		select {
		case batches <- batch:
			batch = make([]decoded, 0, decodeBatch)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := read(func(l Line) error {
		batch = append(batch, decoded{l, p.config.Ingest.Record(l.Value, now)})
		if len(batch) == cap(batch) {
			return send()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return send()
}
