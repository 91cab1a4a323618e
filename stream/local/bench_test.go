package local_test

import (
	"context"
	"testing"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/ingest"
	"tributary/stream/local"
	people "tributary/stream/population"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// BenchmarkPipeline runs a generated population through the whole pipeline in one process, decoding included: one
// operation is one event.
func BenchmarkPipeline(b *testing.B) {
	config := people.Default()
	config.Customers = max(100, b.N/12)
	s := settings.Default()
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		b.Fatal(err)
	}
	attribution, err := service.AttributionConfig(s, keys)
	if err != nil {
		b.Fatal(err)
	}
	decide, err := service.IngestOf(s, keys)
	if err != nil {
		b.Fatal(err)
	}
	store, err := state.Open(b.TempDir(), state.Options{NoWAL: true})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	var values [][]byte
	for r := range config.Records() {
		if values = append(values, append([]byte(nil), r.Value...)); len(values) == b.N {
			break
		}
	}
	p := local.New(local.Config{Ingest: decide, Attribution: attribution}, store, discard{})
	read := func(each func(local.Line) error) error {
		for i, v := range values {
			if err := each(local.Line{File: "population", Number: i + 1, Value: v}); err != nil {
				return err
			}
		}
		return nil
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := p.Feed(context.Background(), 0, read, func(local.Line, ingest.Result) {}); err != nil {
		b.Fatal(err)
	}
	if err := p.Finish(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(values))/b.Elapsed().Seconds(), "events/s")
}

type discard struct{}

func (discard) Attribution(*schemas.Attribution) {}
func (discard) Alias(schemas.Alias)              {}
func (discard) Audit(schemas.Audit)              {}
