package metrics_test

import (
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/watermark"
)

func scrape(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, _ := io.ReadAll(w.Body)
	return string(text)
}

// Eleven records: one refused, two filtered, one late, seven journaled, of which five were applied, one had come before and one was of
// a shared identifier only.
func TestTheLedgerAddsUp(t *testing.T) {
	m := metrics.New("test")
	var ages metrics.Ages
	for range 5 {
		ages.Observe(0)
	}
	ages.Observe(time.Hour)
	ages.Observe(100 * 24 * time.Hour)
	m.Ingested(&metrics.Ingested{Received: 11, Journaled: 7, Late: 1, Ignored: 3, Ages: ages,
		Sources:     map[lane.TopicPartition]metrics.Source{{Topic: "events", Partition: 3}: {Watermark: 1500, Idle: true}},
		Refused:     map[schemas.Reason]int64{schemas.ReasonBadTime: 1},
		Filtered:    map[schemas.Reason]int64{schemas.FilteredNoConsent: 2},
		Identifiers: map[metrics.Identifier]int64{{Type: "email", Verdict: "kept"}: 7}})
	if m.Ledger().Settled() {
		t.Error("settled while seven events are on their way")
	}
	m.Journeyed(&metrics.Journeyed{Messages: map[identity.Kind]int64{identity.KindEvent: 9},
		TimeMessages: map[watermark.Kind]int64{watermark.Heard: 4}, Times: map[int32]watermark.Times{2: {Watermark: 2000, Settled: 1000}},
		Ledger:    identity.Ledger{Applied: 5, Duplicate: 1, Conflict: 1, Shared: 1},
		Revisions: map[metrics.Revision]int64{{Change: schemas.ChangeAttribution, Cause: schemas.CauseConversion}: 2}, Withheld: 3, ExpiredEvents: 4, Expired: identity.Expired{Identifiers: 5, Links: 6, Consents: 7, Conversions: 8, Refunds: 9},
		Shared: map[identity.Reason]int64{identity.ReasonDeclared: 1, identity.ReasonLimit: 2, identity.ReasonLimitOf + 1: 3, identity.ReasonLimitOf + 7: 4}})
	if l := m.Ledger(); !l.Settled() || l.Refused != 1 || l.Filtered != 2 || l.Conflicts != 1 {
		t.Errorf("%+v", l)
	}
	if m.Messages() != 9 || m.Revisions() != 2 {
		t.Errorf("%d messages, %d revisions", m.Messages(), m.Revisions())
	}
	text := scrape(m)
	for _, line := range []string{
		`tributary_ingest_records_total{outcome="received"} 11`,
		`tributary_ingest_records_total{outcome="refused"} 1`,
		`tributary_ingest_records_total{outcome="filtered"} 2`,
		`tributary_ingest_records_total{outcome="journaled"} 7`,
		`tributary_ingest_refused_total{reason="bad_time"} 1`,
		`tributary_journey_events_total{outcome="applied"} 5`,
		`tributary_journey_events_total{outcome="duplicate"} 1`,
		`tributary_journey_events_total{outcome="shared"} 1`,
		`tributary_ingest_records_total{outcome="late"} 1`,
		`tributary_ingest_lateness_seconds_bucket{le="0"} 5`,
		`tributary_ingest_lateness_seconds_bucket{le="3600"} 6`,
		`tributary_ingest_lateness_seconds_bucket{le="+Inf"} 7`,
		`tributary_ingest_watermark_timestamp_seconds{partition="3",topic="events"} 1.5`,
		`tributary_ingest_idle{partition="3",topic="events"} 1`,
		`tributary_journey_messages_total{kind="heard"} 4`,
		`tributary_journey_watermark_timestamp_seconds{partition="2"} 2`,
		`tributary_journey_settled_timestamp_seconds{partition="2"} 1`,
		`tributary_journey_messages_total{kind="event"} 9`,
		`tributary_attribution_revisions_total{cause="conversion",change="ATTRIBUTION"} 2`,
		`tributary_attribution_withheld_revisions_total 3`,
		`tributary_journey_shared_identifiers_total{reason="declared"} 1`,
		`tributary_journey_shared_identifiers_total{reason="any"} 2`,
		`tributary_journey_shared_identifiers_total{reason="user_id"} 3`,
		`tributary_journey_shared_identifiers_total{reason="other"} 4`,
		`tributary_state_expired_total{kind="event"} 4`,
		`tributary_state_expired_total{kind="identifier"} 5`,
		`tributary_state_expired_total{kind="link"} 6`,
		`tributary_state_expired_total{kind="consent"} 7`,
		`tributary_state_expired_total{kind="conversion"} 8`,
		`tributary_state_expired_total{kind="refund"} 9`,
		`tributary_build_info{version="test"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("not in /metrics: %s", line)
		}
	}
}

func TestNamesFollowTheRule(t *testing.T) {
	m := metrics.New("test")
	var stats lane.Stats
	m.Lane("ingest", 0, &stats)
	m.Lane("journey", 0, &stats)
	stats.Commits.Add(4)
	text := scrape(m)
	if !strings.Contains(text, `tributary_lane_commits_total{lane="0",role="journey"} 4`) {
		t.Error("a lane's commits are not in /metrics")
	}
	name := regexp.MustCompile(`^tributary_(ingest|journey|attribution|lane|state|build)_[a-z_]+$`)
	ours := 0
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 4 || words[1] != "TYPE" || !strings.HasPrefix(words[2], "tributary_") {
			continue
		}
		ours++
		if !name.MatchString(words[2]) {
			t.Errorf("%s: want tributary_<part>_<thing>_<unit>", words[2])
		}
		if words[3] == "counter" && !strings.HasSuffix(words[2], "_total") {
			t.Errorf("%s is a counter without _total", words[2])
		}
	}
	if ours < 15 {
		t.Errorf("only %d metrics were looked at", ours)
	}
}
