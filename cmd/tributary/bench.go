package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"tributary/identity"
	"tributary/stream/bench"
)

// benchCommand prints figures that compare two things in one run: what `make bench` starts.
type benchCommand struct {
	settingsFlags
	Only       []string      `placeholder:"NAME,…" help:"Measure only these: throughput, latency, bytes, journeys, conversions, expiry, restore, attribute."`
	Events     int           `default:"1000000" help:"Events for attribute; the others take a share of it."`
	Pairs      int           `default:"5" help:"How often what is compared takes turns; figures are medians."`
	Window     time.Duration `default:"16s" help:"How long latency is measured at each commit interval."`
	Seed       uint64        `default:"1" help:"Seed of the population."`
	Brokers    []string      `placeholder:"HOST:PORT,…" help:"A Kafka to measure on; the topics made there are deleted again. Else an embedded broker, which shares this process's cores."`
	CPUProfile string        `name:"cpuprofile" placeholder:"FILE" help:"Write a processor profile of the whole run."`
}

func (cmd benchCommand) Run(ctx context.Context, c *console) error {
	if cmd.Events < 1000 {
		return usageError{"--events must be at least 1000"}
	}
	loaded, err := cmd.load(c)
	if err != nil {
		return err
	}
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		return err
	}
	stop, err := cmd.profile()
	if err != nil {
		return err
	}
	defer stop()
	config := bench.Config{Settings: &loaded.Settings, Keys: keys, Events: cmd.Events, Pairs: cmd.Pairs, Window: cmd.Window, Seed: cmd.Seed,
		Say: func(format string, args ...any) {
			fmt.Fprintf(c.err, time.Now().Format("15:04:05 ")+format+"\n", args...)
		}}
	broker := "embedded in this process"
	if len(cmd.Brokers) > 0 {
		broker = strings.Join(cmd.Brokers, ",")
		loaded.Kafka.Brokers = cmd.Brokers
		if config.Client, err = loaded.Kafka.Options(c.lookup); err != nil {
			return err
		}
	}
	rows, err := bench.Run(ctx, config, cmd.Only...)
	if errors.Is(err, bench.ErrUnknown) {
		return usageError{fmt.Sprintf("%v: choose from %s", err, strings.Join(bench.Names(), ", "))}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "machine     %s\ncommand     %s\nbroker      %s\npopulation  that of `tributary generate`, seed %d, about ten events a person\n\n",
		bench.Machine(), strings.Join(os.Args, " "), broker, cmd.Seed)
	bench.Write(c.out, rows)
	return nil
}

// profile begins a processor profile if one is wanted. stop ends it.
func (cmd benchCommand) profile() (stop func(), err error) {
	if cmd.CPUProfile == "" {
		return func() {}, nil
	}
	f, err := os.Create(cmd.CPUProfile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
