package kafkatest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Link is the network between one client and the cluster, which a test can cut. Give its Dial to kgo.Dialer.
//
// Cutting is what a crash of the client's machine looks like to the brokers: every connection ends, and nothing else is
// said. The zero value is a whole link.
type Link struct {
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// errCut is what a dialer of the net package says.
var errCut = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("link cut by the test")}

// Dial connects, or fails while the link is cut.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isCut() {
		return nil, errCut
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		conn.Close()
		return nil, errCut
	}
	if l.conns == nil {
		l.conns = map[net.Conn]struct{}{}
	}
	l.conns[conn] = struct{}{}
	return &linked{Conn: conn, link: l}, nil
}

// Cut ends every connection and refuses new ones.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for conn := range l.conns {
		conn.Close()
	}
	clear(l.conns)
}

// Heal lets new connections through again.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

func (l *Link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

type linked struct {
	net.Conn
	link *Link
}

func (c *linked) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c.Conn)
	c.link.mu.Unlock()
	return c.Conn.Close()
}
