package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"tributary/stream/population"
	"tributary/stream/yamldoc"
)

type generateCommand struct {
	Customers  int     `default:"1000" help:"People. About ten events each."`
	Days       int     `default:"30" help:"Length of the period."`
	Start      string  `default:"2026-03-01" help:"First day, or RFC 3339 time."`
	Seed       uint64  `default:"1" help:"The same seed gives the same bytes."`
	Limit      int     `placeholder:"N" help:"End after N records."`
	Duplicates float64 `default:"0.02" help:"Records that arrive twice."`
	Late       float64 `default:"0.03" help:"Records that arrive late."`
	MaxDelay   string  `default:"2d" help:"How late at most."`
	Families   float64 `default:"0.06" help:"People who share a phone number with one other."`
	CallCentre float64 `default:"0.01" help:"People on whose orders stands the call centre's number."`
	Devices    float64 `default:"0" help:"People whose first browser is also that of one other."`
	Tablets    float64 `default:"0" help:"People whose last browser is a tablet in a shop, where many sign in."`
	Callers    float64 `default:"0.1" help:"People who book by phone: a conversion that is a touch too."`
	Refunds    float64 `default:"0.06" help:"Purchases that are taken back, in part or whole."`
	Broken     float64 `default:"0" help:"Records that come again in a form that must be refused."`
	Out        string  `short:"o" placeholder:"FILE" help:"Where the events go, in the order of their arrival; else standard output."`
	Truth      string  `placeholder:"FILE" help:"Where the truth goes: a line for each person, with events, conversions and the touches before them."`
}

// Help is shown by tributary generate --help.
func (generateCommand) Help() string {
	return `The events are those of an invented shop: people with several devices, sign-ins that link them, orders, bookings by
phone, refunds, shared phone numbers, duplicates, disorder. The truth about them is known, which no real data tells.

  tributary generate --customers 100000 --truth truth.jsonl > events.jsonl`
}

// config is the population that the flags describe.
func (cmd generateCommand) config() (population.Config, error) {
	c := population.Config{Seed: cmd.Seed, Customers: cmd.Customers, Days: cmd.Days, Duplicates: cmd.Duplicates, Late: cmd.Late,
		Families: cmd.Families, CallCentre: cmd.CallCentre, Devices: cmd.Devices, Tablets: cmd.Tablets, Callers: cmd.Callers, Refunds: cmd.Refunds, Broken: cmd.Broken}
	var err error
	if c.MaxDelay, err = yamldoc.ParseDuration(cmd.MaxDelay); err != nil {
		return c, usageError{"--max-delay: " + err.Error()}
	}
	if c.Start, err = parseStart(cmd.Start); err != nil {
		return c, usageError{"--start: " + err.Error()}
	}
	if cmd.Limit < 0 {
		return c, usageError{"--limit: must not be below 0"}
	}
	if err := c.Validate(); err != nil {
		return c, usageError{err.Error()}
	}
	return c, nil
}

func parseStart(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("must be a date such as 2026-03-01, or an RFC 3339 time")
	}
	return t.Truncate(time.Millisecond), nil
}

func (cmd generateCommand) Run(ctx context.Context, c *console) error {
	config, err := cmd.config()
	if err != nil {
		return err
	}
	if cmd.Truth != "" {
		if err := writeTo(c, cmd.Truth, func(w io.Writer) error { return writeTruth(ctx, config, w) }); err != nil {
			return err
		}
	}
	return writeTo(c, cmd.Out, func(w io.Writer) error { return cmd.writeEvents(ctx, config, w) })
}

func (cmd generateCommand) writeEvents(ctx context.Context, config population.Config, w io.Writer) error {
	written := 0
	for record := range config.Records() {
		if written%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := w.Write(append(record.Value, '\n')); err != nil {
			return err
		}
		if written++; written == cmd.Limit {
			return nil
		}
	}
	return nil
}

func writeTruth(ctx context.Context, config population.Config, w io.Writer) error {
	var line []byte
	for person := range config.Persons() {
		if person.Customer%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line = append(person.AppendJSON(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// writeTo lets write fill the file at path, or standard output where path is empty or "-".
func writeTo(c *console, path string, write func(io.Writer) error) (err error) {
	out := c.out
	if path != "" && path != "-" {
		file, createErr := os.Create(path)
		if createErr != nil {
			return createErr
		}
		defer func() {
			if closeErr := file.Close(); err == nil {
				err = closeErr
			}
		}()
		out = file
	}
	w := bufio.NewWriterSize(out, 1<<18)
	if err := write(w); err != nil {
		w.Flush() // what is complete may be of use
		return err
	}
	return w.Flush()
}
