package roles_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/population"
	"tributary/stream/roles"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// transaction is how many records a transaction of the benchmarks takes: 50 ms at 40,000 a second.
const transaction = 2000

// sources are n source records of the default population.
func sources(n int) (records []*kgo.Record) {
	c := population.Default()
	c.Customers = max(20, n/10)
	for r := range c.Records() {
		records = append(records, &kgo.Record{Topic: "events", Key: slices.Clone(r.Key), Value: slices.Clone(r.Value), Timestamp: r.Arrival.Time(), Offset: int64(len(records))})
		if len(records) == n {
			break
		}
	}
	return records
}

// desk is both roles without a broker.
type desk struct {
	ingest  *roles.Ingest
	journey *roles.Journey
	journal string
	offset  int64
}

func newDesk(b *testing.B) *desk {
	s := settings.Default()
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		b.Fatal(err)
	}
	config, err := service.AttributionConfig(s, keys)
	if err != nil {
		b.Fatal(err)
	}
	decide, err := service.IngestOf(s, keys)
	if err != nil {
		b.Fatal(err)
	}
	store, err := state.Open(b.TempDir(), state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	names := service.TopicsOf(s)
	ingest := roles.NewIngest(roles.IngestConfig{Decide: decide, Topics: names, OutOfOrderness: time.Hour, Allowed: 365 * 24 * time.Hour, Count: func(*metrics.Ingested) {}})
	ingest.Own(map[string][]int32{"events": {0}})
	journey := roles.NewJourney(attribution.New(config), store, names, func(*metrics.Journeyed) {})
	all := make([]int32, names.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	journey.Own(map[string][]int32{names.Journal: all})
	return &desk{ingest: ingest, journey: journey, journal: names.Journal}
}

// take lets ingest decide on source records and returns what goes to the journal.
func (d *desk) take(b *testing.B, records []*kgo.Record) []*kgo.Record {
	out, err := d.ingest.Process(b.Context(), records)
	if err == nil {
		var last []*kgo.Record
		last, err = d.ingest.Flush(b.Context())
		out = append(out, last...)
	}
	if err == nil {
		err = d.ingest.Commit(nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	return d.stored(out)
}

// handle is one transaction of the journey role. It returns what goes to the journal.
func (d *desk) handle(b *testing.B, records []*kgo.Record) []*kgo.Record {
	out, err := d.journey.Process(b.Context(), records)
	if err != nil {
		b.Fatal(err)
	}
	last, err := d.journey.Flush(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := d.journey.Commit(map[int32]lane.Position{}); err != nil {
		b.Fatal(err)
	}
	return d.stored(append(out, last...))
}

// stored are the journal's records as a consumer gets them.
func (d *desk) stored(made []*kgo.Record) (journal []*kgo.Record) {
	for _, r := range made {
		if r.Topic != d.journal {
			continue
		}
		d.offset++
		r.Offset = d.offset
		journal = append(journal, r)
	}
	return journal
}

// One operation is one source record until nothing more follows from it: decoded, journaled, handled, scored and committed to
// the store.
func BenchmarkRoles(b *testing.B) {
	d := newDesk(b)
	records := sources(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	var waiting []*kgo.Record
	for part := range slices.Chunk(records, transaction) {
		waiting = append(waiting, d.take(b, part)...)
		waiting = d.handle(b, waiting)
	}
	for len(waiting) > 0 {
		waiting = d.handle(b, waiting)
	}
}
