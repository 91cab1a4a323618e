package local

import (
	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/ingest"
)

// watermark is how far the input has come.
type watermark struct {
	source  schemas.Millis // of the input: no event that is older by more than the allowed lateness is taken
	settled schemas.Millis // everything up to it has gone its whole way; it follows source when nothing waits
}

// late moves the watermark by an event, and reports whether the event comes too late: its journey may be final. An event
// cannot move it ahead of the time at which it was recorded.
func (p *Pipeline) late(r *ingest.Result, at schemas.Millis) bool {
	if !p.config.Timed || r.Messages[0].Cause == identity.CauseBackfill {
		return false
	}
	if !alwaysInTime(&r.Messages[0]) && r.At < p.clock.source.Add(-p.config.Attribution.AllowedLateness) {
		return true
	}
	p.clock.source = max(p.clock.source, min(r.At, at).Add(-p.config.OutOfOrderness))
	return false
}

// settle does what is due now that nothing waits.
func (p *Pipeline) settle() {
	if !p.config.Timed || p.err != nil {
		return
	}
	p.clock.settled = p.clock.source
	for partition := range p.queues {
		for p.work.Advance(int32(partition), p.clock.settled, p.config.BatchMessages, p.stamp()) {
			p.commit()
		}
	}
}

// alwaysInTime reports whether an event is what a person wants: to be forgotten, or asked for consent. That is never late.
func alwaysInTime(m *identity.Message) bool {
	return m.Kind == identity.KindForget || m.Fact != nil && m.Fact.Standing
}
