package identity

import (
	"fmt"
	"testing"

	"tributary/schemas"
)

func BenchmarkIDs(b *testing.B) {
	n := mustNormalizer(b, Rules{DefaultRegion: "US"})
	for _, c := range []struct {
		name string
		ids  []schemas.Identifier
	}{
		{"anonymous_id", []schemas.Identifier{{Type: "anonymous_id", Value: "3f0c9a7e-6f0e-4d3b-9a55-3f3c8f0a7c11"}}},
		{"email", []schemas.Identifier{{Type: "email", Value: "Ann.Somebody@Example.com"}}},
		{"phone", []schemas.Identifier{{Type: "phone", Value: "(415) 555-2671"}}},
		{"three", []schemas.Identifier{
			{Type: "anonymous_id", Value: "3f0c9a7e-6f0e-4d3b-9a55-3f3c8f0a7c11"},
			{Type: "email", Value: "ann.somebody@example.com"},
			{Type: "phone", Value: "(415) 555-2671"},
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var buffer []ID
			for b.Loop() {
				buffer, _ = n.IDs(c.ids, buffer[:0])
			}
		})
	}
}

func BenchmarkPhoneUncached(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parsePhone("(415) 555-2671", "US")
	}
}

// BenchmarkPhoneCacheMiss is the worst case of the cache: every number is new, and both generations are full.
func BenchmarkPhoneCacheMiss(b *testing.B) {
	c := newPhoneCache(phoneCacheEntries)
	numbers := make([]string, 4*phoneCacheEntries)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1415%07d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		raw := numbers[i%len(numbers)]
		if _, hit := c.get(raw); !hit {
			c.put(raw, raw)
		}
	}
}

func BenchmarkCustomerID(b *testing.B) {
	k := testKey(b, 7)
	b.ReportAllocs()
	for b.Loop() {
		CustomerID(k, ID{1, 7}, 1772359200250)
	}
}
