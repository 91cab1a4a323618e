package service

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tributary/stream/kafkatest"
	"tributary/stream/local/reference"
)

// plainRules are those of tests in which nothing depends on them.
var plainRules = reference.Rules{Timeout: 1_800_000, Lookback: 86_400_000}

// plainRandom is a source of random numbers that are always the same.
func plainRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// get asks a running instance, without a network.
func (i *instance) get(path string) (status int, body string) {
	answer := httptest.NewRecorder()
	i.service.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	text, _ := io.ReadAll(answer.Body)
	return answer.Code, string(text)
}

// until asks again and again, for what no event tells.
func until(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// An instance is ready once all of its lanes have joined, though there is nothing to do and there are more lanes than
// partitions, and it is alive.
func TestReadiness(t *testing.T) {
	ctx := limit(t, time.Minute)
	w := newWorld(t, kafkatest.StartFake(t, kafkatest.Options{}), plainRandom(), plainRules, 1)
	w.settings.Partitions, w.settings.Lanes.Journey, w.settings.Lanes.Ingest = 2, 3, 1
	i := w.instances[0]
	i.start()
	if status, body := i.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "ingest lane 0 has not joined its group") {
		t.Errorf("readyz at the start: %d %q", status, body)
	}
	until(ctx, t, "the instance is ready", func() bool { status, _ := i.get("/readyz"); return status == http.StatusOK })
	if status, body := i.get("/livez"); status != http.StatusOK || body != "alive\n" {
		t.Errorf("livez: %d %q", status, body)
	}
	if status, body := i.get("/metrics"); status != http.StatusOK || !strings.Contains(body, `tributary_ingest_records_total{outcome="received"} 0`) {
		t.Errorf("metrics: %d\n%s", status, body)
	}
	if status, _ := i.get("/"); status != http.StatusNotFound {
		t.Errorf("/: %d", status)
	}
}

// The listener answers on the address of the settings for as long as the service runs; an address that is taken ends it.
func TestListener(t *testing.T) {
	ctx := limit(t, time.Minute)
	w := newWorld(t, kafkatest.StartFake(t, kafkatest.Options{}), plainRandom(), plainRules, 2)
	taken := httptest.NewServer(http.NotFoundHandler())
	address := taken.Listener.Addr().String()
	w.settings.HTTP.Listen = address
	w.instances[0].start()
	err := <-w.instances[0].ended
	if err == nil || !strings.HasPrefix(err.Error(), "http.listen: ") {
		t.Errorf("a service on an address that is taken ended with %v", err)
	}
	w.instances[0].ended <- nil
	w.instances[0].leave()
	taken.Close()
	w.instances[1].start()
	until(ctx, t, "the listener answers", func() bool {
		answer, err := http.Get("http://" + address + "/livez")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	w.instances[1].leave()
	http.DefaultClient.CloseIdleConnections()
	if _, err := http.Get("http://" + address + "/livez"); err == nil {
		t.Error("the listener answers though the service has stopped")
	}
}
