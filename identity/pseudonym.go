package identity

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"

	"tributary/schemas"
)

// Keyring holds the key under which identifiers become pseudonyms, and during a rotation the one before it. The zero
// Keyring has no key and must not be used.
type Keyring struct {
	active, previous Key
}

// NewKeyring makes a keyring; previous is the zero Key except during a rotation. The active key has to have the greater
// id: pseudonyms of one rank are ordered by key id first, so the customers that exist keep their root, and with it their
// public id, when the new pseudonyms join them.
func NewKeyring(active, previous Key) (Keyring, error) {
	switch {
	case active.IsZero():
		return Keyring{}, errors.New("identity keys: no active key")
	case previous.IsZero():
	case active.same(previous):
		return Keyring{}, errors.New("identity keys: the active key and the previous one have the same secret")
	case active.id <= previous.id:
		return Keyring{}, fmt.Errorf("identity keys: the active key has id %d, which has to be greater than %d, the id of the previous one", active.id, previous.id)
	}
	return Keyring{active: active, previous: previous}, nil
}

// Active is the key under which new pseudonyms are made.
func (r Keyring) Active() Key { return r.active }

// Previous is the key before the active one, or the zero Key when no rotation is under way.
func (r Keyring) Previous() Key { return r.previous }

// appendIDs appends the pseudonym under the active key and, during a rotation, the one under the previous key.
func (r Keyring) appendIDs(dst []ID, n Normal) []ID {
	dst = append(dst, r.active.pseudonym(n))
	if !r.previous.IsZero() {
		dst = append(dst, r.previous.pseudonym(n))
	}
	return dst
}

// pseudonym is the rank of the type, the key id, and the first 14 bytes of HMAC-SHA-256(secret, type name ‖ 0x00 ‖ normal
// form). A type name holds no 0x00, so no two identifiers have the same message.
func (k Key) pseudonym(n Normal) (id ID) {
	macs := k.macs()
	m := macs.take()
	m.in = append(m.in, n.typ.Name...)
	m.in = append(m.in, 0)
	m.in = append(m.in, *n.text...)
	id[0], id[1] = n.typ.Rank, k.id
	copy(id[2:], m.sum())
	macs.give(m)
	return id
}

// customerLabel begins with 0x00, which no message of a pseudonym does.
const customerLabel = "\x00customer\x00"

var customerEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// CustomerID is the public id of the customer whose journey root holds, forgotten up to cut (0: never): "c_" and 26
// letters and digits, the first 128 bits of an HMAC of both. It is always the same for the same three arguments, and
// without the key nobody can tell whether two of them have the same root: after an erasure the new id cannot be linked to
// the old one. So the key must outlive the rotation of identifier keys; give the customers' key, not the active one.
//
//	c_5fq3zt6wq4o7yk2m6rj2n3xw4e
func CustomerID(k Key, root ID, cut schemas.Millis) string {
	macs := k.macs()
	m := macs.take()
	m.in = append(m.in, customerLabel...)
	m.in = append(m.in, root[:]...)
	m.in = binary.BigEndian.AppendUint64(m.in, uint64(cut))
	text := make([]byte, 0, 2+26)
	text = customerEncoding.AppendEncode(append(text, "c_"...), m.sum()[:16])
	macs.give(m)
	return string(text)
}
