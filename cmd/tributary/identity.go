package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tributary/schemas"
	"tributary/stream/operator"
)

// identityCommand is what an operator does to identities by hand.
type identityCommand struct {
	Unlink identityUnlinkCommand `cmd:"" help:"Declare identifiers shared by many people, for ever: what they held together comes apart."`
	Forget identityForgetCommand `cmd:"" help:"Erase the person whom the identifiers name, up to a time."`
}

// identifierFlags name identifiers. They are personal data: through standard input they stay out of the shell's history.
type identifierFlags struct {
	Identifiers []string `arg:"" name:"type=value" help:"Identifiers such as phone=+14155552671; - reads them from standard input, one a line."`
}

func (f identifierFlags) read(c *console) (ids []schemas.Identifier, err error) {
	add := func(text string) error {
		typ, value, ok := strings.Cut(text, "=")
		if !ok || typ == "" || value == "" {
			return usageError{fmt.Sprintf("identifier %d: not of the form type=value", len(ids)+1)}
		}
		ids = append(ids, schemas.Identifier{Type: typ, Value: value})
		return nil
	}
	for _, text := range f.Identifiers {
		if text != "-" {
			if err := add(text); err != nil {
				return nil, err
			}
			continue
		}
		lines := bufio.NewScanner(c.in)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				if err := add(line); err != nil {
					return nil, err
				}
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
	}
	return ids, nil
}

type identityUnlinkCommand struct {
	settingsFlags
	identifierFlags
}

func (cmd identityUnlinkCommand) Run(ctx context.Context, c *console) error {
	ids, err := cmd.read(c)
	if err != nil {
		return err
	}
	o, err := cmd.operator(c)
	if err != nil {
		return err
	}
	request := unique("unlink")
	if err := o.Share(ctx, request, ids...); err != nil {
		return err
	}
	c.note("%d identifiers are declared shared; revisions follow with the cause identity_split, and audit records of request %s", len(ids), request)
	return nil
}

type identityForgetCommand struct {
	settingsFlags
	identifierFlags
	At *time.Time `placeholder:"TIME" help:"Erase what happened up to this time, RFC 3339; else up to now."`
}

func (cmd identityForgetCommand) Run(ctx context.Context, c *console) error {
	ids, err := cmd.read(c)
	if err != nil {
		return err
	}
	o, err := cmd.operator(c)
	if err != nil {
		return err
	}
	at := time.Now()
	if cmd.At != nil {
		at = *cmd.At
	}
	event := unique("forget")
	if err := o.Forget(ctx, event, schemas.MillisOf(at), ids...); err != nil {
		return err
	}
	c.note("sent as event %s to topic %s; the receipts come to topic %s", event, o.Settings.Sources[0].Topic, o.Settings.Topics.Audit)
	return nil
}

// unique is a name for a request that no other has.
func unique(prefix string) string {
	var random [12]byte
	rand.Read(random[:])
	return prefix + "-" + hex.EncodeToString(random[:])
}

// operator is the application of the settings.
func (f settingsFlags) operator(c *console) (operator.Operator, error) {
	loaded, err := f.load(c)
	if err != nil {
		return operator.Operator{}, err
	}
	keys, warning, err := loaded.Identity.Keyring(c.lookup)
	if err != nil {
		return operator.Operator{}, err
	}
	if warning != "" {
		c.note("warning: %s", warning)
	}
	client, err := loaded.Kafka.Options(c.lookup)
	if err != nil {
		return operator.Operator{}, err
	}
	return operator.Operator{Settings: &loaded.Settings, Keys: keys, Client: client}, nil
}
