package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"tributary/identity"
	"tributary/schemas"
)

// traffic is a stated population: touches of people who come back, some more often than others, and every thirtieth event a
// conversion that reads the last 30 days of its journey.
type traffic struct {
	rng    *rand.Rand
	zipf   *rand.Zipf
	people uint64
	n      int // touches so far
	body   []byte

	changelog int64 // bytes of keys and values
	entries   int64
	read      int64 // facts read
}

const (
	trafficPartitions = 16
	touchesPerBatch   = 5000 // 50 ms at 100,000 a second
	touchesPerSale    = 30
	thirtyDays        = schemas.Millis(30 * 24 * 3600 * 1000)
	touchGap          = schemas.Millis(500) // between two touches of the population
)

func newTraffic(people uint64) *traffic {
	rng := rand.New(rand.NewPCG(1, 2))
	w := &traffic{rng: rng, people: people, zipf: rand.NewZipf(rng, 1.1, 1000, people-1)}
	w.body = []byte(`touch|click|paid_search|google|cpc|spring-sale-2026|77120394|9918273|creative-b|running shoes|top|0.42|USD|event-00000000000000000000`)
	return w
}

func personID(n uint64) (id identity.ID) {
	id[0], id[1] = 5, 1
	binary.BigEndian.PutUint64(id[2:], n*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(id[8:], (n+1)*0xD1B54A32D192ED03)
	return id
}

// touch is one event: the node, usually absent, and the fact.
func (w *traffic) touch(b *Batch) {
	w.n++
	id := personID(w.zipf.Uint64())
	rows := b.Rows(int32(id.Partition(trafficPartitions)))
	if n := rows.Node(id); n.Shared {
		panic("shared")
	}
	binary.BigEndian.PutUint64(w.body[len(w.body)-8:], uint64(w.n))
	f := identity.Fact{At: w.now(), IDs: []identity.ID{id}, Home: id, Body: w.body}
	binary.BigEndian.PutUint64(f.Event[:], uint64(w.n)*0x9E3779B97F4A7C15)
	rows.PutFact(id, f)
	if w.n%touchesPerSale == 0 {
		w.sale(rows, id)
	}
}

func (w *traffic) now() schemas.Millis { return 1_750_000_000_000 + schemas.Millis(w.n)*touchGap }

func (w *traffic) sale(rows *Rows, root identity.ID) {
	h := identity.Held{Conversion: "order-" + strconv.Itoa(w.n), Custody: true, Home: root}
	h.Terms = identity.Terms{Version: 1, At: w.now(), Since: w.now(), EventID: h.Conversion, Name: "purchase",
		Value: schemas.Money{Minor: 9990, Currency: "USD"}, NetMinor: 9990}
	rows.Held(root, identity.ConversionKeyOf(h.Conversion))
	rows.PutHeld(root, h)
	n := rows.Node(root)
	n.Latest = w.now()
	rows.PutNode(root, n)
	rows.Helds(root)
	w.read += int64(len(rows.Window(root, w.now()-thirtyDays, w.now())))
	h.Revision, h.Digest = 1, w.rng.Uint64()
	rows.PutHeld(root, h)
}

// run commits batches until n touches are in. took is called with every batch's changes.
func (w *traffic) run(tb testing.TB, s *Store, n int, took func([]Change)) {
	for n > 0 {
		b := s.NewBatch()
		size := min(n, touchesPerBatch)
		for range size {
			w.touch(b)
		}
		changes := b.Changes()
		positions := map[int32]Position{}
		for _, c := range changes {
			w.changelog += int64(len(c.Key) + len(c.Value))
			positions[c.Partition] = Position{Next: int64(w.n)}
		}
		w.entries += int64(len(changes))
		if took != nil {
			took(changes)
		}
		if err := b.Commit(positions); err != nil {
			tb.Fatal(err)
		}
		n -= size
	}
}

const warmTouches = 500_000

func BenchmarkTouch(b *testing.B) {
	for _, people := range []uint64{100_000, 2_000_000} {
		for _, where := range []string{"memory", "disk"} {
			b.Run(fmt.Sprintf("%s/people=%d", where, people), func(b *testing.B) { benchmarkTouch(b, where, people, Options{}) })
		}
	}
	b.Run("disk/no-filters", func(b *testing.B) { benchmarkTouch(b, "disk", 100_000, Options{BloomBits: -1}) })
	b.Run("disk/sync", func(b *testing.B) { benchmarkTouch(b, "disk", 100_000, Options{Sync: true}) })
}

func benchmarkTouch(b *testing.B, where string, people uint64, o Options) {
	s, err := OpenMemory()
	if where == "disk" {
		s, err = Open(b.TempDir(), o)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w := newTraffic(people)
	w.run(b, s, warmTouches, nil)
	w.changelog, w.entries, w.read = 0, 0, 0
	b.ReportAllocs()
	cpu := cpuTime()
	b.ResetTimer()
	w.run(b, s, b.N, nil)
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/touch")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "touches/s")
	b.ReportMetric(float64(w.changelog)/float64(b.N), "changelogB/touch")
	b.ReportMetric(float64(w.entries)/float64(b.N), "entries/touch")
	b.ReportMetric(float64(w.read)/float64(b.N/touchesPerSale+1), "facts/sale")
	if err := s.Flush(); err != nil {
		b.Fatal(err)
	}
	m := s.Metrics()
	b.ReportMetric(float64(m.TableBytes)/float64(w.n), "stateB/touch")
}

// BenchmarkRestore fills empty stores from the changelog of the population; one operation is one entry.
func BenchmarkRestore(b *testing.B) {
	s, err := OpenMemory()
	if err != nil {
		b.Fatal(err)
	}
	w := newTraffic(100_000)
	var entries [trafficPartitions][]Entry
	w.run(b, s, warmTouches, func(changes []Change) {
		for _, c := range changes {
			entries[c.Partition] = append(entries[c.Partition], Entry{c.Key, c.Value})
		}
	})
	s.Close()
	cpu := cpuTime()
	b.ResetTimer()
	for left := b.N; left > 0; {
		left -= restoreInto(b, b.TempDir(), &entries, left)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/entry")
}

// restoreInto restores up to n entries, in chunks as they come from a broker.
func restoreInto(b *testing.B, dir string, entries *[trafficPartitions][]Entry, n int) (done int) {
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer s.Close()
	for p := range entries {
		for from := 0; from < len(entries[p]) && done < n; {
			to := min(from+5000, len(entries[p]), from+n-done)
			if err := s.Restore(int32(p), entries[p][from:to], Position{Next: int64(to)}); err != nil {
				b.Fatal(err)
			}
			done += to - from
			from = to
		}
	}
	return done
}

// BenchmarkSweep looks for old events: one operation is a journey of three touches, none of which is old, or an event that is
// deleted.
func BenchmarkSweep(b *testing.B) {
	for name, before := range map[string]schemas.Millis{"journeys": 1_700_000_000_000, "events": schemas.MaxMillis} {
		b.Run(name, func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			journeys := b.N
			if name == "events" {
				journeys = b.N/3 + 1
			}
			w := newTraffic(1000)
			for from := 0; from < journeys; from += touchesPerBatch {
				batch := s.NewBatch()
				for person := from; person < min(journeys, from+touchesPerBatch); person++ {
					id := personID(uint64(person))
					for range 3 {
						w.n++
						f := identity.Fact{At: w.now(), IDs: []identity.ID{id}, Home: id, Body: w.body}
						binary.BigEndian.PutUint64(f.Event[:], uint64(w.n))
						batch.Rows(0).PutFact(id, f)
					}
				}
				if err := batch.Commit(nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for more := true; more; {
				batch := s.NewBatch()
				_, more = batch.Rows(0).Expire(before, 1000)
				if err := batch.Commit(nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
