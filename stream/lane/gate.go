package lane

import (
	"context"
	"sync"
)

// Gate keeps the restoring of a partition apart from transactions that still hold it. Lanes that share one store share
// one gate.
//
// The race it prevents, with lanes A and B of one process and partition 3: A's transaction commits in Kafka and A is
// about to apply its changes. A rebalance moves 3 to B. B restores 3 to the end of the changelog, which includes A's
// changes, and begins to process. Only now A applies its older changes over B's newer ones. With the gate B waits before
// it restores until A has applied or dropped.
//
// It also lets a lane wait for its own doomed transaction: open, it would keep the records of the changelog behind it
// from being read until it times out.
//
// And it knows which partitions are owned by none of its lanes, so that what is left of their state can be thrown away.
//
// The zero value is not ready; use NewGate.
type Gate struct {
	mu      sync.Mutex
	holders map[int32]int
	owners  map[int32]int // lanes that were given the partition, from before they restore it
	freed   chan struct{} // closed and replaced when a partition is let go
}

// NewGate is a gate that nobody holds.
func NewGate() *Gate {
	return &Gate{holders: map[int32]int{}, owners: map[int32]int{}, freed: make(chan struct{})}
}

// hold marks a partition as part of an open transaction. Several may hold one: at most one of them commits.
func (g *Gate) hold(partition int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holders[partition]++
}

// release undoes one hold of each partition.
func (g *Gate) release(partitions map[int32]struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for partition := range partitions {
		if g.holders[partition]--; g.holders[partition] <= 0 {
			delete(g.holders, partition)
		}
	}
	close(g.freed)
	g.freed = make(chan struct{})
}

// own marks a partition as given to a lane, and disown as taken from it.
func (g *Gate) own(partition int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owners[partition]++
}

func (g *Gate) disown(partition int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owners[partition]--; g.owners[partition] <= 0 {
		delete(g.owners, partition)
	}
}

// IfNobodys calls do if no lane owns the partition or has it in a transaction. A lane that is given it meanwhile waits.
func (g *Gate) IfNobodys(partition int32, do func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owners[partition] > 0 || g.holders[partition] > 0 {
		return nil
	}
	return do()
}

// wait returns when nobody holds the partition, or with the context's error.
func (g *Gate) wait(ctx context.Context, partition int32) error {
	for {
		g.mu.Lock()
		held, freed := g.holders[partition] > 0, g.freed
		g.mu.Unlock()
		if !held {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
