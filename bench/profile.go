package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// profile records what a side does while it is measured, into files named after it. The function that it gives waits for
// the end.
func profile(ctx context.Context, p plan, s *side, what string) (wait func() error) {
	seconds := max(1, int(p.duration.Seconds()))
	name := strings.ToLower(strings.NewReplacer(" ", "-", ",", "").Replace(s.name + " " + what))
	failed := make(chan error, 2)
	for _, kind := range []string{"profile", "allocs"} {
		go func() {
			failed <- ask(ctx, s.at.Meter, fmt.Sprintf("/%s?seconds=%d", kind, seconds), func(body io.Reader) error {
				return save(filepath.Join(p.profiles, name+"."+kind), body)
			})
		}()
	}
	return func() error { return errors.Join(<-failed, <-failed) }
}

func save(file string, body io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // profiles are no secret
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}
