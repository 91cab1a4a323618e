package bench

import (
	"context"
	"fmt"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/state"
)

// expiry times how fast the rows of customers go that did not come back: each has two linked identifiers, some touches and a
// conversion. Beside it stand the new touches that are taken in a second.
func (b *bench) expiry(ctx context.Context) ([]Row, error) {
	customers := max(b.Events/5/touchesEach, journeysAtOnce)
	g, err := b.journeyGroup(ctx, touchesEach, customers, 1)
	if g != nil {
		defer g.close()
	}
	if err != nil {
		return nil, err
	}
	for _, root := range g.roots {
		at, device := schemas.MillisOf(journeyEnd), root
		device[0] = identity.RankOther
		g.add(identity.Message{Kind: identity.KindEvent, To: identity.Ref{ID: root}, Time: at, IDs: []identity.ID{root, device}, Fresh: true})
	}
	if err := g.pipeline.Finish(); err != nil {
		return nil, err
	}
	plain, err := g.newTouches(customers)
	if err != nil {
		return nil, err
	}
	before, err := g.rows(b.Settings.Partitions)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for n := range 4 { // the device goes with one sweep, its customer with the next
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g.add(g.touch(identity.ID{emailRank}, journeySale.Add(2*b.Settings.Retention+time.Duration(n)*b.Settings.Retention/5)))
		if err := g.pipeline.Finish(); err != nil {
			return nil, err
		}
	}
	took := time.Since(began)
	if _, gone := g.pipeline.Expired(); gone.Identifiers != 2*int64(customers) || gone.Conversions != int64(customers) {
		return nil, fmt.Errorf("%+v expired of %d customers", gone, customers)
	}
	after, err := g.rows(b.Settings.Partitions)
	if err != nil {
		return nil, err
	}
	rate := perSecond(before-after, took)
	return []Row{{
		What:     fmt.Sprintf("rows that expire (%s of %s customers)", count(before-after), count(customers)),
		Measured: count(rate) + "/s",
		Beside:   count(plain) + "/s new touches",
		Ratio:    rate / plain,
	}}, nil
}

// rows counts those that the changelog has, after compaction.
func (g *journeyGroup) rows(partitions int) (n int, err error) {
	for p := range partitions {
		err := g.store.Entries(int32(p), func(state.Entry) bool { n++; return true })
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
