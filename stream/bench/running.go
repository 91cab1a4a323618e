package bench

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tributary/stream/metrics"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// running is a service at work.
type running struct {
	service *service.Service
	metrics *metrics.Metrics
	cancel  context.CancelFunc
	ended   chan error
}

func (b *bench) start(ctx context.Context, s *settings.Settings) (*running, error) {
	m := metrics.New("bench")
	svc, err := service.New(ctx, service.Config{Settings: s, Keys: b.Keys, Client: b.Client, Instance: "bench", Metrics: m, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &running{svc, m, cancel, make(chan error, 1)}
	go func() { r.ended <- svc.Run(ctx) }()
	return r, nil
}

// stop ends the service in order and closes its state.
func (r *running) stop() error {
	r.cancel()
	err := <-r.ended
	if e := r.service.Close(); err == nil {
		err = e
	}
	return err
}

// Patience of settle.
const (
	look  = 2 * time.Millisecond
	quiet = 500 * time.Millisecond // nothing happens for so long: it is over
)

// settle waits until n records have ended somewhere and no message is on its way any more. It returns what the watch showed
// when the last one was handled.
func (r *running) settle(ctx context.Context, n int, watch stopwatch) (t took, err error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var handled int64
	at := time.Now()
	for {
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case err := <-r.ended:
			r.ended <- err
			return t, fmt.Errorf("the service stopped: %w", err)
		case <-tick.C:
		}
		l := r.metrics.Ledger()
		if now := l.Received + r.metrics.Messages(); now != handled {
			handled, at, t = now, time.Now(), watch.stop()
		}
		if l.Received >= int64(n) && l.Settled() && time.Since(at) >= quiet {
			return t, nil
		}
	}
}
