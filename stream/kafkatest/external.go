package kafkatest

import (
	"context"
	"errors"
	"time"
)

// external is a cluster that somebody else runs.
type external []string

func startExternal(addresses []string, options Options) (*Cluster, error) {
	if options.Nodes > 1 || options.Proxied || options.transactionVersion() != 2 || len(options.Config) > 0 {
		return nil, unavailable{"TRIBUTARY_TEST_BROKERS names a cluster whose brokers can't be set up as this test needs"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := ready(ctx, addresses, 1); err != nil {
		return nil, err
	}
	return &Cluster{external(addresses)}, nil
}

func (e external) name() string         { return "external" }
func (e external) brokers() []string    { return e }
func (e external) networks() []*Network { return nil }
func (e external) stop(int) error       { return errors.ErrUnsupported }
func (e external) kill(int) error       { return errors.ErrUnsupported }
func (e external) pause(int) error      { return errors.ErrUnsupported }
func (e external) resume(int) error     { return errors.ErrUnsupported }
func (e external) restart(int) error    { return errors.ErrUnsupported }
func (e external) logs() string         { return "(the logs of an external cluster are elsewhere)" }
func (e external) close(failed bool)    {}
