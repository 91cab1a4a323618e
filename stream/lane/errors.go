package lane

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrOffsetsLost says that a changelog holds rows of a partition for which the group has no committed offset. Going on
// would process again what the state already includes. It happens when the offsets of a group that was stopped for longer than
// offsets.retention.minutes were deleted, or when somebody deleted them.
var ErrOffsetsLost = errors.New("the changelog has rows but the group has no committed offset")

// fatal is an error that a new session won't cure: a bug, damaged data or wrong settings. Run returns it.
type fatal struct{ err error }

func (f fatal) Error() string { return f.err.Error() }
func (f fatal) Unwrap() error { return f.err }

func isFatal(err error) bool {
	_, ok := errors.AsType[fatal](err)
	return ok
}

// incurable are the broker's answers that come again however often a transaction is repeated.
var incurable = []*kerr.Error{
	kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage,
	kerr.FencedInstanceID, kerr.InconsistentGroupProtocol, kerr.OffsetOutOfRange, kerr.InvalidSessionTimeout,
	kerr.UnsupportedForMessageFormat, kerr.UnsupportedVersion,
}

// judge marks an error as fatal if a new session can't cure it.
func judge(err error) error {
	for _, bad := range incurable {
		if errors.Is(err, bad) {
			return fatal{explain(err)}
		}
	}
	return err
}

// explain adds what to do about errors that an operator must decide on.
func explain(err error) error {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return fmt.Errorf("%w (the topic no longer has the records that come next: its retention is shorter than this group was behind, or it was truncated; set the group's offsets with kafka-consumer-groups to accept the loss)", err)
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("%w (another process runs with the same instance id)", err)
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return fmt.Errorf("%w (another kind of consumer is in this group)", err)
	}
	return err
}
