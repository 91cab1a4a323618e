package bench

import (
	"slices"

	"tributary/stream/population"
)

// record is a source record.
type record struct{ key, value []byte }

// eventsPerCustomer is below what a customer of the default population does on average, so that there are enough.
const eventsPerCustomer = 10

// people is the default population, with at least n records.
func (b *bench) people(n int) population.Config {
	c := population.Default()
	c.Seed, c.Customers = b.Seed, max(n/eventsPerCustomer, 20)
	return c
}

// brokerEvents is how many events go over the broker in one measurement.
func (b *bench) brokerEvents() int { return max(b.Events/4, 1000) }

// population is what goes over the broker: the first records of the default population, in the order of their arrival.
func (b *bench) population() []record {
	n := b.brokerEvents()
	if len(b.values) >= n {
		return b.values
	}
	for r := range b.people(n).Records() {
		if b.values = append(b.values, record{slices.Clone(r.Key), slices.Clone(r.Value)}); len(b.values) == n {
			break
		}
	}
	return b.values
}
