package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// readyTimeout is less than whoever runs the check waits for it.
const readyTimeout = 5 * time.Second

type readyCmd struct {
	URL string `name:"url" env:"POSTERN_URL" default:"http://127.0.0.1:8480" help:"Where http.admin of the gateway is (default: ${default})." placeholder:"URL"`
}

// Help is what postern ready --help adds.
func (readyCmd) Help() string {
	return "For health checks in places that have no curl, such as the container image. What is asked is /readyz."
}

// Run asks once.
func (c *readyCmd) Run(ctx context.Context, at *console) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no gateway answers at %s: is it running, and is that its http.admin? (%w)", c.URL, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("%s: the answer broke off: %w", c.URL, err)
	}
	fmt.Fprint(at.out, string(text))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}
