package state

import (
	"encoding/binary"
	"slices"

	"tributary/identity"
	"tributary/schemas"
)

// The values of rows, as FORMAT.md describes them. What the key says is not repeated in the value. A decoded value may
// keep slices of the bytes that it was read from.

// version1 is the version of every value so far.
const version1 = 1

const (
	nodeShared = 1 << iota
	nodeParent
	nodeCut
	nodeLatest
	nodeReason
	nodeBelow
)

func appendNode(b []byte, n identity.Node) []byte {
	b = append(b, version1, flag(n.Shared, nodeShared)|flag(!n.Root(), nodeParent)|flag(n.Cut != 0, nodeCut)|flag(n.Latest != 0, nodeLatest)|
		flag(n.Reason != 0, nodeReason)|flag(n.Below != 0, nodeBelow))
	b = appendUint(b, uint64(n.Gen))
	b = appendUint(b, uint64(n.Degree))
	b = appendUint(b, uint64(n.Members))
	if !n.Root() {
		b = append(b, n.Parent.ID[:]...)
		b = appendUint(b, uint64(n.Parent.Gen))
	}
	if n.Cut != 0 {
		b = appendMillis(b, n.Cut)
	}
	if n.Latest != 0 {
		b = appendMillis(b, n.Latest)
	}
	if n.Reason != 0 {
		b = append(b, byte(n.Reason))
	}
	if n.Below != 0 {
		b = appendUint(b, uint64(n.Below))
	}
	return b
}

func decodeNode(value []byte) (n identity.Node, err error) {
	r := read(KindNode, value, version1)
	f := r.flags(nodeShared | nodeParent | nodeCut | nodeLatest | nodeReason | nodeBelow)
	n.Shared = f&nodeShared != 0
	n.Gen, n.Degree, n.Members = r.uint32(), r.uint32(), r.uint32()
	if f&nodeParent != 0 {
		n.Parent = identity.Ref{ID: r.id(), Gen: r.uint32()}
		if n.Root() {
			r.fail("a zero that should be left out")
		}
	}
	if f&nodeCut != 0 {
		n.Cut = r.there()
	}
	if f&nodeLatest != 0 {
		n.Latest = r.there()
	}
	if f&nodeReason != 0 {
		if reason := r.bytes(1); reason != nil {
			n.Reason = identity.Reason(reason[0])
		}
		if n.Reason == 0 {
			r.fail("a zero that should be left out")
		}
	}
	if f&nodeBelow != 0 {
		if n.Below = r.uint32(); n.Below == 0 {
			r.fail("a zero that should be left out")
		}
	}
	return n, r.end()
}

func appendNeighbour(b []byte, n identity.Neighbour) []byte {
	b = append(b, version1, flag(n.Link, 1))
	return appendMillis(appendMillis(b, n.First), n.Last-n.First)
}

// decodeNeighbour leaves the ID, which is in the key, to its caller.
func decodeNeighbour(value []byte) (n identity.Neighbour, err error) {
	r := read(KindNeighbour, value, version1)
	n.Link = r.flags(1) != 0
	n.First = r.time()
	n.Last = n.First + r.time()
	return n, r.end()
}

func appendSeen(b []byte) []byte { return append(b, version1) }

func decodeSeen(value []byte) (struct{}, error) {
	r := read(KindSeen, value, version1)
	return struct{}{}, r.end()
}

func appendMember(b []byte, gen uint32) []byte { return appendUint(append(b, version1), uint64(gen)) }

func decodeMember(value []byte) (gen uint32, err error) {
	r := read(KindMember, value, version1)
	gen = r.uint32()
	return gen, r.end()
}

// appendFact writes the home as its place in the list, since that is where it nearly always is: 0 none, i+1 the i-th, one
// more than the last an identifier that follows.
func appendFact(b []byte, f identity.Fact) []byte {
	b = appendUint(append(b, version1), uint64(len(f.IDs)))
	home := slices.Index(f.IDs, f.Home)
	switch {
	case f.Home == identity.None:
		b = appendUint(b, 0)
	case home >= 0:
		b = appendUint(b, uint64(home)+1)
	default:
		b = appendUint(b, uint64(len(f.IDs))+1)
		b = append(b, f.Home[:]...)
	}
	return append(appendIDs(b, f.IDs), f.Body...)
}

// decodeFact leaves event and time, which are in the key, to its caller. The body is part of the value.
func decodeFact(k Kind, value []byte) (f identity.Fact, err error) {
	r := read(k, value, version1)
	n, home := r.uint(), r.uint()
	elsewhere := home == n+1 && home != 0
	if elsewhere {
		f.Home = r.id()
	}
	f.IDs = r.ids(n)
	switch {
	case r.fault != "":
	case elsewhere:
		if f.Home == identity.None || slices.Contains(f.IDs, f.Home) {
			r.fail("home should be written shorter")
		}
	case home > n:
		r.fail("home beyond the list")
	case home > 0:
		f.Home = f.IDs[home-1]
		if f.Home == identity.None || slices.Index(f.IDs, f.Home) != int(home-1) {
			r.fail("home should be written otherwise")
		}
	}
	f.Body = r.rest()
	return f, r.end()
}

func appendTerms(b []byte, t identity.Terms) []byte {
	b = append(b, flag(t.Erased, 1))
	b = appendUint(b, uint64(t.Version))
	b = appendMillis(b, t.Since)
	b = appendMillis(b, t.At)
	b = appendString(b, t.EventID)
	b = appendString(b, t.Name)
	b = appendMoney(b, t.Value)
	return appendInt(b, t.NetMinor)
}

func (r *reader) terms() identity.Terms {
	return identity.Terms{
		Erased:   r.flags(1) != 0,
		Version:  r.uint32(),
		Since:    r.time(),
		At:       r.time(),
		EventID:  r.string(),
		Name:     r.string(),
		Value:    r.money(),
		NetMinor: r.int(),
	}
}

const (
	heldCustody = 1 << iota
	heldFinal
	heldHome
	heldRecord // a revision or digest
)

func appendHeld(b []byte, h identity.Held) []byte { return appendHeldFields(append(b, version1), h) }

func appendHeldFields(b []byte, h identity.Held) []byte {
	record := h.Revision != 0 || h.Digest != 0
	b = append(b, flag(h.Custody, heldCustody)|flag(h.Final, heldFinal)|flag(h.Home != identity.None, heldHome)|flag(record, heldRecord))
	b = appendString(b, h.Conversion)
	b = appendTerms(b, h.Terms)
	if h.Home != identity.None {
		b = append(b, h.Home[:]...)
	}
	if record {
		b = appendUint(b, uint64(h.Revision))
		b = binary.BigEndian.AppendUint64(b, h.Digest)
	}
	return b
}

func decodeHeld(value []byte) (h identity.Held, err error) {
	r := read(KindHeld, value, version1)
	h = r.held()
	return h, r.end()
}

func (r *reader) held() (h identity.Held) {
	f := r.flags(heldCustody | heldFinal | heldHome | heldRecord)
	h.Custody, h.Final = f&heldCustody != 0, f&heldFinal != 0
	h.Conversion = r.string()
	h.Terms = r.terms()
	if f&heldHome != 0 {
		if h.Home = r.id(); h.Home == identity.None {
			r.fail("a zero that should be left out")
		}
	}
	if f&heldRecord != 0 {
		h.Revision = r.uint32()
		if digest := r.bytes(8); digest != nil {
			h.Digest = binary.BigEndian.Uint64(digest)
		}
		if h.Revision == 0 && h.Digest == 0 {
			r.fail("a zero that should be left out")
		}
	}
	return h
}

const (
	conversionOut = 1 << iota
	conversionParked
	conversionToken
)

func appendConversion(b []byte, c identity.Conversion) []byte {
	token := c.Token != identity.Held{}
	b = append(b, version1, flag(c.Out, conversionOut)|flag(c.Parked, conversionParked)|flag(token, conversionToken))
	b = appendString(b, c.ID)
	b = appendIDs(appendUint(b, uint64(len(c.IDs))), c.IDs)
	b = appendTerms(b, c.Terms)
	b = appendMillis(b, c.Erased)
	if token {
		b = appendHeldFields(b, c.Token)
	}
	return b
}

func decodeConversion(value []byte) (c identity.Conversion, err error) {
	r := read(KindConversion, value, version1)
	f := r.flags(conversionOut | conversionParked | conversionToken)
	c.Out, c.Parked = f&conversionOut != 0, f&conversionParked != 0
	c.ID = r.string()
	c.IDs = r.ids(r.uint())
	c.Terms = r.terms()
	c.Erased = r.time()
	if f&conversionToken != 0 {
		if c.Token = r.held(); c.Token == (identity.Held{}) {
			r.fail("a zero that should be left out")
		}
	}
	return c, r.end()
}

func appendStatement(b []byte, s identity.Statement) []byte {
	b = append(b, version1, flag(s.Refund, 1))
	b = appendString(b, s.EventID)
	b = appendMillis(b, s.At)
	b = appendString(b, s.Name)
	return appendMoney(b, s.Amount)
}

func decodeStatement(value []byte) (s identity.Statement, err error) {
	r := read(KindStatement, value, version1)
	s.Refund = r.flags(1) != 0
	s.EventID = r.string()
	s.At = r.time()
	s.Name = r.string()
	s.Amount = r.money()
	return s, r.end()
}

func appendPlain(b, value []byte) []byte { return append(append(b, version1), value...) }

func decodePlain(k Kind, value []byte) ([]byte, error) {
	r := read(k, value, version1)
	rest := r.rest()
	return rest, r.end()
}

// Copy is one fact of an event: deliveries of the event that differ in time, identifiers or content have a copy each.
type Copy struct {
	At   schemas.Millis
	Copy uint64 // identity.Fact.Copy
}

const copyBytes = 16

func appendCopies(b []byte, copies []Copy) []byte {
	b = append(b, version1)
	for _, c := range copies {
		b = binary.BigEndian.AppendUint64(appendTime(b, c.At), c.Copy)
	}
	return b
}

func decodeCopies(value []byte) ([]Copy, error) {
	r := read(kindEvent, value, version1)
	rest := r.rest()
	if r.fault == "" && (len(rest) == 0 || len(rest)%copyBytes != 0) {
		r.fail("not a list of copies")
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	copies := make([]Copy, 0, len(rest)/copyBytes+1)
	for ; len(rest) > 0; rest = rest[copyBytes:] {
		c := Copy{At: timeOf(rest), Copy: binary.BigEndian.Uint64(rest[8:])}
		if n := len(copies); n > 0 && compareCopies(copies[n-1], c) >= 0 {
			return nil, &FormatError{Kind: kindEvent, Version: version1, Detail: "copies out of order"}
		}
		copies = append(copies, c)
	}
	return copies, nil
}

func compareCopies(a, b Copy) int {
	switch {
	case a.At < b.At, a.At == b.At && a.Copy < b.Copy:
		return -1
	case a == b:
		return 0
	default:
		return 1
	}
}

func appendConflict(b []byte) []byte { return append(b, version1) }

func decodeConflict(value []byte) (struct{}, error) {
	r := read(kindConflict, value, version1)
	return struct{}{}, r.end()
}

// Position is how far the rows of one partition include its changelog. It is written with them, in one piece.
type Position struct {
	Topic [16]byte // id of the changelog topic: one that was deleted and made again has another
	Next  int64    // first offset that the rows do not include
	At    int64    // when they were last known to lack nothing: wall clock, epoch milliseconds
}

func appendPosition(b []byte, p Position) []byte {
	b = append(append(b, version1), p.Topic[:]...)
	return appendInt(appendInt(b, p.Next), p.At)
}

func decodePosition(value []byte) (p Position, err error) {
	r := read(kindPosition, value, version1)
	copy(p.Topic[:], r.bytes(16))
	p.Next, p.At = r.int(), r.int()
	return p, r.end()
}
