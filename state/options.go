package state

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are the settings of a store. The zero value is good for an instance with a few GiB of memory.
type Options struct {
	CacheBytes    int64 // blocks of tables kept in memory; default 128 MiB
	MemTableBytes int64 // rows written since the last flush, of which there can be four in memory, and up to as much again to read them by key; default 64 MiB
	BloomBits     int   // bits a row of the filters that answer for absent rows; default 10 (1 % wrong), -1: no filters
	Compactions   int   // compactions at once; default 2
	OpenFiles     int   // table files kept open; default 1000

	// Sync makes every commit wait for the disk. Off by default: the changelog is the truth, and what a power failure takes
	// is read again from there.
	Sync bool
	// NoWAL leaves out the write-ahead log. When the process dies, whatever was not yet flushed is gone and is read again
	// from the changelog: some seconds for a full memory table. Writing costs less, and no old log file keeps rows that were
	// deleted since.
	NoWAL bool

	FS  vfs.FS       // default: the operating system's
	Log *slog.Logger // what the engine reports; default: none
}

const (
	defaultCacheBytes    = 128 << 20
	defaultMemTableBytes = 64 << 20
	defaultBloomBits     = 10
	defaultCompactions   = 2
	defaultOpenFiles     = 1000

	minMemTableBytes = 64 << 10
	maxMemTableBytes = 2 << 30
)

func (o Options) withDefaults() Options {
	orDefault(&o.CacheBytes, defaultCacheBytes)
	orDefault(&o.MemTableBytes, defaultMemTableBytes)
	orDefault(&o.BloomBits, defaultBloomBits)
	orDefault(&o.Compactions, defaultCompactions)
	orDefault(&o.OpenFiles, defaultOpenFiles)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T int | int64](value *T, fallback T) {
	if *value == 0 {
		*value = fallback
	}
}

// Validate reports every setting out of its bounds at once.
func (o Options) Validate() error {
	o = o.withDefaults()
	return errors.Join(
		within("CacheBytes", o.CacheBytes, 1<<20, 1<<50),
		within("MemTableBytes", o.MemTableBytes, minMemTableBytes, maxMemTableBytes),
		within("BloomBits", int64(o.BloomBits), -1, 30),
		within("Compactions", int64(o.Compactions), 1, 64),
		within("OpenFiles", int64(o.OpenFiles), 10, 1<<20),
	)
}

func within(name string, value, low, high int64) error {
	if value < low || value > high {
		return fmt.Errorf("state: %s is %d, must be from %d to %d", name, value, low, high)
	}
	return nil
}
