package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"
)

// handler serves /metrics, /livez and /readyz.
//
//   - /livez is 200 as long as the process answers. It does not look at Kafka: restarting a pod heals no broker.
//   - /readyz is 200 when every lane has its session and no partition is being restored, else 503 with what is missing.
func (s *Service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if missing := s.NotReady(); len(missing) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			for _, m := range missing {
				fmt.Fprintln(w, m)
			}
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

// listen serves the handler until ctx is cancelled.
func (s *Service) listen(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.Settings.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	s.Log.Info("listening for metrics and probes", "address", listener.Addr().String())
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// NotReady says what keeps the service from being ready, a line each; none if it is.
func (s *Service) NotReady() (missing []string) {
	for _, l := range s.lanes {
		say := func(format string, values ...any) {
			missing = append(missing, fmt.Sprintf("%s lane %d ", l.role, l.number)+fmt.Sprintf(format, values...))
		}
		stats := l.Stats()
		if stats.Generation.Load() == 0 {
			say("has not joined its group")
		}
		left := stats.RestoreProgress()
		for _, partition := range slices.Sorted(maps.Keys(left)) {
			p := left[partition]
			if p.Estimate == 0 {
				say("restores partition %d: %d offsets left", partition, p.Left)
			} else {
				say("restores partition %d: %d offsets left, about %v", partition, p.Left, p.Estimate.Round(time.Second))
			}
		}
		if n := stats.Restoring.Load() - int64(len(left)); n > 0 {
			say("is about to restore %d partitions", n)
		}
	}
	return missing
}
