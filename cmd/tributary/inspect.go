package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"tributary/schemas"
	"tributary/stream/service"
)

// inspectCommand looks at what an application has stored. It needs no key and changes nothing.
type inspectCommand struct {
	Watermarks inspectWatermarksCommand `cmd:"" help:"Show how far event time has come, and which source partition holds it back."`
}

type inspectWatermarksCommand struct{ settingsFlags }

func (cmd inspectWatermarksCommand) Run(ctx context.Context, c *console) error {
	loaded, err := cmd.load(c)
	if err != nil {
		return err
	}
	client, err := loaded.Kafka.Options(c.lookup)
	if err != nil {
		return err
	}
	table, err := service.Watermarks(ctx, client, &loaded.Settings)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "SOURCE\tPARTITION\tWATERMARK\tBEHIND\tIDLE")
	for _, s := range table.Sources {
		idle := ""
		if s.Idle {
			idle = "idle"
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\n", s.Topic, s.Partition, timeOrNone(s.Watermark), s.Behind.Round(time.Second), idle)
	}
	fmt.Fprintln(out, "\nJOURNAL\tPARTITION\tWATERMARK\tSETTLED")
	for number, times := range table.Partitions {
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\n", loaded.JournalTopic(), number, timeOrNone(times.Watermark), timeOrNone(times.Settled))
	}
	return out.Flush()
}

// timeOrNone is a time as people read it in a table.
func timeOrNone(m schemas.Millis) string {
	if m == 0 {
		return "-"
	}
	return m.String()
}
