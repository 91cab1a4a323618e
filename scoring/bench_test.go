package scoring

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/schemas"
)

// benchPath has n touches spread over the 30 days before the conversion.
func benchPath(n int) Path {
	r := rand.New(rand.NewPCG(1, 2))
	month := 30 * 24 * time.Hour
	p := Path{ConvertedAt: schemas.MillisOf(time.Date(2026, 4, 10, 12, 0, 0, 0, time.UTC))}
	for i := range n {
		age := month*time.Duration(n-i)/time.Duration(n) - time.Duration(r.Int64N(int64(month)/int64(n)))
		channel := []string{"paid_search", "email", "direct"}[r.IntN(3)]
		p.Touches = append(p.Touches, Touchpoint{At: p.ConvertedAt.Add(-age), Channel: channel, Kind: "click"})
	}
	return p
}

// Credit of one path under one model, shares and values: nanoseconds a touch.
func BenchmarkScore(b *testing.B) {
	models := append(DefaultSpecs(), Spec{Type: "j_shaped"}, Spec{Name: "time_decay_day", Type: "time_decay", Granularity: "day", Timezone: "Europe/Berlin"})
	for _, spec := range models {
		for _, n := range []int{3, 30, 1000} {
			b.Run(fmt.Sprintf("model=%s/touches=%d", spec.name(), n), func(b *testing.B) {
				benchmarkScore(b, []Spec{spec}, n)
			})
		}
	}
}

// Credit of one path under all default models.
func BenchmarkScoreDefaults(b *testing.B) {
	for _, n := range []int{3, 30, 1000} {
		b.Run(fmt.Sprintf("touches=%d", n), func(b *testing.B) {
			benchmarkScore(b, DefaultSpecs(), n)
		})
	}
}

func benchmarkScore(b *testing.B, specs []Spec, n int) {
	scorer := NewScorer(buildAllOf(b, specs))
	p := benchPath(n)
	credit := scorer.Score(nil, p, 9_990)
	b.ReportAllocs()
	for b.Loop() {
		credit = scorer.Score(credit[:0], p, 9_990)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/touch")
}
