package demo_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/demo"
	"tributary/stream/local"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// events are those of a few hundred customers: clicks of a cookie, some logins, purchases, refunds and duplicates.
func events(seed uint64, customers int) (out [][]byte) {
	r := rand.New(rand.NewPCG(seed, 0))
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	add := func(at time.Time, typ, ids, part string) {
		n++
		e := fmt.Sprintf(`{"event_id":"e%d","type":%q,"occurred_at":%q,"identifiers":{%s}%s}`, n, typ, at.Format(time.RFC3339), ids, part)
		out = append(out, []byte(e))
		if r.IntN(20) == 0 {
			out = append(out, []byte(e))
		}
	}
	for c := range customers {
		at := start.Add(time.Duration(r.IntN(86400)) * time.Second)
		cookie := func() string { return fmt.Sprintf(`"anonymous_id":"c%d-%d"`, c, r.IntN(2)) }
		for range 1 + r.IntN(6) {
			at = at.Add(time.Duration(r.IntN(48*3600)) * time.Second)
			channel := []string{"search", "social", "email", "direct"}[r.IntN(4)]
			add(at, "touch", cookie(), fmt.Sprintf(`,"touch":{"kind":"click","channel":%q}`, channel))
		}
		if r.IntN(2) == 0 {
			add(at, "identify", cookie()+fmt.Sprintf(`,"email":"p%d@example.com"`, c), "")
		}
		if r.IntN(2) == 0 {
			add(at.Add(time.Hour), "conversion", fmt.Sprintf(`"email":"p%d@example.com",`, c)+cookie(),
				fmt.Sprintf(`,"conversion":{"name":"purchase","id":"order%d","value":"%d.99","currency":"USD"}`, c, r.IntN(100)))
			if r.IntN(4) == 0 {
				add(at.Add(2*time.Hour), "refund", cookie(), fmt.Sprintf(`,"refund":{"conversion_id":"order%d","amount":"1.50","currency":"USD"}`, c))
			}
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return append(out, []byte(`{"event_id":"bad"}`))
}

// The service on a broker and the pipeline in one process give the same answers for the same events.
func TestTheServiceEqualsTheLocalPipeline(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	all := events(seed, 300)
	s := settings.Default()
	s.Partitions, s.CommitInterval, s.HTTP.Listen = 4, 20*time.Millisecond, "127.0.0.1:0"
	s.Sources = []settings.Source{{Topic: "events", Format: "native"}}
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result, err := demo.Run(ctx, demo.Config{Settings: s, Keys: keys, StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Version: "test",
		Progress: func(int64, int64) {},
		Events: func(each func([]byte) error) error {
			for _, e := range all {
				if err := each(e); err != nil {
					return err
				}
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Ledger.Settled() || result.Ledger.Received != int64(len(all)) || result.Ledger.Refused != 1 {
		t.Errorf("ledger of %d events: %+v", len(all), result.Ledger)
	}

	config, err := service.AttributionConfig(s, keys)
	if err != nil {
		t.Fatal(err)
	}
	decide, err := service.IngestOf(s, keys)
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	want := digests{}
	p := local.New(local.Config{Ingest: decide, Attribution: config}, store, want)
	for _, e := range all {
		p.Event(e, 0)
	}
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	got := result.Records.Newest()
	if len(got) != len(want) || len(got) == 0 {
		t.Errorf("%d conversions, want %d", len(got), len(want))
	}
	for _, a := range got {
		if a.Digest() != want[a.ConversionID] {
			t.Errorf("%s: %s", a.ConversionID, a.Encode(nil))
		}
	}
	if result.Ledger.Applied != p.Ledger.Applied || result.Ledger.Duplicate != p.Ledger.Duplicate {
		t.Errorf("ledger %+v, the local pipeline has %+v", result.Ledger, p.Ledger)
	}
}

type digests map[string]uint64

func (d digests) Attribution(a *schemas.Attribution) { d[a.ConversionID] = a.Digest() }
func (digests) Alias(schemas.Alias)                  {}
func (digests) Audit(schemas.Audit)                  {}
