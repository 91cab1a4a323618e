package state

import (
	"encoding/binary"
	"fmt"
	"math"

	"tributary/identity"
	"tributary/schemas"
)

// Rows are the rows of one partition within a batch. They implement identity.Rows; the batch remembers the first error.
// Bytes within what they return may be kept, and must not be changed.
type Rows struct {
	batch     *Batch
	partition int32
	epoch     uint64 // of the partition when the batch first used it
	buf       [maxKeyBytes]byte
	value     []byte // scratch
	// youngest is the generation with which identifiers without a node begin, once counted.
	youngest uint32
	counted  bool
}

var _ identity.Rows = (*Rows)(nil)

// key is the key of a row, good until the next call.
func (r *Rows) key(k Kind, actor [idBytes]byte) []byte {
	return append(appendHead(r.buf[:0], r.partition, k), actor[:]...)
}

func (r *Rows) fail(k Kind, err error) {
	if err != nil {
		r.batch.fail(fmt.Errorf("state: partition %d: %w", r.partition, err))
	}
}

// idOf is the identifier or conversion that a key begins with.
func idOf(key string) (id identity.ID) {
	copy(id[:], key[partitionBytes+1:])
	return id
}

func (r *Rows) failed() bool { return r.batch.failed() }

// read is the value of a row, nil if there is none. The batch holds the row from then on.
func (r *Rows) read(key []byte) []byte {
	if r.failed() {
		return nil
	}
	return r.batch.load(r, key).value
}

func (r *Rows) write(key, value []byte) {
	if !r.failed() {
		r.batch.write(key, value)
	}
}

// update writes a row and looks what it was, so that a row that does not change stays out of the changelog.
func (r *Rows) update(key, value []byte) {
	if r.failed() {
		return
	}
	b := r.batch
	row := b.load(r, key)
	if b.err != nil || equalValues(row.value, value) {
		return
	}
	if value != nil {
		value = b.keep(value)
	}
	b.set(row, value)
}

// scan calls yield for an actor's rows of one kind, ascending, with what their keys say behind the actor.
func (r *Rows) scan(k Kind, actor [idBytes]byte, yield func(rest, value []byte) error) {
	if r.failed() {
		return
	}
	lower := append([]byte(nil), r.key(k, actor)...)
	r.batch.scan(r, lower, after(lower), func(key, value []byte) bool {
		err := yield(key[headBytes:], value)
		r.fail(k, err)
		return err == nil
	})
}

// Node implements identity.Rows.
func (r *Rows) Node(id identity.ID) identity.Node {
	value := r.read(r.key(KindNode, id))
	if value == nil {
		return identity.Node{Gen: r.generation()}
	}
	n, err := decodeNode(value)
	r.fail(KindNode, err)
	return n
}

// PutNode implements identity.Rows.
func (r *Rows) PutNode(id identity.ID, n identity.Node) {
	r.value = appendNode(r.value[:0], n)
	r.update(r.key(KindNode, id), r.value)
}

// DeleteNode implements identity.Rows.
func (r *Rows) DeleteNode(id identity.ID) bool {
	if r.read(r.key(KindNode, id)) == nil {
		return false
	}
	if next := r.Node(id).Gen + 1; next > r.generation() && !r.failed() {
		r.youngest = next
		r.PutPlain(KindGeneration, nil, appendUint(nil, uint64(next)))
	}
	r.update(r.key(KindNode, id), nil)
	return !r.failed()
}

// generation is the one with which identifiers without a node begin: later than any that was deleted.
func (r *Rows) generation() uint32 {
	if !r.counted {
		if value, ok := r.Plain(KindGeneration, nil); ok {
			g, err := decodeGeneration(value)
			r.youngest = g
			r.fail(KindGeneration, err)
		}
		r.counted = true
	}
	return r.youngest
}

func decodeGeneration(value []byte) (g uint32, err error) {
	r := reader{b: value, kind: KindGeneration, version: version1}
	g = r.uint32()
	return g, r.end()
}

// Horizon implements identity.Rows: rows by themselves refuse nothing.
func (r *Rows) Horizon() schemas.Millis { return 0 }

// pair is the key of a row between two identifiers.
func (r *Rows) pair(k Kind, actor, other [idBytes]byte) []byte {
	return append(r.key(k, actor), other[:]...)
}

// Neighbour implements identity.Rows.
func (r *Rows) Neighbour(of, id identity.ID) (identity.Neighbour, bool) {
	value := r.read(r.pair(KindNeighbour, of, id))
	if value == nil {
		return identity.Neighbour{}, false
	}
	n, err := decodeNeighbour(value)
	n.ID = id
	r.fail(KindNeighbour, err)
	return n, err == nil
}

// Neighbours implements identity.Rows.
func (r *Rows) Neighbours(of identity.ID) (all []identity.Neighbour) {
	r.scan(KindNeighbour, of, func(rest, value []byte) error {
		n, err := decodeNeighbour(value)
		n.ID = identity.ID(rest)
		all = append(all, n)
		return err
	})
	return all
}

// PutNeighbour implements identity.Rows.
func (r *Rows) PutNeighbour(of identity.ID, n identity.Neighbour) {
	r.value = appendNeighbour(r.value[:0], n)
	r.write(r.pair(KindNeighbour, of, n.ID), r.value)
}

// DeleteNeighbour implements identity.Rows.
func (r *Rows) DeleteNeighbour(of, id identity.ID) { r.update(r.pair(KindNeighbour, of, id), nil) }

func (r *Rows) seenKey(of identity.ID, list uint64) []byte {
	return binary.BigEndian.AppendUint64(r.key(KindSeen, of), list)
}

// Seen implements identity.Rows.
func (r *Rows) Seen(of identity.ID, list uint64) bool { return r.read(r.seenKey(of, list)) != nil }

// PutSeen implements identity.Rows.
func (r *Rows) PutSeen(of identity.ID, list uint64) {
	r.value = appendSeen(r.value[:0])
	r.update(r.seenKey(of, list), r.value)
}

// DeleteSeen implements identity.Rows.
func (r *Rows) DeleteSeen(of identity.ID) {
	var lists []uint64
	r.scan(KindSeen, of, func(rest, _ []byte) error {
		lists = append(lists, binary.BigEndian.Uint64(rest))
		return nil
	})
	for _, list := range lists {
		r.write(r.seenKey(of, list), nil)
	}
}

// Members implements identity.Rows.
func (r *Rows) Members(root identity.ID) (all []identity.Ref) {
	r.scan(KindMember, root, func(rest, value []byte) error {
		gen, err := decodeMember(value)
		all = append(all, identity.Ref{ID: identity.ID(rest), Gen: gen})
		return err
	})
	return all
}

// Member implements identity.Rows.
func (r *Rows) Member(root, id identity.ID) (identity.Ref, bool) {
	value := r.read(r.pair(KindMember, root, id))
	if value == nil {
		return identity.Ref{}, false
	}
	gen, err := decodeMember(value)
	r.fail(KindMember, err)
	return identity.Ref{ID: id, Gen: gen}, err == nil
}

// PutMember implements identity.Rows.
func (r *Rows) PutMember(root identity.ID, m identity.Ref) {
	r.value = appendMember(r.value[:0], m.Gen)
	r.update(r.pair(KindMember, root, m.ID), r.value)
}

// DeleteMember implements identity.Rows.
func (r *Rows) DeleteMember(root, id identity.ID) { r.update(r.pair(KindMember, root, id), nil) }

// Kept implements identity.Rows.
func (r *Rows) Kept(of identity.ID) []identity.Fact {
	return r.facts(KindKept, of, math.MinInt64, math.MaxInt64)
}

// PutKept implements identity.Rows.
func (r *Rows) PutKept(of identity.ID, f identity.Fact) {
	r.value = appendFact(r.value[:0], f)
	r.update(r.placeKey(KindKept, of, &f, f.Copy()), r.value)
}

// DeleteKept implements identity.Rows.
func (r *Rows) DeleteKept(of identity.ID, f identity.Fact) {
	r.update(r.placeKey(KindKept, of, &f, f.Copy()), nil)
}

// Held implements identity.Rows.
func (r *Rows) Held(root identity.ID, k identity.ConversionKey) (identity.Held, bool) {
	value := r.read(r.pair(KindHeld, root, k))
	if value == nil {
		return identity.Held{}, false
	}
	h, err := decodeHeld(value)
	r.fail(KindHeld, err)
	return h, err == nil
}

// Helds implements identity.Rows.
func (r *Rows) Helds(root identity.ID) (all []identity.Held) {
	r.scan(KindHeld, root, func(_, value []byte) error {
		h, err := decodeHeld(value)
		all = append(all, h)
		return err
	})
	return all
}

// PutHeld implements identity.Rows.
func (r *Rows) PutHeld(root identity.ID, h identity.Held) {
	r.value = appendHeld(r.value[:0], h)
	r.update(r.pair(KindHeld, root, identity.ConversionKeyOf(h.Conversion)), r.value)
}

// DeleteHeld implements identity.Rows.
func (r *Rows) DeleteHeld(root identity.ID, k identity.ConversionKey) {
	r.update(r.pair(KindHeld, root, k), nil)
}

// Conversion implements identity.Rows.
func (r *Rows) Conversion(k identity.ConversionKey) (identity.Conversion, bool) {
	value := r.read(r.key(KindConversion, k))
	if value == nil {
		return identity.Conversion{}, false
	}
	c, err := decodeConversion(value)
	r.fail(KindConversion, err)
	return c, err == nil
}

// PutConversion implements identity.Rows.
func (r *Rows) PutConversion(k identity.ConversionKey, c identity.Conversion) {
	r.value = appendConversion(r.value[:0], c)
	r.update(r.key(KindConversion, k), r.value)
}

// DeleteConversion implements identity.Rows.
func (r *Rows) DeleteConversion(k identity.ConversionKey) { r.update(r.key(KindConversion, k), nil) }

func (r *Rows) statementKey(k identity.ConversionKey, e identity.EventKey) []byte {
	return append(r.key(KindStatement, k), e[:]...)
}

// Statement implements identity.Rows.
func (r *Rows) Statement(k identity.ConversionKey, e identity.EventKey) (identity.Statement, bool) {
	value := r.read(r.statementKey(k, e))
	if value == nil {
		return identity.Statement{}, false
	}
	s, err := decodeStatement(value)
	r.fail(KindStatement, err)
	return s, err == nil
}

// Statements implements identity.Rows.
func (r *Rows) Statements(k identity.ConversionKey) (all []identity.Statement) {
	r.scan(KindStatement, k, func(_, value []byte) error {
		s, err := decodeStatement(value)
		all = append(all, s)
		return err
	})
	return all
}

// PutStatement implements identity.Rows.
func (r *Rows) PutStatement(k identity.ConversionKey, e identity.EventKey, s identity.Statement) {
	r.value = appendStatement(r.value[:0], s)
	r.update(r.statementKey(k, e), r.value)
}

// DeleteStatement implements identity.Rows.
func (r *Rows) DeleteStatement(k identity.ConversionKey, e identity.EventKey) {
	r.update(r.statementKey(k, e), nil)
}
