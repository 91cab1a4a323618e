package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// scanAll reads a file: its rows, with damaged ones as "line:column message".
func scanAll(t testing.TB, in io.Reader) (rows [][]string, places [][2]int, damaged []string) {
	s := newScanner(in, ',')
	for {
		err := s.next()
		if err == io.EOF {
			return rows, places, damaged
		}
		var d *damage
		if errors.As(err, &d) {
			damaged = append(damaged, fmt.Sprintf("%d:%d %s", d.line, d.column, d.message))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var row []string
		for _, f := range s.fields {
			row = append(row, string(s.raw[f.from:f.to]))
			places = append(places, [2]int{f.line, f.column})
		}
		rows = append(rows, row)
	}
}

// The naive twin is encoding/csv: whatever it reads without an error, the scanner reads as the same.
func TestAgainstEncodingCSV(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"a", "b c", ",", ",", "\n", "\r\n", "\n", `"`, `""`, `"x"`, "\"x\ny\"", `"a""b"`, "é", " ", "\r"}
	read := 0
	for range 30_000 {
		var b strings.Builder
		for range r.IntN(10) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		text := b.String()
		naive := csv.NewReader(strings.NewReader(text))
		naive.FieldsPerRecord = -1
		var want [][]string
		var places [][2]int
		var err error
		for {
			var row []string
			if row, err = naive.Read(); err != nil {
				break
			}
			want = append(want, row)
			for i := range row {
				line, column := naive.FieldPos(i)
				places = append(places, [2]int{line, column})
			}
		}
		got, gotPlaces, damaged := scanAll(t, strings.NewReader(text))
		if err != io.EOF {
			if len(damaged) == 0 {
				t.Fatalf("%q: encoding/csv says %v, the scanner nothing", text, err)
			}
			continue
		}
		read++
		if len(damaged) > 0 || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || fmt.Sprint(gotPlaces) != fmt.Sprint(places) {
			t.Fatalf("%q\ngot  %q at %v, damage %v\nwant %q at %v", text, got, gotPlaces, damaged, want, places)
		}
		slow, _, _ := scanAll(t, iotest.OneByteReader(strings.NewReader(text)))
		if fmt.Sprintf("%q", slow) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q byte by byte is %q, want %q", text, slow, want)
		}
	}
	if read < 5_000 {
		t.Errorf("only %d files were without a fault", read)
	}
}

// A damaged row costs one row; line numbers stay right behind it.
func TestDamageCostsOneRow(t *testing.T) {
	long := strings.Repeat("x", maxRecord+10)
	cases := []struct{ name, text, rows, damaged string }{
		{"open quote", "a,b\n1,\"open\n2,x\n3,y\n", "[[a b] [2 x] [3 y]]", "[2:3 the quote is not closed before the end of the file]"},
		{"open quote, closed by a later one", "a,b\n1,\"open\n2,\"x\"\n3,y\n", "[[a b] [2 x] [3 y]]", "[3:4 text behind the closing quote of a value]"},
		{"quote inside", "a,5\" pipe\nb,c\n", "[[b c]]", "[1:4 a quote inside of a value that does not begin with one]"},
		{"two damaged rows", "\"a\nb\"c\nd\n\"e", "[[d]]",
			"[2:3 text behind the closing quote of a value 2:2 a quote inside of a value that does not begin with one 4:1 the quote is not closed before the end of the file]"},
		{"long line", "a\n" + long + "\nb\n", "[[a] [b]]", "[2:1 a line of more than 1 MiB]"},
		{"long line in an open quote", "a\n\"b\nc\n" + long + "\nd\n", "[[a] [c] [d]]",
			"[2:1 the quote is not closed within 1 MiB 4:1 a line of more than 1 MiB]"},
		{"many lines in an open quote", "a\n\"b\n" + strings.Repeat("c\n", maxRecord), fmt.Sprint(append([][]string{{"a"}}, many("c", maxRecord)...)),
			"[2:1 the quote is not closed within 1 MiB]"},
	}
	for _, c := range cases {
		rows, _, damaged := scanAll(t, strings.NewReader(c.text))
		if got := fmt.Sprint(rows); got != c.rows {
			t.Errorf("%s: rows %.200s, want %.200s", c.name, got, c.rows)
		}
		if got := fmt.Sprint(damaged); got != c.damaged {
			t.Errorf("%s: damage %v, want %s", c.name, got, c.damaged)
		}
	}
}

func many(value string, n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		rows[i] = []string{value}
	}
	return rows
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("a,b\n\"x\ny\",\"\"\"\"\r\n\n\"open\nz\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newScanner(bytes.NewReader(text), ',')
		last := 0
		for {
			err := s.next()
			if err == io.EOF {
				break
			}
			var d *damage
			if err != nil && !errors.As(err, &d) {
				t.Fatal(err)
			}
			if d != nil && (d.line < 1 || d.column < 1) {
				t.Errorf("damage without a place: %+v", d)
			}
			if d == nil && (len(s.fields) == 0 || s.fields[0].line <= last) {
				t.Errorf("%d fields at line %d after line %d", len(s.fields), s.fields[0].line, last)
			}
			if d == nil {
				last = s.fields[0].line
			}
		}
		if s.bytes != int64(len(text)) {
			t.Errorf("%d of %d bytes were read", s.bytes, len(text))
		}
	})
}
