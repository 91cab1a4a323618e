package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthCommand asks a running service how it is: the image's health check, which has no other program to do it with.
type healthCommand struct {
	URL string `default:"http://127.0.0.1:8080/readyz" help:"Probe to ask."`
}

func (cmd healthCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, cmd.URL, nil)
	if err != nil {
		return usageError{err.Error()}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", cmd.URL, response.Status, strings.TrimSpace(string(text)))
	}
	fmt.Fprintln(c.out, strings.TrimSpace(string(text)))
	return nil
}
