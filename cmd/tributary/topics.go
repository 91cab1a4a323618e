package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"tributary/stream/service"
)

// topicsCommand looks after the topics that the settings name.
type topicsCommand struct {
	List   topicsListCommand   `cmd:"" default:"withargs" help:"Show the topics that the settings name, as they are and as they must be. Fails if one is missing or wrong."`
	Create topicsCreateCommand `cmd:"" help:"Create those that are missing."`
}

type topicsListCommand struct{ settingsFlags }

func (cmd topicsListCommand) Run(ctx context.Context, c *console) error {
	loaded, client, err := cmd.reach(c)
	if err != nil {
		return err
	}
	found, err := service.CheckTopics(ctx, client, &loaded.Settings)
	if err != nil {
		return err
	}
	faults := 0
	out := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "TOPIC\tPARTITIONS\tCLEANUP\tSTATE")
	for _, f := range found {
		state := "ok"
		if len(f.Faults) > 0 {
			faults++
			state = strings.Join(f.Faults, "; ")
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\n", f.Name, f.Partitions, f.Configs["cleanup.policy"], state)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if faults > 0 {
		return fmt.Errorf("missing or not as they must be: %d of %d topics", faults, len(found))
	}
	return nil
}

type topicsCreateCommand struct {
	settingsFlags
	Sources bool `help:"Create the source topics too, which usually belong to their writers."`
}

func (cmd topicsCreateCommand) Run(ctx context.Context, c *console) error {
	loaded, client, err := cmd.reach(c)
	if err != nil {
		return err
	}
	created, err := service.CreateTopics(ctx, client, &loaded.Settings, cmd.Sources)
	for _, name := range created {
		fmt.Fprintln(c.out, "created", name)
	}
	if len(created) == 0 && err == nil {
		c.note("nothing was missing")
	}
	return err
}
