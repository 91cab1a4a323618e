package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"tributary/stream/yamldoc"
)

// Sink takes one event. Key is a value by which events of a person tend to go together; both are the sink's until it
// returns. An error ends the import.
type Sink func(key, value []byte) error

// Options of an import. The zero value goes on behind every damaged row, keeps no errors and reports no progress.
type Options struct {
	Strict     bool           // end at the first row that gives no event
	KeepErrors int            // so many RowErrors are kept in the summary; all are counted
	Progress   func(Progress) // called about every 10,000 rows
}

// Progress says how far an import is.
type Progress struct {
	Rows, Events, Refused int
	Bytes                 int64 // of the file read so far
}

// Summary says what became of a file.
type Summary struct {
	Progress
	Passed  int            // rows that `only` passes over
	Types   map[string]int // events by type
	Errors  []RowError     // the first ones
	Columns []string       // that no template and no condition uses
}

// RowError says that one row gave no event, and why. It shows nothing of the row.
type RowError struct {
	File   string
	Line   int // on which the row, or the value, begins
	Column int // in bytes, from 1
	Name   string
	Reason string
}

func (e RowError) Error() string {
	name := ""
	if e.Name != "" {
		name = fmt.Sprintf("column %q: ", e.Name)
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", e.File, e.Line, e.Column, name, e.Reason)
}

const progressRows = 10_000

// Import reads a CSV file and gives its events to sink, in the order of the rows. file is its path, for errors; {file} is
// the last part of it, so that the same file in another folder gives the same ids.
//
// The error is nil unless the file as a whole cannot be read (its header lacks columns, the reader fails), sink fails, ctx
// ends, or, with Strict, a row is refused; then it is that RowError. Rows that are refused otherwise are in the summary
// only. The summary is right up to the point of the error.
func (m *Mapping) Import(ctx context.Context, file string, in io.Reader, sink Sink, o Options) (Summary, error) {
	i := importing{Mapping: m, file: file, scan: newScanner(in, m.comma), sink: sink, options: o}
	i.summary.Types = map[string]int{}
	err := i.run(ctx)
	i.summary.Bytes = i.scan.bytes
	return i.summary, err
}

// importing is one import under way.
type importing struct {
	*Mapping
	file    string
	scan    *scanner
	sink    Sink
	options Options
	summary Summary
	event   event
	columns []string
}

func (i *importing) run(ctx context.Context) error {
	if err := i.header(); err != nil {
		return fmt.Errorf("%s: %w", i.file, err)
	}
	for {
		err := i.scan.next()
		if err == io.EOF {
			return nil
		}
		var damaged *damage
		if err != nil && !errors.As(err, &damaged) {
			return fmt.Errorf("%s: %w", i.file, err)
		}
		i.summary.Rows++
		if i.summary.Rows%progressRows == 0 {
			i.progress()
		}
		if i.summary.Rows%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if damaged != nil {
			err = i.refuse(RowError{Line: damaged.line, Column: damaged.column, Reason: damaged.message})
		} else {
			err = i.row()
		}
		if err != nil {
			return err
		}
	}
}

func (i *importing) progress() {
	if i.options.Progress != nil {
		i.summary.Bytes = i.scan.bytes
		i.options.Progress(i.summary.Progress)
	}
}

// header finds the columns of the mapping in the file.
func (i *importing) header() error {
	if err := i.scan.skipMark(); err != nil {
		return err
	}
	if i.columns = i.CSV.Columns; len(i.columns) == 0 {
		err := i.scan.next()
		if err == io.EOF {
			return errors.New("the file is empty: it has no header")
		}
		var damaged *damage
		if errors.As(err, &damaged) {
			return fmt.Errorf("header, line %d, column %d: %w", damaged.line, damaged.column, damaged)
		}
		if err != nil {
			return err
		}
		for _, f := range i.scan.fields {
			i.columns = append(i.columns, strings.TrimSpace(string(i.scan.raw[f.from:f.to])))
		}
	}
	index := map[string]int{}
	var faults []error
	names, places := i.Mapping.columns()
	for k, name := range names {
		at := slices.Index(i.columns, name)
		switch {
		case at < 0:
			faults = append(faults, i.missing(name, places[k]))
		case slices.Contains(i.columns[at+1:], name):
			faults = append(faults, fmt.Errorf("the header has column %q twice", name))
		}
		index[name] = at
	}
	for _, name := range i.columns {
		if !slices.Contains(names, name) {
			i.summary.Columns = append(i.summary.Columns, name)
		}
	}
	i.event = newEvent(i.Mapping, i.file, index)
	return errors.Join(faults...)
}

func (i *importing) missing(name, place string) error {
	hint := ""
	if near := yamldoc.Nearest(name, i.columns); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return fmt.Errorf("the header has no column %q, which the mapping uses for %s%s", name, place, hint)
}

// row makes an event of the row that was scanned.
func (i *importing) row() error {
	s := i.scan
	if len(s.fields) != len(i.columns) {
		return i.refuse(RowError{Line: s.fields[0].line, Column: 1,
			Reason: fmt.Sprintf("%d values where there are %d columns", len(s.fields), len(i.columns))})
	}
	for k, f := range s.fields {
		if !utf8.Valid(s.raw[f.from:f.to]) {
			return i.refuseField(k, "not valid UTF-8")
		}
	}
	e := &i.event
	switch problem := e.build(s.raw, s.fields, i.summary.Rows); {
	case e.passed:
		i.summary.Passed++
		return nil
	case problem != nil:
		return i.refuseField(e.columnOf(problem.path), problem.reason)
	}
	if err := i.sink(e.key, e.value); err != nil {
		return err
	}
	i.summary.Events++
	i.summary.Types[e.typ]++
	return nil
}

// refuseField refuses the row for the value in a column; -1 for none in particular.
func (i *importing) refuseField(column int, reason string) error {
	if column < 0 {
		return i.refuse(RowError{Line: i.scan.fields[0].line, Column: 1, Reason: reason})
	}
	f := i.scan.fields[column]
	return i.refuse(RowError{Line: f.line, Column: f.column, Name: i.columns[column], Reason: reason})
}

func (i *importing) refuse(e RowError) error {
	e.File = i.file
	i.summary.Refused++
	if len(i.summary.Errors) < i.options.KeepErrors {
		i.summary.Errors = append(i.summary.Errors, e)
	}
	if i.options.Strict {
		return e
	}
	return nil
}
