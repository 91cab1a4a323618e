package identity

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"tributary/schemas"
)

// graph is a population as events: each names one or two identifiers, by number.
type graph struct {
	name        string
	identifiers int
	events      [][]int
}

// graphs are shapes that make trouble: long chains, hubs, hubs of hubs, and many small customers.
func graphs(r *rand.Rand, n int) []graph {
	chain := graph{name: "chain", identifiers: n}
	star := graph{name: "star", identifiers: n}
	power := graph{name: "power law", identifiers: n}
	ends := []int{0}
	for i := 1; i < n; i++ {
		chain.events = append(chain.events, []int{i - 1, i})
		star.events = append(star.events, []int{0, i})
		to := ends[r.IntN(len(ends))]
		power.events = append(power.events, []int{to, i})
		ends = append(ends, to, i)
	}
	shop := graph{name: "shop", identifiers: n}
	for first := 0; first+4 <= n; first += 4 { // a user, an e-mail and two browsers
		for range 20 {
			browser := first + 2 + r.IntN(2)
			switch r.IntN(10) {
			case 0:
				shop.events = append(shop.events, []int{first, browser})
			case 1:
				shop.events = append(shop.events, []int{first + 1, browser})
			default:
				shop.events = append(shop.events, []int{browser})
			}
		}
	}
	all := []graph{chain, star, power, shop}
	for _, g := range all {
		r.Shuffle(len(g.events), func(i, j int) { g.events[i], g.events[j] = g.events[j], g.events[i] })
	}
	return all
}

// population is a graph's identifiers and messages, in the order of pseudonyms. One event in thirty is a conversion.
func (g graph) population(r *rand.Rand) (ids []ID, inputs []Message) {
	ids = make([]ID, g.identifiers)
	for i := range ids {
		ids[i][0] = 1 + byte(i%4)
		binary.BigEndian.PutUint64(ids[i][8:], r.Uint64())
	}
	for i, e := range g.events {
		var list []ID
		for _, x := range e {
			list = append(list, ids[x])
		}
		slices.SortFunc(list, func(a, b ID) int { return Ref{ID: a}.compare(Ref{ID: b}) })
		at := schemas.Millis(1 + i)
		if i%30 == 29 {
			inputs = append(inputs, Message{Kind: KindConversion, Conversion: "c" + strconv.Itoa(i), IDs: list, Fresh: true,
				Statement: &Statement{EventID: "e" + strconv.Itoa(i), At: at, Name: "purchase"}})
			continue
		}
		inputs = append(inputs, Message{Kind: KindEvent, To: Ref{ID: list[0]}, Time: at, IDs: list, Fresh: true,
			Fact: &Fact{Event: EventKeyOf(strconv.Itoa(i)), At: at}})
	}
	return ids, inputs
}

func (r Ref) compare(b Ref) int {
	switch {
	case r.Less(b):
		return -1
	case b.Less(r):
		return 1
	default:
		return 0
	}
}

// play feeds the inputs one by one and handles what follows in rounds, as transactions of all partitions would: what one
// round sends, the next handles. It returns how many messages followed.
func play(machine *Machine, rows Rows, inputs []Message, together int) (sent int, ledger Ledger) {
	var now, later []Message
	var out Effects
	for len(inputs) > 0 || len(now) > 0 {
		take := min(together, len(inputs))
		now = append(now, inputs[:take]...)
		inputs = inputs[take:]
		for i := range now {
			out.Reset()
			machine.Step(rows, &now[i], &out)
			later = append(later, out.Send...)
			ledger.Sum(out.Ledger)
		}
		sent += len(later)
		now, later = later, now[:0]
	}
	return sent, ledger
}

// TestGraphs plays large graphs, all at once and piece by piece: trees must be the graph's components, and hold everything.
func TestGraphs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, g := range graphs(r, 4000) {
		for _, together := range []int{1 << 30, 10} {
			t.Run(g.name+" "+strconv.Itoa(together), func(t *testing.T) {
				ids, inputs := g.population(r)
				rows := NewMemory()
				sent, ledger := play(NewMachine(Limits{ChunkBytes: 4096}), rows, inputs, together)
				t.Logf("%d events, %.2f messages each", len(inputs), float64(sent)/float64(len(inputs)))
				if ledger != (Ledger{Applied: int64(len(inputs))}) {
					t.Errorf("ledger %+v of %d events", ledger, len(inputs))
				}
				g.compare(t, ids, rows)
			})
		}
	}
}

func (g graph) compare(t *testing.T, ids []ID, rows *Memory) {
	f := newForest(g.identifiers)
	for _, e := range g.events {
		f.join(e...)
	}
	size, facts, tokens := map[int]int{}, map[int]int{}, map[int]int{}
	for i := range ids {
		size[f.find(i)]++
	}
	for i, e := range g.events {
		if i%30 == 29 {
			tokens[f.find(e[0])]++
		} else {
			facts[f.find(e[0])]++
		}
	}
	roots := map[int]int{}
	for i, id := range ids {
		if !rows.Node(id).Root() {
			continue
		}
		c := f.find(i)
		if roots[c]++; roots[c] > 1 {
			t.Fatalf("%d roots in the component of %d", roots[c], i)
		}
		if got := len(rows.Members(id)) + 1; got != size[c] {
			t.Fatalf("root %d has %d identifiers of %d", i, got, size[c])
		}
		if got := len(rows.Facts(id)); got != facts[c] {
			t.Fatalf("root %d has %d touches of %d", i, got, facts[c])
		}
		if got := len(rows.Helds(id)); got != tokens[c] {
			t.Fatalf("root %d has %d tokens of %d", i, got, tokens[c])
		}
	}
	if len(roots) != len(size) {
		t.Fatalf("%d roots, %d components", len(roots), len(size))
	}
}

// BenchmarkShop plays 20,000 events of 1,000 small customers with all messages that follow, over rows in memory.
func BenchmarkShop(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 6))
	_, inputs := graphs(r, 4000)[3].population(r)
	sent := 0
	for b.Loop() {
		sent, _ = play(NewMachine(Limits{}), NewMemory(), inputs, 1000)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(inputs)), "ns/event")
	b.ReportMetric(float64(sent)/float64(len(inputs)), "messages/event")
}
