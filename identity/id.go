package identity

import (
	"bytes"
	"encoding/hex"
)

// ID is the pseudonym of one identifier: byte 0 is the rank of its type (1 is the strongest), byte 1 the id of the key,
// the other 14 bytes a keyed hash of type and normal form. Its byte order is the protocol's fixed total order: stronger
// types first, then by keyed hash, which nobody without the key can predict or choose. The zero ID means "none".
type ID [16]byte

// None is the ID of no identifier.
var None ID

// Less reports whether a comes before b in the fixed order.
func Less(a, b ID) bool { return Compare(a, b) < 0 }

// Compare is below 0 if a comes before b in the fixed order, 0 if they are the same, above 0 otherwise.
func Compare(a, b ID) int { return bytes.Compare(a[:], b[:]) }

// Rank is the rank of the identifier's type: 1 is the strongest.
func (id ID) Rank() uint8 { return id[0] }

// Type is the standard type of the identifier's rank, or "other": the name under which limits are set.
func (id ID) Type() string { return className(class(id)) }

// Key is the id of the key under which the identifier is a pseudonym.
func (id ID) Key() uint8 { return id[1] }

// String is the ID in hexadecimal: safe in logs, since it says nothing without the key.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
