// Command tributary attributes conversions to the marketing touches that led to them, on Kafka or over files.
//
// Every subcommand is one file of this folder: a struct with its flags and a Run method, and one field of commands. What a
// subcommand does is in the packages under stream; here it is given its files, flags and terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands are the subcommands, in the order of the help.
type commands struct {
	Demo      demoCommand      `cmd:"" help:"Run the whole service on an embedded broker over an invented population, and print a report."`
	Run       runCommand       `cmd:"" help:"Run the service on Kafka."`
	Attribute attributeCommand `cmd:"" help:"Attribute the conversions in files of events, without Kafka."`
	Topics    topicsCommand    `cmd:"" help:"Look after the topics that the settings name."`
	Replay    replayCommand    `cmd:"" help:"Feed late events, or any stretch of a topic, through the pipeline once more."`
	Inspect   inspectCommand   `cmd:"" help:"Look at what an application has stored."`
	Identity  identityCommand  `cmd:"" help:"Unlink shared identifiers, forget people."`
	Health    healthCommand    `cmd:"" help:"Ask a running service how it is."`
	Generate  generateCommand  `cmd:"" help:"Write the events of an invented population, with the truth about it."`
	Import    importCommand    `cmd:"" help:"Turn CSV files into events by a mapping."`
	Bench     benchCommand     `cmd:"" help:"Measure, each figure beside what it is compared with, in one run."`
	Config    configCommand    `cmd:"" help:"Look at the settings."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

const description = `Attribute conversions to the marketing touches that led to them, exactly once and whatever the order of arrival.

Exit status: 0 done, 1 failed, 2 wrong use.`

// Exit statuses.
const (
	done     = 0
	failed   = 1
	wrongUse = 2
)

// console is what a subcommand has of the world besides files and network.
type console struct {
	in       io.Reader
	out, err io.Writer
	environ  []string // NAME=VALUE
}

// lookup is os.LookupEnv for the console's environment.
func (c *console) lookup(name string) (string, bool) {
	for _, pair := range c.environ {
		if n, value, _ := strings.Cut(pair, "="); n == name {
			return value, true
		}
	}
	return "", false
}

// note tells the user something that is no result.
func (c *console) note(format string, args ...any) {
	fmt.Fprintf(c.err, "tributary: "+format+"\n", args...)
}

// usageError is an error of the command line that only the subcommand can see.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	os.Exit(run(ctx, os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}))
}

// run is the whole program: it returns the exit status.
func run(ctx context.Context, args []string, c *console) (status int) {
	defer func() {
		switch end := recover().(type) {
		case nil:
		case exit:
			status = int(end)
		default:
			panic(end)
		}
	}()
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("tributary"), kong.Description(description),
		kong.Writers(c.out, c.err), kong.Exit(func(status int) { panic(exit(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c),
	)
	if err != nil {
		panic(err) // a fault of the structs above
	}
	parsed, err := parser.Parse(args)
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		return c.wrongUse(parse.Context, err)
	}
	err = parsed.Run()
	var usage usageError
	if errors.As(err, &usage) {
		return c.wrongUse(parsed, err)
	}
	return c.status(ctx, err)
}

// wrongUse reports an error of the command line.
func (c *console) wrongUse(parsed *kong.Context, err error) int {
	command := "tributary"
	if selected := parsed.Selected(); selected != nil {
		command = selected.FullPath()
	}
	c.note("%v", err)
	c.note("see %s --help", command)
	return wrongUse
}

// exit ends run from inside of the parser, after --help.
type exit int

// status reports err to the user and turns it into the exit status.
func (c *console) status(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return done
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		c.note("interrupted")
		return failed
	}
	c.note("%v", err)
	return failed
}
