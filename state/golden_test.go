package state

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tributary/identity"
	"tributary/schemas"
)

// specimen is one row of every kind, with every field set, and some with few.
type specimen struct {
	name string
	put  func(*Rows)
	get  func(*Rows) any
	want any
}

func specimens() []specimen {
	node := identity.Node{Gen: 3, Cut: 1_700_000_000_000, Shared: true, Parent: identity.Ref{ID: phone, Gen: 300}, Degree: 21, Members: 2, Latest: 1_750_000_000_123}
	neighbour := identity.Neighbour{ID: phone, First: 1_700_000_000_000, Last: 1_700_000_500_000, Link: true}
	device, shared := identity.ID{5, 1, 0xd0}, identity.Node{Gen: 1, Shared: true, Reason: identity.ReasonLimitOf + 1}
	tablet, below := identity.ID{5, 1, 0xd1}, identity.Node{Gen: 2, Parent: identity.Ref{ID: phone, Gen: 1}, Below: 300}
	alone := identity.ID{6, 1, 0xd2}
	kept := identity.Fact{Event: identity.EventKeyOf("call-1"), At: 1_700_000_000_250, Body: []byte("a call")}
	member := identity.Ref{ID: cookie, Gen: 7}
	fact := identity.Fact{Event: identity.EventKeyOf("click-1"), At: 1_700_000_000_250, IDs: []identity.ID{phone, cookie}, Home: cookie, Body: []byte("a click")}
	copied := fact
	copied.At, copied.Home, copied.Body = 1_700_000_000_300, identity.ID{1, 1, 9}, nil
	consent := identity.Fact{Event: identity.EventKeyOf("consent-1"), At: 1_700_000_000_200, IDs: []identity.ID{cookie}, Home: cookie, Body: []byte("no"), Standing: true}
	terms := identity.Terms{Version: 2, Erased: true, Since: 1_700_000_000_000, EventID: "e-9", Name: "purchase", At: 1_700_000_100_000,
		Value: schemas.Money{Minor: 9990, Currency: "USD"}, NetMinor: 7990}
	held := identity.Held{Conversion: "order-1001", Terms: terms, Custody: true, Home: cookie, Revision: 4, Digest: 0x0123456789abcdef, Final: true}
	plainTerms := identity.Held{Conversion: "order-1002", Terms: identity.Terms{Version: 1}}
	conversion := identity.Conversion{ID: "order-1001", IDs: []identity.ID{cookie, phone}, Terms: terms, Out: true, Parked: true, Token: held, Erased: 1_700_000_200_000}
	statement := identity.Statement{EventID: "e-9", Refund: true, At: 1_700_000_100_000, Name: "purchase", Amount: schemas.Money{Minor: -1, Currency: "JPY"}}
	key := identity.ConversionKeyOf("order-1001")
	ledger := identity.Ledger{Applied: 1_000_000_007, Duplicate: 300, Conflict: 2, Forgotten: 4, Shared: 5, Expired: 600}
	unfinished := sweep{before: 1_700_000_000_250, next: cookie[:]}
	return []specimen{
		{"node", func(r *Rows) { r.PutNode(cookie, node) }, func(r *Rows) any { return r.Node(cookie) }, node},
		{"node, a young root", func(r *Rows) { r.PutNode(phone, identity.Node{Degree: 1}) }, func(r *Rows) any { return r.Node(phone) }, identity.Node{Degree: 1}},
		{"node, shared by a limit", func(r *Rows) { r.PutNode(device, shared) }, func(r *Rows) any { return r.Node(device) }, shared},
		{"node, pointed to", func(r *Rows) { r.PutNode(tablet, below) }, func(r *Rows) any { return r.Node(tablet) }, below},
		{"node, nothing but a name that others may know", func(r *Rows) { r.PutNode(alone, identity.Node{}) }, func(r *Rows) any { return r.Node(alone) }, identity.Node{}},
		{"kept", func(r *Rows) { r.PutKept(device, kept) }, func(r *Rows) any { return r.Kept(device) }, []identity.Fact{kept}},
		{"neighbour", func(r *Rows) { r.PutNeighbour(cookie, neighbour) }, func(r *Rows) any { return r.Neighbours(cookie) }, []identity.Neighbour{neighbour}},
		{"seen", func(r *Rows) { r.PutSeen(cookie, 0xfedcba9876543210) }, func(r *Rows) any { return r.Seen(cookie, 0xfedcba9876543210) }, true},
		{"member", func(r *Rows) { r.PutMember(phone, member) }, func(r *Rows) any { return r.Members(phone) }, []identity.Ref{member}},
		{"fact and its copy", func(r *Rows) { r.PutFact(phone, fact); r.PutFact(phone, copied) }, func(r *Rows) any { return r.FactsBetween(phone, fact.At, copied.At) }, []identity.Fact{fact, copied}},
		{"standing", func(r *Rows) { r.PutFact(phone, consent) }, func(r *Rows) any { return r.Standing(phone, consent.At) }, []identity.Fact{consent}},
		{"held", func(r *Rows) { r.PutHeld(phone, held) }, func(r *Rows) any { h, _ := r.Held(phone, key); return h }, held},
		{"held, terms only", func(r *Rows) { r.PutHeld(cookie, plainTerms) }, func(r *Rows) any { return r.Helds(cookie) }, []identity.Held{plainTerms}},
		{"conversion", func(r *Rows) { r.PutConversion(key, conversion) }, func(r *Rows) any { c, _ := r.Conversion(key); return c }, conversion},
		{"statement", func(r *Rows) { r.PutStatement(key, statement.Key(), statement) }, func(r *Rows) any { return r.Statements(key) }, []identity.Statement{statement}},
		{"ledger", func(r *Rows) { r.AddLedger(ledger) }, func(r *Rows) any { return r.Ledger() }, ledger},
		{"watermark", func(r *Rows) { r.PutPlain(KindWatermark, []byte("events/3"), []byte{1, 2}) }, func(r *Rows) any { v, _ := r.Plain(KindWatermark, []byte("events/3")); return v }, []byte{1, 2}},
		{"timer", func(r *Rows) { r.PutPlain(KindTimer, []byte{0, 9}, nil) }, func(r *Rows) any { _, ok := r.Plain(KindTimer, []byte{0, 9}); return ok }, true},
		{"sweep", func(r *Rows) { r.PutPlain(KindSweep, nil, appendSweep(nil, unfinished)) }, func(r *Rows) any { return r.sweep(nil) }, unfinished},
		{"sweep of actors", func(r *Rows) { r.PutPlain(KindSweep, actorSweep, appendSweep(nil, unfinished)) }, func(r *Rows) any { return r.sweep(actorSweep) }, unfinished},
		{"generation", func(r *Rows) { r.PutPlain(KindGeneration, nil, appendUint(nil, 300)) }, func(r *Rows) any { return r.generation() }, uint32(300)},
	}
}

// The rows of a released format are written and read as they were when it was released. Never change the file: a new format
// gets a new one, and this one must still be read.
func TestGoldenRows(t *testing.T) {
	const file = "testdata/rows-v1.txt"
	s := openMemory(t)
	b := s.NewBatch()
	for _, x := range specimens() {
		x.put(b.Rows(7))
	}
	b.Changes()
	must(t, b.Commit(map[int32]Position{7: {Topic: [16]byte{0xAA, 15: 0xBB}, Next: 300, At: 1_750_000_000_000}}))
	rows := dump(t, s, 7)
	position, err := s.get(appendHead(nil, 7, kindPosition))
	must(t, err)
	rows[string([]byte{byte(kindPosition)})] = string(position)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&text, "%v %x %x\n", Kind(key[0]), key, rows[key])
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; the rows are now\n%s", err, &text)
	}
	if text.String() != string(golden) {
		t.Errorf("the rows are now\n%s", &text)
	}
	restored := restoreGolden(t, golden)
	again := dump(t, restored, 7)
	again[string([]byte{byte(kindPosition)})] = string(position)
	if d := difference(again, rows); d != "" {
		t.Error(d)
	}
	b = restored.NewBatch()
	defer b.Close()
	for _, x := range specimens() {
		if got := x.get(b.Rows(7)); !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s: got %+v, want %+v", x.name, got, x.want)
		}
	}
	must(t, b.Err())
	if p, _, err := restored.Position(7); err != nil || p.Next != 300 || p.Topic[15] != 0xBB || p.At != 1_750_000_000_000 {
		t.Errorf("got %v %v", p, err)
	}
}

// restoreGolden fills a store with the golden rows that a changelog has.
func restoreGolden(t *testing.T, golden []byte) *Store {
	s := openMemory(t)
	var entries []Entry
	var position Position
	seen := map[Kind]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(golden)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		key, err := hex.DecodeString(fields[1])
		must(t, err)
		value, err := hex.DecodeString(fields[2])
		must(t, err)
		k := Kind(key[0])
		seen[k] = true
		if k == kindPosition {
			position, err = decodePosition(value)
			must(t, err)
		}
		if !kinds[k].local {
			entries = append(entries, Entry{key, value})
		}
	}
	for k, info := range kinds {
		if info.name != "" && !seen[Kind(k)] {
			t.Errorf("no golden %v row", Kind(k))
		}
	}
	must(t, s.Restore(7, entries, position))
	return s
}

// FORMAT.md has a heading for every kind, with its number.
func TestFormatPageNamesEveryKind(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	must(t, err)
	for k, info := range kinds {
		if heading := fmt.Sprintf("\n### 0x%02x %s", k, info.name); info.name != "" && !bytes.Contains(page, []byte(heading)) {
			t.Errorf("no heading%s", heading)
		}
	}
}
