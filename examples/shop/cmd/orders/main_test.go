package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCommandSaysWhatIsWrong(t *testing.T) {
	taxes := filepath.Join(t.TempDir(), "taxes.json")
	if err := os.WriteFile(taxes, []byte(`{"A": "much"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--db is missing"},
		{[]string{"--db", "x"}, "--banyan is missing"},
		{[]string{"serve"}, `flags only, but was given "serve"`},
		{[]string{"--db", "x", "--banyan", "a:1", "--log", "loud"}, "it is debug, info, warn or error"},
		{[]string{"--db", "x", "--banyan", "a:1", "--config", "nowhere"}, "--config"},
		{[]string{"--db", "x", "--banyan", "a:1", "--taxes", taxes}, `tax: products: A: "much"`},
		{[]string{"--db", "x", "--banyan", " , "}, "no address of Banyan's facade"},
		{[]string{"--colour"}, "not defined: -colour"},
	} {
		var out strings.Builder
		if err := command(t.Context(), c.args, os.Getenv, &out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v gives %v, want %s", c.args, err, c.want)
		}
	}
}

// Without a broker it serves all the same, until it is interrupted.
func TestCommandServesUntilItIsStopped(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	var out strings.Builder
	go func() {
		done <- command(ctx, []string{"--listen", "127.0.0.1:0", "--db", filepath.Join(dir, "o.db"), "--banyan", "127.0.0.1:1", "--ready-file", ready},
			func(string) string { return "" }, &out)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(ready); err == nil && strings.Contains(string(text), `"grpc":"127.0.0.1:`) {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("it ended: %v\n%s", err, out.String())
		case <-tick.C:
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
