package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/ingest"
	"tributary/stream/local"
	"tributary/stream/service"
)

const (
	// journeysAtOnce is how many customers get a touch in one transaction, fewer if there are not so many.
	journeysAtOnce = 20
	// newTurns and lateTurns are how many transactions are timed for each length.
	newTurns  = 300
	lateTurns = 20
	// journeySpan is the time in which a journey's touches lie: all within the default lookback of a conversion at its end.
	journeySpan = 25 * 24 * time.Hour
	// emailRank is the rank of the customers' identifiers.
	emailRank = 3
)

// journeyEnd is when the last touch of every journey was, and journeySale when its customer bought.
var (
	journeyEnd  = time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	journeySale = journeyEnd.Add(time.Hour)
)

// lengths are those of the journeys, in touches, ascending.
var lengths = []int{10, 1_000, 10_000}

// journeys times touches of long and short journeys in turns: those that come after the last conversion and change no
// answer, and those that come late, so that the conversion is scored again over all of its touches.
func (b *bench) journeys(ctx context.Context) (rows []Row, err error) {
	var groups []*journeyGroup
	for _, length := range lengths {
		g, err := b.journeyGroup(ctx, length, max(b.Events/5/length, 1), 1)
		if g != nil {
			defer g.close()
		}
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
		b.Say("journeys: %d journeys of %d touches are there", len(g.roots), length)
	}
	atOnce := min(journeysAtOnce, len(groups[len(groups)-1].roots))
	for _, kind := range []struct {
		what string
		late bool
		n    int
	}{
		{"a new touch", false, newTurns},
		{"a late touch, which scores one conversion again", true, lateTurns},
	} {
		took := make([][]time.Duration, len(groups))
		for range kind.n {
			for i, g := range groups {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				t, err := g.transaction(atOnce, func() time.Time { return g.when(kind.late) })
				if err != nil {
					return nil, err
				}
				took[i] = append(took[i], t)
			}
		}
		base := median(took[0])
		for i, g := range groups {
			each := median(took[i])
			rows = append(rows, Row{
				What:     fmt.Sprintf("%s, journeys of %s touches (%d)", kind.what, count(g.length), len(g.roots)),
				Measured: fmt.Sprintf("%.1f µs", float64(each.Nanoseconds())/1e3/float64(atOnce)),
				Beside:   fmt.Sprintf("%.1f µs in journeys of %d", float64(base.Nanoseconds())/1e3/float64(atOnce), lengths[0]),
				Ratio:    each.Seconds() / base.Seconds(),
			})
		}
	}
	return rows, nil
}

// journeyGroup is a store of customers whose journeys have one length and number of conversions, the last one at the end.
type journeyGroup struct {
	length   int
	sales    int
	roots    []identity.ID
	store    *state.Store
	dir      string
	pipeline *local.Pipeline
	random   *rand.Rand
	events   int
}

// journeyGroup makes the store. After an error the group is still to be closed if there is one.
func (b *bench) journeyGroup(ctx context.Context, length, customers, sales int) (g *journeyGroup, err error) {
	config, err := service.AttributionConfig(b.Settings, b.Keys)
	if err != nil {
		return nil, err
	}
	config.AllowedLateness = 2 * journeySpan
	g = &journeyGroup{length: length, sales: sales, random: rand.New(rand.NewPCG(b.Seed, uint64(length)))}
	if g.dir, err = b.folder(); err != nil {
		return nil, err
	}
	if g.store, err = state.Open(g.dir, state.Options{}); err != nil {
		return nil, err
	}
	g.pipeline = local.New(local.Config{Attribution: config, EveryBatch: true, Timed: true}, g.store, nobody{})
	g.roots = make([]identity.ID, customers)
	for i := range g.roots {
		root := identity.ID{emailRank, 1}
		binary.BigEndian.PutUint64(root[2:], g.random.Uint64())
		binary.BigEndian.PutUint64(root[8:], g.random.Uint64())
		g.roots[i] = root
	}
	return g, g.fill(ctx)
}

func (g *journeyGroup) close() {
	g.store.Close()
	os.RemoveAll(g.dir)
}

// fill makes the journeys, all at the same time as customers do, and then the conversions.
func (g *journeyGroup) fill(ctx context.Context) error {
	start := journeyEnd.Add(-journeySpan)
	for touch := range g.length {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, root := range g.roots {
			g.add(g.touch(root, start.Add(time.Duration(touch)*(journeySpan/time.Duration(g.length)))))
		}
		if g.pipeline.Waiting() >= local.DefaultBatch {
			if err := g.pipeline.Run(); err != nil {
				return err
			}
		}
	}
	for i, root := range g.roots {
		for sale := range g.sales {
			at := schemas.MillisOf(journeySale.Add(-time.Duration(sale) * (journeySpan / time.Duration(g.sales))))
			id := fmt.Sprintf("order-%d-%d", i, sale)
			g.add(identity.Message{Kind: identity.KindConversion, Conversion: id, Time: at, IDs: []identity.ID{root}, Fresh: true,
				Statement: &identity.Statement{EventID: id, At: at, Name: "purchase", Amount: schemas.Money{Minor: 9990, Currency: "USD"}}})
		}
	}
	if err := g.pipeline.Run(); err != nil {
		return err
	}
	return g.store.Flush()
}

// transaction is the time for one touch of each of some customers, from the journal's messages to the committed rows.
func (g *journeyGroup) transaction(customers int, when func() time.Time) (time.Duration, error) {
	messages := make([]identity.Message, 0, customers)
	for _, i := range g.random.Perm(len(g.roots))[:customers] {
		messages = append(messages, g.touch(g.roots[i], when()))
	}
	began := time.Now()
	for _, m := range messages {
		g.add(m)
	}
	err := g.pipeline.Run()
	return time.Since(began), err
}

// when is the time of a touch that comes after the last conversion, or of one that comes late.
func (g *journeyGroup) when(late bool) time.Time {
	if late {
		return journeyEnd.Add(-time.Duration(g.random.Int64N(int64(journeySpan))))
	}
	return journeySale.Add(time.Hour)
}

func (g *journeyGroup) add(m identity.Message) {
	g.pipeline.Add(ingest.Result{At: m.Time, Messages: []identity.Message{m}}, m.Time)
}

// touch is the message that ingest makes of a click.
func (g *journeyGroup) touch(root identity.ID, at time.Time) identity.Message {
	g.events++
	id := fmt.Sprintf("event-%015d", g.events)
	millis := schemas.MillisOf(at)
	body := attribution.TouchContent(id, &schemas.Touch{Kind: "click", Channel: "paid_search", Source: "google", Medium: "cpc", Campaign: "spring-sale-2026"}, false)
	return identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: root}, Time: millis, IDs: []identity.ID{root}, Fresh: true,
		Fact: &identity.Fact{Event: identity.EventKeyOf(id), At: millis, Body: body}}
}

// nobody takes records.
type nobody struct{}

func (nobody) Attribution(*schemas.Attribution) {}
func (nobody) Alias(schemas.Alias)              {}
func (nobody) Audit(schemas.Audit)              {}
