package state

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Metrics is what a store is doing, since it was opened where nothing else is said. All sizes are bytes.
type Metrics struct {
	DiskBytes        uint64 // files of the store now
	TableBytes       int64  // tables now
	Tables           int64  // number of them
	LogBytes         uint64 // write-ahead log now
	MemTableBytes    uint64 // rows in memory now, not yet in tables
	CacheBytes       int64  // blocks in memory now
	CacheHits        int64
	CacheMisses      int64
	FilterHits       int64 // tables not looked into, as their filter knew better
	FilterMisses     int64
	Flushes          int64
	Compactions      int64
	CompactionDebt   uint64 // bytes to compact until the tables are in shape
	WrittenBytes     uint64 // by flushes and compactions
	ReadAmp          int    // sorted runs that a read may look into
	BackgroundFaults int64  // errors of flushes and compactions: the disk is full or failing
}

// Metrics is a snapshot, cheap enough for every scrape.
func (s *Store) Metrics() Metrics {
	m := s.db.Metrics()
	total := m.Total()
	return Metrics{
		DiskBytes:        m.DiskSpaceUsage(),
		TableBytes:       total.TablesSize,
		Tables:           total.TablesCount,
		LogBytes:         m.WAL.PhysicalSize,
		MemTableBytes:    m.MemTable.Size,
		CacheBytes:       m.BlockCache.Size,
		CacheHits:        m.BlockCache.Hits,
		CacheMisses:      m.BlockCache.Misses,
		FilterHits:       m.Filter.Hits,
		FilterMisses:     m.Filter.Misses,
		Flushes:          m.Flush.Count,
		Compactions:      m.Compact.Count,
		CompactionDebt:   m.Compact.EstimatedDebt,
		WrittenBytes:     total.TableBytesFlushed + total.TableBytesCompacted,
		ReadAmp:          m.ReadAmp(),
		BackgroundFaults: s.backgroundErrors.Load(),
	}
}

// Bytes is about how many bytes of tables and memory the partition's rows take.
func (s *Store) Bytes(partition int32) (uint64, error) {
	if err := checkPartition(partition); err != nil {
		return 0, err
	}
	lower, upper := partitionBounds(partition)
	n, err := s.db.EstimateDiskUsage(lower, upper)
	if err != nil {
		return 0, fmt.Errorf("state: measure partition %d: %w", partition, err)
	}
	return n, nil
}

// EstimateRows is about how many rows all tables hold, local rows and overwritten ones too. It opens every table: not for
// every scrape.
func (s *Store) EstimateRows() (uint64, error) {
	levels, err := s.db.SSTables(pebble.WithProperties())
	if err != nil {
		return 0, fmt.Errorf("state: count rows: %w", err)
	}
	var rows uint64
	for _, tables := range levels {
		for _, t := range tables {
			rows += t.Properties.NumEntries - min(t.Properties.NumEntries, 2*t.Properties.NumDeletions)
		}
	}
	return rows, nil
}
