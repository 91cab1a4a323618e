package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/schemas"
)

// times are the metrics about event time.
type times struct {
	lateness  lateness
	watermark *prometheus.GaugeVec // of source partitions
	idle      *prometheus.GaugeVec
	journey   *prometheus.GaugeVec // of partitions of the journal
	settled   *prometheus.GaugeVec
}

func (t *times) register(registry *prometheus.Registry) {
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		registry.MustRegister(g)
		return g
	}
	registry.MustRegister(&t.lateness)
	t.watermark = gauges("tributary_ingest_watermark_timestamp_seconds", "Watermark of a source partition; 0 before its first event.", "topic", "partition")
	t.idle = gauges("tributary_ingest_idle", "1 if a source partition is idle: it holds no other back.", "topic", "partition")
	t.journey = gauges("tributary_journey_watermark_timestamp_seconds", "Watermark of a partition of the journal; 0 while it is not known.", "partition")
	t.settled = gauges("tributary_journey_settled_timestamp_seconds", "Event time up to which everything has arrived at a partition of the journal; 0 while it is not known.", "partition")
}

// Source is where a source partition is.
type Source struct {
	Watermark schemas.Millis
	Idle      bool
}

func (t *times) ingested(i *Ingested) {
	t.lateness.add(&i.Ages)
	for p, s := range i.Sources {
		partition := strconv.Itoa(int(p.Partition))
		t.watermark.WithLabelValues(p.Topic, partition).Set(seconds(s.Watermark))
		idle := 0.0
		if s.Idle {
			idle = 1
		}
		t.idle.WithLabelValues(p.Topic, partition).Set(idle)
	}
	for _, p := range i.Gone {
		t.watermark.DeleteLabelValues(p.Topic, strconv.Itoa(int(p.Partition)))
		t.idle.DeleteLabelValues(p.Topic, strconv.Itoa(int(p.Partition)))
	}
}

func (t *times) journeyed(j *Journeyed) {
	for partition, times := range j.Times {
		t.journey.WithLabelValues(strconv.Itoa(int(partition))).Set(seconds(times.Watermark))
		t.settled.WithLabelValues(strconv.Itoa(int(partition))).Set(seconds(times.Settled))
	}
	for _, partition := range j.Gone {
		t.journey.DeleteLabelValues(strconv.Itoa(int(partition)))
		t.settled.DeleteLabelValues(strconv.Itoa(int(partition)))
	}
}

func seconds(m schemas.Millis) float64 { return float64(m) / 1000 }

// ageBounds are the upper bounds of the buckets of lateness: from disorder to a month.
var ageBounds = [...]time.Duration{0, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour,
	24 * time.Hour, 3 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

// Ages count how far events were behind the watermark of their source partition.
type Ages struct {
	counts [len(ageBounds) + 1]uint64 // by bucket
	sum    time.Duration
}

// Observe counts an event; 0 is one that was not behind.
func (a *Ages) Observe(age time.Duration) {
	bucket := 0
	for bucket < len(ageBounds) && age > ageBounds[bucket] {
		bucket++
	}
	a.counts[bucket]++
	a.sum += age
}

// lateness is the histogram of ages. It is filled a transaction at a time.
type lateness struct {
	mu    sync.Mutex
	ages  Ages
	total uint64
	sum   float64 // seconds: years of many events are too many nanoseconds
}

var latenessDesc = prometheus.NewDesc("tributary_ingest_lateness_seconds", "How far accepted events were behind the watermark of their source partition.", nil, nil)

func (l *lateness) add(a *Ages) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for bucket, n := range a.counts {
		l.ages.counts[bucket] += n
		l.total += n
	}
	l.sum += a.sum.Seconds()
}

// Describe is for Prometheus.
func (l *lateness) Describe(descs chan<- *prometheus.Desc) { descs <- latenessDesc }

// Collect is for Prometheus.
func (l *lateness) Collect(metrics chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	buckets := make(map[float64]uint64, len(ageBounds))
	var below uint64
	for bucket, bound := range ageBounds {
		below += l.ages.counts[bucket]
		buckets[bound.Seconds()] = below
	}
	metrics <- prometheus.MustNewConstHistogram(latenessDesc, l.total, l.sum, buckets)
}
