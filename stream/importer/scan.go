package importer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord bounds one row, in bytes: an event may not be larger either. It is also how far an open quote is followed.
const maxRecord = 1 << 20

// scanner reads the rows of a CSV file (RFC 4180, with any one-byte delimiter and with \n or \r\n at the ends of lines). It
// goes on behind a damaged row: at the line after the one on which that row began, so a stray quote costs one row and not
// the rest of the file. Lines with nothing on them are passed over.
type scanner struct {
	in    *bufio.Reader
	comma byte
	line  int   // number of the last line read
	bytes int64 // read from in

	again  [][]byte // lines that a damaged row had swallowed, to be read before in; nil: one that was too long to keep
	raw    []byte   // the values of the current row, one behind the other
	fields []field
}

// field is one value of a row: raw[from:to], and where it began in the file.
type field struct{ from, to, line, column int }

// damage is a fault of the file's form. Reading goes on behind it.
type damage struct {
	line, column int
	message      string
}

func (d *damage) Error() string { return d.message }

func newScanner(in io.Reader, comma byte) *scanner {
	return &scanner{in: bufio.NewReaderSize(in, 64<<10), comma: comma}
}

// errUTF16 is for the files that spreadsheets call "Unicode text".
var errUTF16 = errors.New("the file is UTF-16: save it as UTF-8")

// skipMark passes over a byte order mark.
func (s *scanner) skipMark() error {
	start, err := s.in.Peek(3)
	if bytes.HasPrefix(start, []byte{0xfe, 0xff}) || bytes.HasPrefix(start, []byte{0xff, 0xfe}) {
		return errUTF16
	}
	if bytes.Equal(start, []byte{0xef, 0xbb, 0xbf}) {
		s.in.Discard(3)
		s.bytes += 3
	}
	if err != nil && err != io.EOF {
		return err
	}
	return nil
}

// next reads a row into raw and fields. The error is io.EOF at the end, a *damage, or that of the reader.
func (s *scanner) next() error {
	s.raw, s.fields = s.raw[:0], s.fields[:0]
	line, err := s.readLine()
	for err == nil && len(line) == 0 {
		line, err = s.readLine()
	}
	if err != nil {
		return err
	}
	return s.row(line)
}

// row cuts a row into fields, and reads more lines while a quote is open.
func (s *scanner) row(line []byte) error {
	first := s.line
	var more [][]byte // further lines of this row
	at := 0           // in line
	for {
		f := field{from: len(s.raw), line: s.line, column: at + 1}
		if at < len(line) && line[at] == '"' {
			var problem *damage
			var err error
			line, at, more, problem, err = s.quoted(line, at+1, more)
			if err != nil {
				return err
			}
			if problem != nil {
				if problem.line == 0 {
					problem.line, problem.column = f.line, f.column
				}
				s.rewind(first, more)
				return problem
			}
		} else {
			end := bytes.IndexByte(line[at:], s.comma)
			if end < 0 {
				end = len(line) - at
			}
			value := line[at : at+end]
			if quote := bytes.IndexByte(value, '"'); quote >= 0 {
				problem := &damage{s.line, at + quote + 1, "a quote inside of a value that does not begin with one"}
				s.rewind(first, more)
				return problem
			}
			s.raw = append(s.raw, value...)
			at += end
		}
		f.to = len(s.raw)
		s.fields = append(s.fields, f)
		if at == len(line) {
			return nil
		}
		at++ // the delimiter; behind the last one of a line there is one more, empty value
	}
}

// quoted reads a value behind its opening quote. It returns the line on which the value ends, the place behind the closing
// quote, and more with the lines that it read. A problem without a line means the opening quote.
func (s *scanner) quoted(line []byte, at int, more [][]byte) ([]byte, int, [][]byte, *damage, error) {
	size := len(line)
	for {
		end := bytes.IndexByte(line[at:], '"')
		if end >= 0 {
			s.raw = append(s.raw, line[at:at+end]...)
			at += end + 1
			switch {
			case at < len(line) && line[at] == '"':
				s.raw = append(s.raw, '"')
				at++
				continue
			case at < len(line) && line[at] != s.comma:
				return line, at, more, &damage{s.line, at + 1, "text behind the closing quote of a value"}, nil
			}
			return line, at, more, nil, nil
		}
		s.raw = append(append(s.raw, line[at:]...), '\n')
		var err error
		if size > maxRecord {
			return line, at, more, &damage{message: "the quote is not closed within 1 MiB"}, nil
		}
		if line, err = s.readLine(); err == io.EOF {
			return line, at, more, &damage{message: "the quote is not closed before the end of the file"}, nil
		}
		if err != nil {
			var long *damage
			if errors.As(err, &long) {
				return line, at, append(more, nil), &damage{message: "the quote is not closed within 1 MiB"}, nil
			}
			return line, at, more, nil, err
		}
		// The line is kept, since the reader's buffer is used again and a damaged row gives it back.
		line = bytes.Clone(line)
		more = append(more, line)
		size += len(line) + 1
		at = 0
	}
}

// rewind makes the lines that follow the first one of a damaged row come again.
func (s *scanner) rewind(first int, more [][]byte) {
	s.again = append(more, s.again...)
	s.line = first
}

// readLine returns the next line without its end. It is valid until the next call.
func (s *scanner) readLine() ([]byte, error) {
	if len(s.again) > 0 {
		line := s.again[0]
		s.again = s.again[1:]
		s.line++
		if line == nil {
			return nil, s.tooLong()
		}
		return line, nil
	}
	line, err := s.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, err = s.longLine(line)
	} else {
		s.bytes += int64(len(line))
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	s.line++
	if len(line) > maxRecord {
		return nil, s.tooLong()
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

func (s *scanner) tooLong() error { return &damage{s.line, 1, "a line of more than 1 MiB"} }

// longLine reads on where the buffer was too small. Of a line that is too long it keeps no more than shows that.
func (s *scanner) longLine(start []byte) ([]byte, error) {
	line := bytes.Clone(start)
	s.bytes += int64(len(start))
	for {
		more, err := s.in.ReadSlice('\n')
		s.bytes += int64(len(more))
		if len(line) <= maxRecord {
			line = append(line, more...)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}
