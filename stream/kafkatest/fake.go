package kafkatest

import (
	"errors"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Fake is kfake with the settings that keep clear of its faults. kfake compacts without regard to open transactions,
// which loses committed records, so its own timer is switched off: call Compact only while no transaction is open.
// It applies time retention to compacted topics too: give these retention.ms=-1. Members that it forgets to end are ended:
// see ghosts.
type Fake struct {
	*kfake.Cluster
	ghosts *ghosts
}

func startFake(options Options) (*Fake, error) {
	if options.Proxied {
		return nil, unavailable{"kfake has no proxies, this test needs them: use jvm"}
	}
	config := map[string]string{
		"log.cleaner.backoff.ms": "315360000000", // ten years: never by itself
		"log.segment.bytes":      "8388608",      // memory is freed by the segment
	}
	maps.Copy(config, options.Config)
	opts := []kfake.Opt{kfake.NumBrokers(options.nodes()), kfake.BrokerConfigs(config), kfake.GroupMinSessionTimeout(time.Second)}
	if options.transactionVersion() < 2 {
		// Kafka 3.9 is the last that doesn't know transaction.version=2.
		opts = append(opts, kfake.MaxVersions(kversion.V3_9_0()))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, err
	}
	ghosts, err := banish(cluster)
	if err != nil {
		cluster.Close()
		return nil, err
	}
	return &Fake{cluster, ghosts}, nil
}

func (f *Fake) name() string         { return "kfake" }
func (f *Fake) brokers() []string    { return f.ListenAddrs() }
func (f *Fake) networks() []*Network { return nil }
func (f *Fake) stop(int) error       { return errors.ErrUnsupported }
func (f *Fake) kill(int) error       { return errors.ErrUnsupported }
func (f *Fake) pause(int) error      { return errors.ErrUnsupported }
func (f *Fake) resume(int) error     { return errors.ErrUnsupported }
func (f *Fake) restart(int) error    { return errors.ErrUnsupported }
func (f *Fake) logs() string         { return "(kfake keeps no logs)" }

func (f *Fake) close(bool) {
	f.ghosts.close()
	f.Cluster.Close()
}
