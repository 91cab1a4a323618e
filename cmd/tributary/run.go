package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"tributary/stream/metrics"
	"tributary/stream/service"
	"tributary/stream/settings"
)

// runCommand is the service on Kafka.
type runCommand struct {
	settingsFlags
	logFlags
	Roles      []string `enum:"ingest,journey" placeholder:"ROLE,…" help:"Roles to run: ingest, journey; else both."`
	Beside     string   `placeholder:"ID" help:"Run another application, with topics and state of its own, that lives on what tributary replay --beside ID feeds it."`
	InstanceID string   `name:"instance-id" placeholder:"NAME" help:"Name of this instance, the same after a restart: makes it a static group member; else $$TRIBUTARY_INSTANCE_ID. Without one the host's name is used and membership is not static."`
}

// Help is shown by tributary run --help.
func (runCommand) Help() string {
	return `It creates the topics of its own that are missing, and ends with a signal. What it needs is a Kafka, a source topic and a key:

  export TRIBUTARY_IDENTITY_KEY="$(tributary config key)"
  tributary run --config tributary.yaml

Another application beside it, to try other settings on the same events:

  tributary run --beside trial --config trial.yaml --set http.listen=127.0.0.1:8081
  tributary replay --beside trial --config trial.yaml --from events`
}

func (cmd runCommand) Run(ctx context.Context, c *console) error {
	loaded, err := cmd.load(c)
	if err != nil {
		return err
	}
	if cmd.Beside != "" {
		other, err := loaded.Beside(cmd.Beside)
		if err != nil {
			return err
		}
		loaded.Settings = *other
	} else if err := loaded.RequireSources(); err != nil {
		return err
	}
	keys, warning, err := loaded.Identity.Keyring(c.lookup)
	if errors.Is(err, settings.ErrNoKey) {
		return fmt.Errorf("%w: make one with `tributary config key` and keep it, since it names your customers", err)
	}
	if err != nil {
		return err
	}
	log := cmd.logger(c)
	if warning != "" {
		log.Warn(warning)
	}
	client, err := loaded.Kafka.Options(c.lookup)
	if err != nil {
		return err
	}
	config := service.Config{Settings: &loaded.Settings, Keys: keys, Client: client, Metrics: metrics.New(version), Version: version, Log: log}
	for _, role := range cmd.Roles {
		config.Roles = append(config.Roles, service.Role(role))
	}
	if config.Instance, config.Static, err = cmd.instance(c); err != nil {
		return err
	}
	svc, err := service.New(ctx, config)
	switch {
	case err != nil && ctx.Err() != nil: // told to stop before it began
		log.Info("tributary has stopped")
		return nil
	case err != nil:
		return err
	}
	log.Info("tributary runs", "version", version, "application", loaded.ApplicationID, "instance", config.Instance, "static", config.Static)
	err = svc.Run(ctx)
	if closed := svc.Close(); err == nil {
		err = closed
	}
	if err == nil {
		log.Info("tributary has stopped")
	}
	return err
}

// instance is the name of this instance and whether somebody chose it.
func (cmd runCommand) instance(c *console) (name string, static bool, err error) {
	if cmd.InstanceID != "" {
		return cmd.InstanceID, true, nil
	}
	if name, ok := c.lookup(settings.InstanceVariable); ok && name != "" {
		return name, true, nil
	}
	name, err = os.Hostname()
	return name, false, err
}

// logFlags say how the log is written.
type logFlags struct {
	LogFormat string `enum:"text,json" default:"text" help:"Log as text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least level to log: debug, info, warn, error."`
}

func (f logFlags) logger(c *console) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // the enum allows levels only
	}
	options := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}
