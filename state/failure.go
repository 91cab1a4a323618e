package state

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// ErrDamaged says that the files of a store are not as they were written. Nothing is lost: an empty directory is filled
// from the changelog.
var ErrDamaged = errors.New("files are damaged: delete the directory, and it is filled again from the changelog")

// failure is the first thing that makes a store useless while it is open.
type failure struct {
	dir    string
	log    *slog.Logger
	failed chan error

	mu    sync.Mutex
	flush error // of the last flush; one that had nothing to write has one too
}

func newFailure(dir string, log *slog.Logger) *failure {
	return &failure{dir: dir, log: log, failed: make(chan error, 1)}
}

func (f *failure) report(err error) {
	f.log.Error("state", "directory", f.dir, "error", err.Error())
	select {
	case f.failed <- err:
	default: // one is enough
	}
}

// damaged says of an error of the engine what is to be done, unless it is the system that refuses, such as for lack of space.
func damaged(err error) error {
	var refused syscall.Errno
	if errors.As(err, &refused) && refused != syscall.ENOENT {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// listen makes the engine tell what goes wrong behind our back. A compaction that fails is tried again, which may help; rows that
// can't be written from memory to disk are not worth waiting for.
func (f *failure) listen(count func()) *pebble.EventListener {
	return &pebble.EventListener{
		FlushEnd: func(info pebble.FlushInfo) {
			f.mu.Lock()
			f.flush = info.Err
			f.mu.Unlock()
		},
		BackgroundError: func(err error) { // of a flush right behind its end, if it failed
			count()
			f.mu.Lock()
			flush := f.flush == err
			f.mu.Unlock()
			if flush {
				f.report(fmt.Errorf("rows can't be written: %w", damaged(err)))
				return
			}
			f.log.Error("state: background work", "error", err.Error()) // without the engine's stack
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			f.report(fmt.Errorf("%w: %s: %w", ErrDamaged, info.Path, info.Details))
		},
		LowDiskSpace: func(info pebble.LowDiskSpaceInfo) {
			f.log.Warn("state: the disk is nearly full", "directory", f.dir, "bytes_left", info.AvailBytes, "bytes", info.TotalBytes)
		},
	}
}

// logger passes on what the engine reports.
type logger struct{ *failure }

func (l logger) Infof(format string, values ...any)  { l.log.Debug(fmt.Sprintf(format, values...)) }
func (l logger) Errorf(format string, values ...any) { l.log.Error(fmt.Sprintf(format, values...)) }

// Fatalf must not return: the engine found that it can't go on, such as a manifest that can't be written, and holds its locks.
func (l logger) Fatalf(format string, values ...any) {
	l.report(fmt.Errorf(format, values...))
	select {}
}
