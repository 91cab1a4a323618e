package bench

import (
	"context"
	"fmt"
	"time"

	"tributary/identity"
	"tributary/stream/local"
)

const (
	// salesEach is how many conversions a customer of this measurement has, and touchesEach how many touches.
	salesEach   = 100
	touchesEach = 10
)

// conversions times what many conversions of one customer cost: a late touch that scores all of them again, and one
// revision more for each when it becomes final.
func (b *bench) conversions(ctx context.Context) ([]Row, error) {
	g, err := b.journeyGroup(ctx, touchesEach, max(b.Events/5/salesEach, journeysAtOnce), salesEach)
	if g != nil {
		defer g.close()
	}
	if err != nil {
		return nil, err
	}
	late, err := g.lateTouch(ctx)
	if err != nil {
		return nil, err
	}
	final, err := g.finality(ctx)
	if err != nil {
		return nil, err
	}
	return []Row{late, final}, nil
}

// lateTouch compares a touch before all conversions with one after them.
func (g *journeyGroup) lateTouch(ctx context.Context) (Row, error) {
	var late, plain []time.Duration
	for range lateTurns {
		if err := ctx.Err(); err != nil {
			return Row{}, err
		}
		p, err := g.transaction(journeysAtOnce, func() time.Time { return g.when(false) })
		if err != nil {
			return Row{}, err
		}
		l, err := g.transaction(journeysAtOnce, func() time.Time { return journeyEnd.Add(-journeySpan) })
		if err != nil {
			return Row{}, err
		}
		plain, late = append(plain, p), append(late, l)
	}
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / journeysAtOnce }
	return Row{
		What:     fmt.Sprintf("a late touch, which scores %d conversions again (%d customers)", g.sales, len(g.roots)),
		Measured: fmt.Sprintf("%.1f µs", micros(median(late))),
		Beside:   fmt.Sprintf("%.1f µs for a new touch", micros(median(plain))),
		Ratio:    median(late).Seconds() / median(plain).Seconds(),
	}, nil
}

// finality compares the conversions that become final in a second with the new touches that are taken.
func (g *journeyGroup) finality(ctx context.Context) (Row, error) {
	plain, err := g.newTouches(min(len(g.roots)*g.sales, 10*local.DefaultBatch))
	if err != nil {
		return Row{}, err
	}
	if err := ctx.Err(); err != nil {
		return Row{}, err
	}
	g.add(g.touch(g.roots[0], journeySale.Add(3*journeySpan))) // all conversions are due
	began := time.Now()
	if err := g.pipeline.Finish(); err != nil {
		return Row{}, err
	}
	if late := g.pipeline.Ledger.Late; late > 0 {
		return Row{}, fmt.Errorf("%d events were late", late)
	}
	n := len(g.roots) * g.sales
	final := perSecond(n, time.Since(began))
	return Row{
		What:     fmt.Sprintf("conversions that become final (%s)", count(n)),
		Measured: count(final) + "/s",
		Beside:   count(plain) + "/s new touches",
		Ratio:    final / plain,
	}, nil
}

// newTouches is how many new touches are taken in a second, by so many of them.
func (g *journeyGroup) newTouches(touches int) (perSec float64, err error) {
	var messages []identity.Message
	for i := range touches {
		messages = append(messages, g.touch(g.roots[i%len(g.roots)], g.when(false)))
	}
	began := time.Now()
	for _, m := range messages {
		g.add(m)
	}
	if err := g.pipeline.Run(); err != nil {
		return 0, err
	}
	return perSecond(touches, time.Since(began)), nil
}
