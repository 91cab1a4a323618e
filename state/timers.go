package state

import (
	"fmt"

	"tributary/identity"
	"tributary/schemas"
)

// Timer is something to do once the events of a partition have passed a time. Timers that are equal in every field are one.
type Timer struct {
	Due  schemas.Millis
	Kind TimerKind
	// Root is where it is to be done; None: at the actor of the conversion.
	Root       identity.ID
	Conversion identity.ConversionKey
}

// TimerKind is what is to be done. The numbers are those of the changelog and never change.
type TimerKind uint8

// TimerFinal is the timer of a conversion that becomes final.
const TimerFinal TimerKind = 1

const timerBytes = 8 + 1 + 2*idBytes

// key is the timer's plain key: timers are in the order in which they are due.
func (t Timer) key() []byte {
	b := appendTime(make([]byte, 0, timerBytes), t.Due)
	b = append(b, byte(t.Kind))
	b = append(b, t.Root[:]...)
	return append(b, t.Conversion[:]...)
}

func timerOf(key []byte) (Timer, error) {
	if len(key) != timerBytes {
		return Timer{}, &FormatError{Kind: KindTimer, Detail: fmt.Sprintf("key of %d bytes", len(key))}
	}
	return Timer{Due: timeOf(key), Kind: TimerKind(key[8]), Root: identity.ID(key[9:]), Conversion: identity.ConversionKey(key[9+idBytes:])}, nil
}

// PutTimer sets a timer.
func (r *Rows) PutTimer(t Timer) { r.PutPlain(KindTimer, t.key(), nil) }

// DeleteTimer takes a timer away.
func (r *Rows) DeleteTimer(t Timer) { r.DeletePlain(KindTimer, t.key()) }

// Timers returns the timers that are due before a time, at most limit of them, in the order in which they are due.
func (r *Rows) Timers(before schemas.Millis, limit int) (due []Timer) {
	r.Plains(KindTimer, nil, appendTime(nil, before), func(key, _ []byte) bool {
		if len(due) == limit {
			return false
		}
		t, err := timerOf(key)
		r.fail(KindTimer, err)
		due = append(due, t)
		return err == nil
	})
	return due
}
