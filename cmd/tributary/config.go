package main

import (
	"crypto/rand"
	"errors"
	"fmt"

	"tributary/identity"
	"tributary/stream/settings"
)

// settingsFlags are the flags of every subcommand that has settings.
type settingsFlags struct {
	Config string            `short:"c" placeholder:"FILE" help:"Settings file; else $$TRIBUTARY_CONFIG, else the defaults."`
	Set    map[string]string `mapsep:"none" placeholder:"PATH=VALUE" help:"Change one setting, such as lookback.default=60d. Can be repeated."`
}

// load reads the settings and tells the user what to look at.
func (f settingsFlags) load(c *console) (*settings.Loaded, error) {
	file := f.Config
	if file == "" {
		file, _ = c.lookup(settings.FileVariable)
	}
	loaded, err := settings.Open(file, c.environ, f.Set)
	if err != nil {
		return nil, err
	}
	for _, warning := range loaded.Warnings {
		c.note("warning: %s", warning)
	}
	return loaded, nil
}

// reach reads the settings, and how to get to the cluster by them.
func (f settingsFlags) reach(c *console) (*settings.Loaded, settings.Client, error) {
	loaded, err := f.load(c)
	if err != nil {
		return nil, nil, err
	}
	client, err := loaded.Kafka.Options(c.lookup)
	return loaded, client, err
}

type configCommand struct {
	Key   configKeyCommand   `cmd:"" help:"Make an identity key from the system's randomness and print it."`
	Check configCheckCommand `cmd:"" help:"Say what is wrong with the settings, or print those in effect and where they come from."`
}

type configCheckCommand struct{ settingsFlags }

func (cmd configCheckCommand) Run(c *console) error {
	loaded, err := cmd.load(c)
	if err != nil {
		return err
	}
	if err := loaded.RequireSources(); err != nil {
		c.note("warning: %v, or tributary run does not start", err)
	}
	_, warning, err := loaded.Identity.Keyring(c.lookup)
	switch {
	case errors.Is(err, settings.ErrNoKey):
		c.note("warning: %v; tributary run needs it", err)
	case err != nil:
		return err
	case warning != "":
		c.note("warning: %s", warning)
	}
	return loaded.Print(c.out)
}

// configKeyCommand makes a key. What it prints is a secret that names customers: it is printed once and kept nowhere.
type configKeyCommand struct {
	ID uint8 `default:"1" help:"Number of the key, 1 to 255; the one that follows another must be greater."`
}

func (cmd configKeyCommand) Run(c *console) error {
	key, err := identity.NewKey(cmd.ID, rand.Reader)
	if err != nil {
		return usageError{err.Error()}
	}
	fmt.Fprintln(c.out, key)
	return nil
}
