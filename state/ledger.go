package state

import (
	"math"

	"tributary/identity"
)

// Ledger is how the events ended whose way ended in this partition, over all of its life.
func (r *Rows) Ledger() (l identity.Ledger) {
	stored := r.read(r.ledgerKey())
	if stored == nil {
		return l
	}
	l, err := decodeLedger(stored)
	r.fail(KindLedger, err)
	return l
}

// AddLedger adds to the sums of the partition.
func (r *Rows) AddLedger(more identity.Ledger) {
	l := r.Ledger()
	l.Sum(more)
	r.value = appendLedger(r.value[:0], l)
	r.update(r.ledgerKey(), r.value)
}

func (r *Rows) ledgerKey() []byte { return appendHead(nil, r.partition, KindLedger) }

// LedgerEntry reads a changelog entry of a partition's sums. ok is false for an entry of another kind, or one that deletes.
func LedgerEntry(e Entry) (l identity.Ledger, ok bool, err error) {
	if len(e.Key) != 1 || Kind(e.Key[0]) != KindLedger || e.Value == nil {
		return l, false, nil
	}
	l, err = decodeLedger(e.Value)
	return l, err == nil, err
}

func appendLedger(b []byte, l identity.Ledger) []byte {
	b = append(b, version1)
	for _, n := range []int64{l.Applied, l.Duplicate, l.Conflict, l.Forgotten, l.Shared, l.Expired} {
		b = appendUint(b, uint64(n))
	}
	return b
}

func decodeLedger(value []byte) (l identity.Ledger, err error) {
	r := read(KindLedger, value, version1)
	for _, n := range []*int64{&l.Applied, &l.Duplicate, &l.Conflict, &l.Forgotten, &l.Shared, &l.Expired} {
		v := r.uint()
		if v > math.MaxInt64 {
			r.fail("number too large")
		}
		*n = int64(v)
	}
	return l, r.end()
}
