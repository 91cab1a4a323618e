package kafkatest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Network is the way from clients to one node of a cluster with Options.Proxied. Its faults last until Heal.
type Network struct {
	proxy *toxiproxy.Proxy
	whole bool
}

// Direction is one of the two ways through a Network.
type Direction string

const (
	ToBroker Direction = "upstream"
	ToClient Direction = "downstream"
)

var proxies = toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())

// newNetwork carries what comes to one port of this machine to another.
func newNetwork(name string, from, to int) (*Network, error) {
	n := &Network{proxy: toxiproxy.NewProxy(proxies, name, fmt.Sprintf("127.0.0.1:%d", from), fmt.Sprintf("127.0.0.1:%d", to)), whole: true}
	if err := n.proxy.Start(); err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", name, err)
	}
	return n, nil
}

func (n *Network) address() string { return n.proxy.Listen }

// Cut ends every connection and refuses new ones.
func (n *Network) Cut() error {
	n.proxy.Stop()
	n.whole = false
	return nil
}

// Mute swallows what goes in one direction; connections stay.
func (n *Network) Mute(direction Direction) error {
	return n.toxic("timeout", direction, map[string]int64{"timeout": 0})
}

// Slow delays what goes in each direction by latency, more or less by jitter at most.
func (n *Network) Slow(latency, jitter time.Duration) error {
	for _, direction := range []Direction{ToBroker, ToClient} {
		if err := n.toxic("latency", direction, map[string]int64{"latency": latency.Milliseconds(), "jitter": jitter.Milliseconds()}); err != nil {
			return err
		}
	}
	return nil
}

// Heal ends all faults. Connections that swallowed something end.
func (n *Network) Heal() error {
	n.proxy.Toxics.ResetToxics(context.Background())
	if n.whole {
		return nil
	}
	if err := n.proxy.Start(); err != nil {
		return fmt.Errorf("heal the network: %w", err)
	}
	n.whole = true
	return nil
}

func (n *Network) toxic(kind string, direction Direction, attributes map[string]int64) error {
	text, err := json.Marshal(map[string]any{"type": kind, "stream": direction, "attributes": attributes})
	if err == nil {
		_, err = n.proxy.Toxics.AddToxicJson(strings.NewReader(string(text)))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, direction, err)
	}
	return nil
}

func (n *Network) close() {
	if n.whole {
		n.proxy.Stop()
	}
}
