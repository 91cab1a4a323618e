// Package metrics is every metric of Tributary, in one place, and the only package that knows Prometheus. Names are
// tributary_<part>_<thing>_<unit>; labels are few and bounded, and never a customer.
//
// The ledger: every record that ingest received ends in exactly one of refused, filtered, late and journaled, and every
// journaled event in exactly one of applied, duplicate and filtered (forgotten, shared, expired):
//
//	tributary_ingest_records_total{outcome="received"}
//	  = {outcome="refused"} + {outcome="filtered"} + {outcome="late"} + {outcome="journaled"}
//	tributary_ingest_records_total{outcome="journaled"}
//	  = tributary_journey_events_total, over all outcomes, when nothing is on its way
//
// The counters are those of a process since it began. One that is killed takes what was not scraped with it; the sums that
// outlive it are read by `tributary inspect ledger`.
package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/lane"
	"tributary/stream/watermark"
)

// Metrics are the metrics of one process.
type Metrics struct {
	registry    *prometheus.Registry
	received    prometheus.Counter
	journaled   prometheus.Counter
	refusedAll  prometheus.Counter
	filteredAll prometheus.Counter
	late        prometheus.Counter
	refused     *prometheus.CounterVec
	filtered    *prometheus.CounterVec
	identifiers *prometheus.CounterVec
	ignored     prometheus.Counter
	messages    *prometheus.CounterVec
	events      *prometheus.CounterVec
	conflicts   prometheus.Counter
	revisions   *prometheus.CounterVec
	shared      *prometheus.CounterVec
	withheld    prometheus.Counter
	expired     *prometheus.CounterVec
	times       times
	audits      *prometheus.CounterVec

	ledger ledger
}

// ledger holds the same counts as the metrics, for whoever prints them.
type ledger struct {
	received, journaled, refused, filtered, late     atomic.Int64
	applied, duplicate, forgotten, shared, conflicts atomic.Int64
	expired                                          atomic.Int64
	messages, revisions, erasing                     atomic.Int64
}

// New returns the metrics, all at zero. version is the program's.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	records := counters("tributary_ingest_records_total", "Source records by what became of them.", "outcome")
	m.received = records.WithLabelValues("received")
	m.journaled = records.WithLabelValues("journaled")
	m.refusedAll = records.WithLabelValues("refused")
	m.filteredAll = records.WithLabelValues("filtered")
	m.late = records.WithLabelValues("late")
	m.refused = counters("tributary_ingest_refused_total", "Source records sent to the dead-letter topic, by reason.", "reason")
	m.filtered = counters("tributary_ingest_filtered_total", "Source records that were accepted and go no further, by reason.", "reason")
	m.identifiers = counters("tributary_ingest_identifiers_total", "Raw identifiers by type and what became of them.", "type", "verdict")
	m.ignored = counter("tributary_ingest_unknown_members_total", "Members of source events that the contract does not know.")
	m.messages = counters("tributary_journey_messages_total", "Journal messages handled, by kind.", "kind")
	m.events = counters("tributary_journey_events_total", "Journaled events by what became of them.", "outcome")
	m.conflicts = counter("tributary_journey_conflicts_total", "Duplicates whose content differed from the first delivery.")
	m.revisions = counters("tributary_attribution_revisions_total", "Revisions emitted, by change and cause.", "change", "cause")
	m.shared = counters("tributary_journey_shared_identifiers_total", "Identifiers that became shared: declared, or by the type of neighbours of which there were too many.", "reason")
	m.expired = counters("tributary_state_expired_total", "What was deleted because it is older than the retention, by kind. Refunds are those whose conversion never came, or had expired.", "kind")
	m.withheld = counter("tributary_attribution_withheld_revisions_total", "Revisions that were not emitted because the conversion is final.")
	m.audits = counters("tributary_audit_records_total", "Records of what was erased and unlinked, by kind.", "kind")
	for _, outcome := range []string{"applied", "duplicate", "forgotten", "shared", "expired"} {
		m.events.WithLabelValues(outcome)
	}
	m.times.register(m.registry)
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tributary_build_info", Help: "Always 1."}, []string{"version"})
	info.WithLabelValues(version).Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gauge registers a gauge whose value is asked for at each scrape.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Ingested is what one committed transaction of ingest did.
type Ingested struct {
	Received, Journaled, Late int64
	Refused, Filtered         map[schemas.Reason]int64
	Identifiers               map[Identifier]int64
	Ignored                   int64

	Ages    Ages                           // of accepted events, the late ones too
	Sources map[lane.TopicPartition]Source // that the clock was told of
	Gone    []lane.TopicPartition          // the lane has them no longer
}

// Identifier is a kind of raw identifier and what became of those of the kind.
type Identifier struct{ Type, Verdict string }

// Ingested counts a committed transaction. Nothing is counted before its commit, so an aborted one leaves no trace.
func (m *Metrics) Ingested(i *Ingested) {
	add(m.received, &m.ledger.received, i.Received)
	add(m.journaled, &m.ledger.journaled, i.Journaled)
	add(m.late, &m.ledger.late, i.Late)
	for reason, n := range i.Refused {
		m.refused.WithLabelValues(string(reason)).Add(float64(n))
		add(m.refusedAll, &m.ledger.refused, n)
	}
	for reason, n := range i.Filtered {
		m.filtered.WithLabelValues(string(reason)).Add(float64(n))
		add(m.filteredAll, &m.ledger.filtered, n)
	}
	for id, n := range i.Identifiers {
		m.identifiers.WithLabelValues(id.Type, id.Verdict).Add(float64(n))
	}
	m.ignored.Add(float64(i.Ignored))
	m.times.ingested(i)
}

// Journeyed is what one committed transaction of the journey role did.
type Journeyed struct {
	Messages     map[identity.Kind]int64
	TimeMessages map[watermark.Kind]int64 // about time, and for nobody's journey

	Ledger    identity.Ledger
	Revisions map[Revision]int64
	Withheld  int64                     // revisions that were not emitted because the conversion is final
	Shared    map[identity.Reason]int64 // identifiers that became shared
	Audits    map[schemas.AuditKind]int64
	Erasing   int64 // messages that may have deleted what is known of a person
	// What was deleted because it is older than the retention.
	ExpiredEvents int64
	Expired       identity.Expired

	Times map[int32]watermark.Times // of partitions of the journal
	Gone  []int32                   // the lane has them no longer
}

// Revision is a kind of revision.
type Revision struct {
	Change schemas.Change
	Cause  schemas.Cause
}

// Journeyed counts a committed transaction.
func (m *Metrics) Journeyed(j *Journeyed) {
	for kind, n := range j.Messages {
		m.messages.WithLabelValues(kind.String()).Add(float64(n))
		m.ledger.messages.Add(n)
	}
	for kind, n := range j.TimeMessages {
		m.messages.WithLabelValues(kind.String()).Add(float64(n))
	}
	m.times.journeyed(j)
	add(m.events.WithLabelValues("applied"), &m.ledger.applied, j.Ledger.Applied)
	add(m.events.WithLabelValues("duplicate"), &m.ledger.duplicate, j.Ledger.Duplicate)
	add(m.events.WithLabelValues("forgotten"), &m.ledger.forgotten, j.Ledger.Forgotten)
	add(m.events.WithLabelValues("shared"), &m.ledger.shared, j.Ledger.Shared)
	add(m.events.WithLabelValues("expired"), &m.ledger.expired, j.Ledger.Expired)
	add(m.conflicts, &m.ledger.conflicts, j.Ledger.Conflict)
	for r, n := range j.Revisions {
		m.revisions.WithLabelValues(string(r.Change), string(r.Cause)).Add(float64(n))
		m.ledger.revisions.Add(n)
	}
	m.withheld.Add(float64(j.Withheld))
	for why, n := range j.Shared {
		m.shared.WithLabelValues(why.String()).Add(float64(n))
	}
	for kind, n := range j.Audits {
		m.audits.WithLabelValues(string(kind)).Add(float64(n))
	}
	m.ledger.erasing.Add(j.Erasing)
	for kind, n := range map[string]int64{"event": j.ExpiredEvents, "identifier": j.Expired.Identifiers, "link": j.Expired.Links,
		"consent": j.Expired.Consents, "conversion": j.Expired.Conversions, "refund": j.Expired.Refunds} {
		m.expired.WithLabelValues(kind).Add(float64(n))
	}
}

// Lane registers what a lane counts. role and number tell it apart from the others of the process.
func (m *Metrics) Lane(role string, number int, s *lane.Stats) {
	labels := prometheus.Labels{"role": role, "lane": strconv.Itoa(number)}
	for _, c := range []struct {
		name, help string
		value      *atomic.Int64
		gauge      bool
	}{
		{"tributary_lane_commits_total", "Transactions that Kafka committed and the task applied.", &s.Commits, false},
		{"tributary_lane_aborts_total", "Transactions dropped, to be done again.", &s.Aborts, false},
		{"tributary_lane_restarts_total", "Sessions given up after an error and begun anew.", &s.Restarts, false},
		{"tributary_lane_consumed_records_total", "Records consumed by committed transactions.", &s.Consumed, false},
		{"tributary_lane_produced_records_total", "Records produced by committed transactions.", &s.Produced, false},
		{"tributary_lane_early_commits_total", "Commits before the interval was over because the batch was full.", &s.EarlyCommits, false},
		{"tributary_state_restored_rows_total", "Changelog records applied on assignment.", &s.RestoredRows, false},
		{"tributary_state_resets_total", "Partitions whose local state was of no use and was dropped.", &s.Resets, false},
		{"tributary_state_restoring_partitions", "Partitions being restored now.", &s.Restoring, true},
		{"tributary_lane_owned_partitions", "Partitions owned now.", &s.Owned, true},
	} {
		read := func() float64 { return float64(c.value.Load()) }
		if c.gauge {
			m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: c.name, Help: c.help, ConstLabels: labels}, read))
		} else {
			m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help, ConstLabels: labels}, read))
		}
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tributary_state_restore_offsets_left", ConstLabels: labels,
		Help: "Changelog offsets that are yet to be read, over all partitions being restored."}, func() float64 {
		var sum int64
		for _, p := range s.RestoreProgress() {
			sum += p.Left
		}
		return float64(sum)
	}))
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tributary_lane_lag_offsets", ConstLabels: labels,
		Help: "Offsets behind what was polled last, over all partitions."}, func() float64 {
		var sum int64
		for _, n := range s.Lag() {
			sum += n
		}
		return float64(sum)
	}))
}

func add(c prometheus.Counter, n *atomic.Int64, by int64) {
	c.Add(float64(by))
	n.Add(by)
}

// Ledger says what became of every record so far.
type Ledger struct {
	Received, Journaled, Refused, Filtered, Late int64 // at ingest
	Applied, Duplicate                           int64 // at journeys
	Forgotten, Shared                            int64 // at journeys: filtered
	Expired                                      int64 // at journeys: filtered, older than what is kept
	Conflicts                                    int64 // of Duplicate
}

// Ledger returns the counts so far.
func (m *Metrics) Ledger() Ledger {
	l := &m.ledger
	return Ledger{Received: l.received.Load(), Journaled: l.journaled.Load(), Refused: l.refused.Load(), Filtered: l.filtered.Load(), Late: l.late.Load(),
		Applied: l.applied.Load(), Duplicate: l.duplicate.Load(), Forgotten: l.forgotten.Load(), Shared: l.shared.Load(), Expired: l.expired.Load(),
		Conflicts: l.conflicts.Load()}
}

// Messages is how many journal messages were handled, without those about time, and Revisions how many records were emitted, by transactions that
// committed.
func (m *Metrics) Messages() int64  { return m.ledger.messages.Load() }
func (m *Metrics) Revisions() int64 { return m.ledger.revisions.Load() }

// Erasing is how many messages may have deleted what is known of a person. One erasure is some, to whoever has rows of it.
func (m *Metrics) Erasing() int64 { return m.ledger.erasing.Load() }

// Waiting is how many accepted events have not ended yet.
func (l Ledger) Waiting() int64 { return l.Journaled - l.ended() }

// Settled reports whether every record received has ended somewhere: received = applied + duplicate + refused + late +
// filtered.
func (l Ledger) Settled() bool { return l.Received == l.Refused+l.Late+l.Filtered+l.ended() }

func (l Ledger) ended() int64 { return l.Applied + l.Duplicate + l.Forgotten + l.Shared + l.Expired }
