package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/legacy/pool"
)

func TestWaitForLegacy(t *testing.T) {
	down := errors.New("connection refused")
	for _, c := range []struct {
		name     string
		upAfter  time.Duration
		patience time.Duration
		took     time.Duration
		lines    int
		err      string
	}{
		{"up", 0, 30 * time.Second, 0, 0, ""},
		{"up later", 4500 * time.Millisecond, 30 * time.Second, 5 * time.Second, 5, ""},
		{"never up", time.Hour, 2500 * time.Millisecond, 2500 * time.Millisecond, 3, "legacy.start_timeout (2.5s)"},
		{"no patience", time.Hour, 0, 0, 0, "legacy.start_timeout (0s)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				start := time.Now()
				err := waitForLegacy(t.Context(), func(context.Context) error {
					if time.Since(start) < c.upAfter {
						return down
					}
					return nil
				}, c.patience, slog.New(slog.NewTextHandler(&log, nil)))
				if took := time.Since(start); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if lines := strings.Count(log.String(), "waiting for the legacy"); lines != c.lines {
					t.Errorf("%d lines, want %d:\n%s", lines, c.lines, log.String())
				}
				if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || !errors.Is(err, down)) {
					t.Errorf("error: %v", err)
				}
			})
		})
	}
}

func TestNobodyWaitsForAServerThatRefuses(t *testing.T) {
	refused := pool.Translate(&mysql.MySQLError{Number: 1045, Message: "Access denied"})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := waitForLegacy(t.Context(), func(context.Context) error { return refused }, time.Hour, slog.New(slog.DiscardHandler))
		if time.Since(start) != 0 {
			t.Errorf("waited %s", time.Since(start))
		}
		if err == nil || !strings.Contains(err.Error(), "user and password of legacy.dsn") || !strings.Contains(err.Error(), "1045") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := waitForLegacy(ctx, func(context.Context) error { return errors.New("down") }, time.Hour, slog.New(slog.DiscardHandler))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if stoppedEarly(ctx, err) != nil {
			t.Error("being told to stop is a failure")
		}
	})
}
