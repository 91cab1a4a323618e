package attribution

import (
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state"
	"tributary/state/journey"
)

// Config is what the answers depend on. Two processors with one Config give the same answers.
type Config struct {
	Partitions int // of the journal; fixed for the life of an application id
	Limits     identity.Limits
	MaxMembers uint32 // a customer of more identifiers is not attributed; 0: no limit
	Rules      journey.Rules
	Models     []scoring.Named
	Key        identity.Key // names customers
	// AllowedLateness is how long after a conversion, in time of events, it becomes final.
	AllowedLateness time.Duration
	// Retention is how long events are kept, and what they say of identities, in time of events, at least: so long as an
	// answer that is not final can need them. 0: for ever.
	Retention time.Duration
}

// Rows is the state of one partition.
type Rows interface {
	identity.Rows

	// Window returns the facts of a journey from one time to another, both included, without those whose event has a
	// delivery before from: that one counts. Of several deliveries within the window all are returned.
	Window(root identity.ID, from, to schemas.Millis) []identity.Fact
	// Standing returns the standing facts of a journey up to a time, included.
	Standing(root identity.ID, to schemas.Millis) []identity.Fact

	// Timers returns the timers that are due before a time, the first due first, at most limit.
	Timers(before schemas.Millis, limit int) []state.Timer
	PutTimer(t state.Timer)
	DeleteTimer(t state.Timer)

	// Expire deletes the facts that are older, in steps of at most limit, and says how many and whether there is more to do.
	Expire(before schemas.Millis, limit int) (deleted int, more bool)
	// Sweep returns the actors to look at for what is older, at most limit, and says whether there are more.
	Sweep(before schemas.Millis, every time.Duration, limit int) (found state.Actors, more bool)
}

// Batch is the state of all partitions of one transaction.
type Batch interface {
	Rows(partition int32) Rows
}

// Output takes what a transaction produces.
type Output interface {
	// Journal takes a message for another actor. The message is the receiver's.
	Journal(partition int32, m identity.Message)
	// Attribution takes a new revision. The record is the receiver's only until it returns.
	Attribution(a *schemas.Attribution)
	// Alias takes the new public id of a customer that another absorbed. With no new id what was said before is
	// withdrawn: the customer stands alone again.
	Alias(a schemas.Alias)
	// Audit takes the receipt of an erasure or unlinking.
	Audit(a schemas.Audit)
}

// Processor runs the journey role. It holds working memory only and must not be used by two goroutines at once.
type Processor struct {
	config  Config
	machine *identity.Machine
	record  recorder
	effects identity.Effects
	rows    stepRows // of the message at hand
}

// New returns a processor.
func New(c Config) *Processor {
	if c.Retention > 0 {
		c.Retention = max(c.Retention, c.Rules.Reach()+c.AllowedLateness+sweepSlack)
		c.Limits.Refresh = c.Retention / periods
		c.Rules.Memory = c.Retention
	}
	return &Processor{
		config:  c,
		machine: identity.NewMachine(c.Limits),
		record:  newRecorder(c.Models),
	}
}
