package local

import (
	"tributary/schemas"
	"tributary/stream/ingest"
	"tributary/stream/watermark"
)

// clock is how far the input has come.
type clock struct {
	source  watermark.Source // of the input
	settled schemas.Millis   // everything up to it has gone its whole way; it follows source when nothing waits
}

// late reports whether an accepted event comes too late, since its journey may be final. Any other moves the watermark.
func (p *Pipeline) late(r *ingest.Result, at schemas.Millis) bool {
	if !p.config.Timed || r.Replayed() {
		return false
	}
	if !r.AnyAge() && p.clock.source.Late(r.At, p.config.Attribution.AllowedLateness) {
		return true
	}
	p.clock.source.See(r.At, at, p.config.OutOfOrderness)
	return false
}

// settle does what is due now that nothing waits.
func (p *Pipeline) settle() {
	if !p.config.Timed || p.err != nil {
		return
	}
	p.clock.settled = p.clock.source.Watermark
	for partition := range p.queues {
		for p.work.Advance(int32(partition), p.clock.settled, p.config.BatchMessages, p.stamp()) {
			p.commit()
		}
	}
}
