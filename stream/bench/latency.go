package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tributary/schemas"
	"tributary/stream/settings"
)

// intervals are the commit intervals at which latency is measured.
var intervals = []time.Duration{25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

const (
	// hops is how many transactions a conversion goes through: ingest, and the lane of the conversion's actor and the customer. Its record
	// is in the last.
	hops = 2
	// pace is the distance of two events: 200 a second, every second one a conversion. It is far below what the service
	// can do, so that nothing queues, and enough for a transaction to be open at most times.
	pace = 5 * time.Millisecond
	// latencyTurns is how often the intervals take turns.
	latencyTurns = 2
	// latencyCustomers is how many customers the light load is spread over.
	latencyCustomers = 5000
)

// latency measures at each interval, in turns.
func (b *bench) latency(ctx context.Context) (rows []Row, err error) {
	waits := make([][]time.Duration, len(intervals))
	for turn := range latencyTurns {
		for i, interval := range intervals {
			more, err := b.latencyAt(ctx, interval, b.Window/latencyTurns, uint64(turn))
			if err != nil {
				return nil, fmt.Errorf("commit interval %v: %w", interval, err)
			}
			waits[i] = append(waits[i], more...)
			b.Say("latency: turn %d of %d, commit interval %v: p50 %v, p99 %v of %d conversions", turn+1, latencyTurns, interval,
				percentile(more, 50).Round(time.Millisecond), percentile(more, 99).Round(time.Millisecond), len(more))
		}
	}
	for i, interval := range intervals {
		expected := hops * interval
		for _, p := range []int{50, 99} {
			wait := percentile(waits[i], p)
			rows = append(rows, Row{
				What:     fmt.Sprintf("conversion to visible record, p%d of %d, commit interval %v, %d events/s", p, len(waits[i]), interval, time.Second/pace),
				Measured: fmt.Sprintf("%d ms", wait.Milliseconds()),
				Beside:   fmt.Sprintf("%d hops of %d ms = %d ms", hops, interval.Milliseconds(), expected.Milliseconds()),
				Ratio:    wait.Seconds() / expected.Seconds(),
			})
		}
	}
	return rows, nil
}

// latencyAt runs the service under a light load for a while, and returns how long each conversion's record took from the
// call that produced the conversion until a reader of committed records had it.
func (b *bench) latencyAt(ctx context.Context, interval, window time.Duration, turn uint64) (waits []time.Duration, err error) {
	s, err := b.application()
	if err != nil {
		return nil, err
	}
	s.CommitInterval = interval
	remove, err := b.createTopics(ctx, s)
	defer remove()
	if err != nil {
		return nil, err
	}
	r, err := b.start(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := r.stop(); err == nil {
			err = e
		}
	}()
	return b.lightLoad(ctx, s, window, turn)
}

// settleIn is how long the light load, at its beginning, is not measured: groups are being joined.
func settleIn(window time.Duration) time.Duration { return min(window, 2*time.Second) }

// lightLoad produces for settleIn and window, and reads what comes of it.
func (b *bench) lightLoad(ctx context.Context, s *settings.Settings, window time.Duration, turn uint64) (waits []time.Duration, err error) {
	unmeasured := int(settleIn(window) / pace)
	n := unmeasured + int(window/pace)
	produced, visible := make([]time.Time, n), make([]time.Time, n)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.produceLightly(ctx, s.Sources[0].Topic, produced, turn) })
	group.Go(func() error { return b.readVisible(ctx, s.Topics.Attributions, visible) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i := conversionAfter(unmeasured); i < n; i += 2 {
		waits = append(waits, visible[i].Sub(produced[i]))
	}
	return waits, nil
}

// isConversion says which numbers of the light load are conversions; the others are touches.
func isConversion(number int) bool { return number%2 == 1 }

func conversionAfter(number int) int { return number | 1 }

// produceLightly produces one event each pace, at its time whatever became of the one before, and notes when.
func (b *bench) produceLightly(ctx context.Context, topic string, produced []time.Time, turn uint64) error {
	client, err := b.producer(topic, kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer client.Close()
	random := rand.New(rand.NewPCG(b.Seed, turn))
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for number := range produced {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		value := lightEvent(number, random.IntN(latencyCustomers), time.Now())
		produced[number] = time.Now()
		client.Produce(ctx, kgo.SliceRecord(value), nil)
	}
	return client.Flush(ctx)
}

// lightEvent is an event of a customer known by e-mail.
func lightEvent(number, customer int, at time.Time) []byte {
	part := `,"touch":{"kind":"click","channel":"paid_search","source":"google","medium":"cpc","campaign":"spring-sale"}`
	kind := "touch"
	if isConversion(number) {
		kind = "conversion"
		part = fmt.Sprintf(`,"conversion":{"name":"purchase","id":"%d","value":"99.90","currency":"USD"}`, number)
	}
	return fmt.Appendf(nil, `{"event_id":"%d","type":%q,"occurred_at":%q,"identifiers":{"email":"person%d@example.com"}%s}`,
		number, kind, schemas.MillisOf(at), customer, part)
}

// readVisible notes when the first record of each conversion has come, until none is missing.
func (b *bench) readVisible(ctx context.Context, topic string, visible []time.Time) error {
	client, err := b.reader(kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	for missing := len(visible) / 2; missing > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		now := time.Now()
		for _, r := range fetches.Records() {
			var number int
			if _, err := fmt.Sscan(string(r.Key), &number); err != nil || number < 0 || number >= len(visible) {
				return fmt.Errorf("a record of conversion %q, which was not produced", r.Key)
			}
			if visible[number].IsZero() {
				visible[number] = now
				missing--
			}
		}
	}
	return nil
}
