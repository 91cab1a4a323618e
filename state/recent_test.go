package state

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"
)

// A table of rows answers like a map, whatever is written again, deleted or empty, and what it handed out stays.
func TestRowTableIsAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var table rowTable
	twin := map[string][]byte{}
	handed := map[string][]byte{} // by a copy of what it was
	for range 20_000 {
		key := fmt.Appendf(nil, "%d", r.IntN(3000))
		value, held := table.get(uint32(maphash.Bytes(keySeed, key)), key)
		want, there := twin[string(key)]
		if held != there || !equalValues(value, want) {
			t.Fatalf("%s: %q, %v, want %q, %v", key, value, held, want, there)
		}
		handed[string(value)] = value
		next := randomValue(r)
		table.put(string(key), next)
		twin[string(key)] = next
	}
	for was, is := range handed {
		if string(is) != was {
			t.Errorf("%d bytes changed after they were handed out", len(was))
		}
	}
}

// randomValue is sometimes nil, for a deletion, sometimes empty, and sometimes larger than a piece of the table.
func randomValue(r *rand.Rand) []byte {
	switch r.IntN(100) {
	case 0:
		return bytes.Repeat([]byte{byte(r.IntN(256))}, rowTablePiece+r.IntN(100))
	case 1, 2, 3, 4, 5, 6, 7, 8, 9:
		return nil
	}
	return bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(100))
}
