package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

// A service that is told to stop while it still waits for its cluster has done nothing wrong.
func TestRunToldToStopBeforeItBegan(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, log := io.Pipe()
	status := make(chan int, 1)
	go func() {
		defer log.Close()
		status <- run(ctx, strings.Fields("run --set kafka.brokers=127.0.0.1:1 --set sources=[{topic:events}] --instance-id a"),
			&console{in: strings.NewReader(""), out: io.Discard, err: log, environ: []string{"TRIBUTARY_IDENTITY_KEY=1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}})
	}()
	var all strings.Builder
	line := make([]byte, 4096)
	for {
		n, err := said.Read(line)
		all.Write(line[:n])
		if strings.Contains(all.String(), "the start waits for the cluster") {
			stop()
		}
		if err != nil {
			break
		}
	}
	if got := <-status; got != done || !strings.Contains(all.String(), "tributary has stopped") {
		t.Errorf("status %d after\n%s", got, all.String())
	}
}
