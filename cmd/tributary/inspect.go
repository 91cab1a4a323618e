package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tributary/schemas"
	"tributary/stream/report"
	"tributary/stream/service"
)

// inspectCommand looks at what an application has stored. It needs no key and changes nothing.
type inspectCommand struct {
	Watermarks inspectWatermarksCommand `cmd:"" help:"Show how far event time has come, and which source partition holds it back."`
	Ledger     inspectLedgerCommand     `cmd:"" help:"Show what became of every record, exactly."`
	Shared     inspectSharedCommand     `cmd:"" help:"Show identifiers that link nobody since many people share them, and what is nobody's by that."`
}

type inspectWatermarksCommand struct{ settingsFlags }

// Help is shown by tributary inspect watermarks --help.
func (inspectWatermarksCommand) Help() string {
	return `WATERMARK is how far the events of a partition have come, BEHIND how far it is from the foremost. The clock follows the
slowest source partition that isn't idle, and waits for those that nobody has read yet. A conversion is final when SETTLED has
passed its time by lateness.allowed.`
}

func (cmd inspectWatermarksCommand) Run(ctx context.Context, c *console) error {
	loaded, client, err := cmd.reach(c)
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
		behind, idle := "-", ""
		if s.Watermark > 0 {
			behind = s.Behind.Round(time.Second).String()
		}
		if s.Idle {
			idle = "idle"
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\n", s.Topic, s.Partition, timeOrNone(s.Watermark), behind, idle)
	}
	fmt.Fprintln(out, "\nJOURNAL\tPARTITION\tWATERMARK\tSETTLED")
	for number, times := range table.Partitions {
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\n", loaded.JournalTopic(), number, timeOrNone(times.Watermark), timeOrNone(times.Settled))
	}
	return out.Flush()
}

type inspectLedgerCommand struct{ settingsFlags }

// Help is shown by tributary inspect ledger --help.
func (inspectLedgerCommand) Help() string {
	return `Counts every record since the application first ran, exactly: the sums are part of the transactions that did the work. The
metrics of a process begin at 0 with it, and lack its last transaction if it was killed. While records come, some are on their
way: at rest the ledger adds up. It counts a source topic for as long as Kafka keeps the group's offsets in it.`
}

func (cmd inspectLedgerCommand) Run(ctx context.Context, c *console) error {
	loaded, client, err := cmd.reach(c)
	if err != nil {
		return err
	}
	l, err := service.Ledger(ctx, client, &loaded.Settings)
	if err != nil {
		return err
	}
	report.WriteLedger(c.out, l, l.Waiting())
	return nil
}

type inspectSharedCommand struct {
	settingsFlags
	All bool `help:"Show each candidate and each touch, and not only how many there are."`
}

// Help is shown by tributary inspect shared --help.
func (inspectSharedCommand) Help() string {
	return `Identifiers are shown as pseudonyms, with the type of their rank. TOUCHES named shared identifiers only: they are nobody's.
CANDIDATES are identifiers that the shared one was seen with, the strongest first. Of both some are kept, at most 32 each.`
}

func (cmd inspectSharedCommand) Run(ctx context.Context, c *console) error {
	loaded, client, err := cmd.reach(c)
	if err != nil {
		return err
	}
	all, err := service.Shared(ctx, client, &loaded.Settings)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "SHARED\tIDENTIFIER\tWHY\tTOUCHES\tCANDIDATES")
	for _, s := range all {
		fmt.Fprintf(out, "%s\t%v\t%s\t%d\t%d\n", s.ID.Type(), s.ID, s.Why, len(s.Touches), len(s.Candidates))
		if !cmd.All {
			continue
		}
		for _, id := range s.Candidates {
			fmt.Fprintf(out, "  candidate\t%v\t%s\t\t\n", id, id.Type())
		}
		for _, t := range s.Touches {
			fmt.Fprintf(out, "  touch\t%v\t%s\t\t\n", t.At, strings.Join([]string{t.Kind, t.Channel, t.Source, t.Campaign}, " "))
		}
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
