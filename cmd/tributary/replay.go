package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tributary/stream/replay"
)

// replayCommand feeds records that are in Kafka already through the pipeline once more.
type replayCommand struct {
	settingsFlags
	logFlags
	From    string     `placeholder:"TOPIC" help:"Topic to take records from; else the late topic of the settings."`
	Since   *time.Time `placeholder:"TIME" help:"Only records that came at this time or later, RFC 3339."`
	Until   *time.Time `placeholder:"TIME" help:"Only records that came before this time; else up to the end that the topic has now."`
	Offsets []string   `placeholder:"PARTITION:FROM-TO,…" help:"Only these offsets, FROM included and TO not; an empty TO is the end."`
	Rate    int        `placeholder:"N" help:"At most so many records a second."`
	Beside  string     `placeholder:"ID" help:"Replay into another application, which tributary run --beside ID runs."`
	Again   bool       `help:"Begin anew where the same stretch was replayed before."`
}

// Help is shown by tributary replay --help.
func (replayCommand) Help() string {
	return `A replayed event is never late. What was applied before changes nothing; what is new revises final conversions too, with the
cause backfill. The command can be stopped at any time, and goes on when it is given again.`
}

func (cmd replayCommand) Run(ctx context.Context, c *console) error {
	if cmd.Rate < 0 {
		return usageError{"--rate must not be negative"}
	}
	ranges, err := parseRanges(cmd.Offsets)
	if err != nil {
		return err
	}
	loaded, client, err := cmd.reach(c)
	if err != nil {
		return err
	}
	config := replay.Config{Settings: &loaded.Settings, Client: client, From: cmd.From, Ranges: ranges, Again: cmd.Again, Rate: cmd.Rate, Log: cmd.logger(c)}
	if config.From == "" {
		config.From = loaded.Topics.Late
	}
	if cmd.Since != nil {
		config.Since = *cmd.Since
	}
	if cmd.Until != nil {
		config.Until = *cmd.Until
	}
	if cmd.Beside != "" {
		if config.Settings, err = loaded.Beside(cmd.Beside); err != nil {
			return err
		}
	}
	p := newProgress(c.err, "replayed from "+config.From)
	config.Progress = func(now replay.Progress) { p.now(int(now.Copied)) }
	end, err := replay.Run(ctx, config)
	p.end(int(end.Copied))
	if err != nil {
		return err
	}
	c.note("%d of %d offsets of %s are replayed to %s: %d records by this command, %d left out", end.Offsets, end.Of, config.From,
		config.Settings.ReplayTopic(), end.Copied, end.Skipped)
	if !end.Done() {
		return fmt.Errorf("stopped before the end: the same command goes on")
	}
	return nil
}

// parseRanges reads PARTITION:FROM-TO.
func parseRanges(texts []string) (map[int32]replay.Range, error) {
	ranges := map[int32]replay.Range{}
	for _, text := range texts {
		number, stretch, _ := strings.Cut(text, ":")
		from, to, ok := strings.Cut(stretch, "-")
		partition, err := strconv.ParseInt(number, 10, 32)
		r := replay.Range{}
		if err == nil {
			r.From, err = strconv.ParseInt(from, 10, 64)
		}
		if err == nil && to != "" {
			r.To, err = strconv.ParseInt(to, 10, 64)
		}
		if _, twice := ranges[int32(partition)]; err != nil || !ok || twice || partition < 0 || r.To != 0 && r.To <= r.From {
			return nil, usageError{fmt.Sprintf("--offsets %s: not of the form PARTITION:FROM-TO, or one partition twice", text)}
		}
		ranges[int32(partition)] = r
	}
	return ranges, nil
}
