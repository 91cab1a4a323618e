package roles

import "github.com/twmb/franz-go/pkg/kgo"

// press makes records. A transaction has thousands of small ones, so their memory comes in pieces; a piece lives until
// nobody has any of its records any more, which is soon after the transaction has ended.
type press struct {
	records []kgo.Record // room for more
	bytes   []byte       // the same
	scratch []byte
}

const (
	pressRecords = 128
	pressBytes   = 32 << 10
)

func (p *press) record(r kgo.Record) *kgo.Record {
	if len(p.records) == 0 {
		p.records = make([]kgo.Record, pressRecords)
	}
	made := &p.records[0]
	p.records = p.records[1:]
	*made = r
	return made
}

// write returns what encode appends.
func (p *press) write(encode func([]byte) []byte) []byte {
	p.scratch = encode(p.scratch[:0])
	return p.keep(p.scratch)
}

// keep is a copy of b.
func (p *press) keep(b []byte) []byte {
	if len(b) > pressBytes/8 { // a piece of its own: nothing small shall hold it
		return append([]byte(nil), b...)
	}
	if len(b) > len(p.bytes) {
		p.bytes = make([]byte, pressBytes)
	}
	kept := p.bytes[:len(b):len(b)]
	p.bytes = p.bytes[len(b):]
	copy(kept, b)
	return kept
}
