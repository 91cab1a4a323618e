package local_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"tributary/schemas"
	"tributary/stream/ingest"
	"tributary/stream/local"
)

func readLines(t testing.TB, r io.Reader) (lines []local.Line) {
	if err := local.ReadLines("f", r, func(l local.Line) error { lines = append(lines, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return lines
}

// naiveLines splits the whole text at once.
func naiveLines(text []byte) (lines []local.Line) {
	for i, value := range bytes.Split(text, []byte("\n")) {
		if value = bytes.TrimSuffix(value, []byte("\r")); len(value) > 0 {
			lines = append(lines, local.Line{File: "f", Number: i + 1, Value: value})
		}
	}
	return lines
}

func sameLine(got, want local.Line) bool {
	if len(want.Value) > schemas.MaxEventBytes { // cut, but still too long
		return got.Number == want.Number && len(got.Value) > schemas.MaxEventBytes && bytes.HasPrefix(want.Value, got.Value)
	}
	return got.File == want.File && got.Number == want.Number && bytes.Equal(got.Value, want.Value)
}

func FuzzReadLines(f *testing.F) {
	for _, text := range []string{"", "\n", "a", "a\n", "a\r\nb", "\r", "\r\n\r\n", "a\n\n\nb\n", "a\rb\n", "\n\r\n a\r\r\n"} {
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, slowly bool) {
		var r io.Reader = bytes.NewReader(text)
		if slowly {
			r = iotest.OneByteReader(r)
		}
		if got, want := readLines(t, r), naiveLines(text); !slices.EqualFunc(got, want, sameLine) {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	})
}

// A line is too long or it is not, whatever its end; the next line is found either way.
func TestLongLines(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r\r\n", "\rx\n", "\r{}\r\n"} {
		for more := -4; more <= 4; more++ {
			text := []byte(strings.Repeat("x", schemas.MaxEventBytes+more) + end + "next")
			if got, want := readLines(t, bytes.NewReader(text)), naiveLines(text); !slices.EqualFunc(got, want, sameLine) {
				t.Errorf("%d bytes and %q: %d lines, the first of %d bytes", schemas.MaxEventBytes+more, end, len(got), len(got[0].Value))
			}
		}
	}
}

func TestReadLinesFails(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("a\nb\nhalf of a li"), iotest.ErrReader(broken))
	lines := 0
	err := local.ReadLines("f", r, func(local.Line) error { lines++; return nil })
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "f:3: ") || lines != 2 {
		t.Errorf("%d lines and %v, want 2 and the reader's error with its line", lines, err)
	}
	err = local.ReadLines("f", strings.NewReader("a\nb\n"), func(local.Line) error { return broken })
	if err != broken {
		t.Errorf("%v, want the caller's error", err)
	}
}

// Shuffled delivers every line once, in an order that only the seed decides.
func TestShuffled(t *testing.T) {
	read := func(each func(local.Line) error) error {
		return local.ReadLines("f", strings.NewReader(strings.Repeat("x\n", 100)), each)
	}
	order := func(seed uint64) (numbers []int) {
		if err := local.Shuffled(seed, read, func(l local.Line) error { numbers = append(numbers, l.Number); return nil }); err != nil {
			t.Fatal(err)
		}
		return numbers
	}
	one, again, two := order(1), order(1), order(2)
	if !slices.Equal(one, again) || slices.Equal(one, two) || slices.IsSorted(one) {
		t.Errorf("seed 1 gives %v and %v, seed 2 %v", one, again, two)
	}
	slices.Sort(one)
	if len(slices.Compact(one)) != 100 {
		t.Errorf("%v are not 100 lines", one)
	}
}

// What reading fails with, feeding fails with, and it ends when its context does.
func TestFeedFails(t *testing.T) {
	broken := errors.New("broken")
	p, _, end := newPipeline(t)
	events := func(n int) func(func(local.Line) error) error {
		return func(each func(local.Line) error) error {
			for i := range n {
				if err := each(local.Line{File: "f", Number: i + 1, Value: goodEvent(i)}); err != nil {
					return err
				}
			}
			return broken
		}
	}
	if err := p.Feed(context.Background(), clock, events(1000), func(local.Line, ingest.Result) {}); err != broken {
		t.Errorf("%v, want the reader's error", err)
	}
	end()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Feed(ctx, clock, events(1<<60), func(local.Line, ingest.Result) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v after the context ended", err)
	}
}
