// Package embedded runs a Kafka in this process, for the demo and for trying things out. It is an imitation: it speaks
// Kafka's protocol with groups and transactions, but it is one goroutine, and nothing of it survives the process. It is not
// for production.
package embedded

import (
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is a running broker.
type Kafka struct{ cluster *kfake.Cluster }

// Start starts a broker on a free port of the loopback interface.
func Start() (*Kafka, error) {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{
			// Its compaction does not look at open transactions and can lose what was committed: never by itself.
			"log.cleaner.backoff.ms": "315360000000",
			// Memory is given back a segment at a time.
			"log.segment.bytes": "8388608",
			"message.max.bytes": "16777216",
		}))
	if err != nil {
		return nil, err
	}
	return &Kafka{cluster}, nil
}

// Brokers are its addresses.
func (k *Kafka) Brokers() []string { return k.cluster.ListenAddrs() }

// Close stops it; all that it held is gone.
func (k *Kafka) Close() { k.cluster.Close() }
