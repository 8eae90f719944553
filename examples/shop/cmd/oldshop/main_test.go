package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/examples/shop/oldshop"
	"banyan.dev/banyan/internal/devstack"
)

const secret = "shop:hush-hush@tcp(127.0.0.1:1)/shop"

// Help is no failure, and never shows the environment's password.
func TestHelp(t *testing.T) {
	env := func(string) string { return secret }
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}, {"fill", "--help"}, {"run", "-h"}} {
		var out bytes.Buffer
		if err := command(t.Context(), args, env, &out); err != nil && !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%v: %v", args, err)
		}
		if !strings.Contains(out.String(), "usage: oldshop fill") || strings.Contains(out.String(), "hush") {
			t.Errorf("%v writes:\n%s", args, &out)
		}
	}
}

func TestCommandLineIsRefused(t *testing.T) {
	for _, c := range []struct {
		args []string
		dsn  string
		want string
	}{
		{nil, secret, "say what to do, fill, run or taxes"},
		{[]string{"--seed", "1"}, secret, "say what to do, fill, run or taxes"},
		{[]string{"empty"}, secret, `there is no command "empty"; it is fill, run or taxes`},
		{[]string{"run", "fast"}, secret, `run takes flags only, but was given "fast"`},
		{[]string{"run"}, "", "--dsn or BANYAN_LEGACY_DSN has to name a database"},
		{[]string{"fill"}, "shop:hush-hush@tcp(127.0.0.1:1)/", "--dsn or BANYAN_LEGACY_DSN has to name a database"},
		{[]string{"fill"}, "shop:hush-hush@tcp(127.0.0.1:1", "--dsn or BANYAN_LEGACY_DSN: "},
	} {
		var out bytes.Buffer
		err := command(t.Context(), c.args, func(string) string { return c.dsn }, &out)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error()+out.String(), "hush") {
			t.Errorf("%v: %v, want %s; it wrote:\n%s", c.args, err, c.want, &out)
		}
	}
}

// A second fill says that there was one, and how to begin anew.
func TestFillTwice(t *testing.T) {
	dsn := devstack.MariaDB(t).NewSchema(t)
	fill := func() error {
		args := []string{"fill", "--dsn", dsn, "--customers", "10", "--products", "10", "--orders", "10"}
		return command(t.Context(), args, func(string) string { return "" }, &bytes.Buffer{})
	}
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	err := fill()
	if err == nil || !strings.Contains(err.Error(), "is filled already") || !strings.Contains(err.Error(), "to start anew, DROP DATABASE ") {
		t.Errorf("the second says %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var out bytes.Buffer
	if err := command(ctx, []string{"run", "--dsn", dsn, "--rate", "50"}, func(string) string { return "" }, &out); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "The old shop is open") || !strings.Contains(out.String(), "place order") {
		t.Errorf("run tells:\n%s", &out)
	}
}

func TestTallyTellsNowAndThen(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2005, 3, 1, 9, 0, 0, 0, time.UTC)
	tally := newTally(&out, func() time.Time { return now })
	tally.add(oldshop.Browse, nil)
	tally.add(oldshop.PlaceOrder, nil)
	tally.add(oldshop.Restock, nil)
	now = now.Add(tellEvery - 1)
	tally.add(oldshop.PlaceOrder, nil)
	if out.Len() > 0 {
		t.Errorf("told too early: %s", &out)
	}
	now = now.Add(1)
	tally.add(oldshop.MoveOrder, oldshop.ErrNothing)
	tally.add(oldshop.MoveOrder, errors.New("refused"))
	tally.tell()
	tally.tell()
	want := "in 5s: place order 2, browse 1, restock 1, nothing to do 1\nin 0s: failed 1\n"
	if out.String() != want {
		t.Errorf("told:\n%swant:\n%s", &out, want)
	}
}
