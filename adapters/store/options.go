package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"
)

// Options say where Banyan's own tables are. A zero value of any field but DSN means its default.
type Options struct {
	// DSN is a go-sql-driver DSN: user:password@tcp(host:port)/. Its database is not used, Schema is.
	DSN string
	// Schema is the database of Banyan's own tables (default banyan). Letters, digits, _, - and $; at most 64.
	Schema string
	// Mirror names the mirror whose position is kept (default mirror). At most 64 bytes, characters as Schema's, and dots.
	Mirror string
	// Leader names this process for people (default host:pid). At most 255 characters.
	Leader string
	// Logger gets what passes. Default slog.Default().
	Logger *slog.Logger

	// WaitTimeout is after how long without a word from the leader the server ends its connection, in whole seconds
	// (default 3 s). It has to be well above KeepAlive.
	WaitTimeout time.Duration
	// KeepAlive is how often the leader makes sure that it leads (default 1 s).
	KeepAlive time.Duration
	// LockWait is how long one question for the lock may wait in the server, in whole seconds (default 1 s).
	LockWait time.Duration
	// Timeout bounds connecting and each statement (default 5 s), the keep-alive by WaitTimeout too.
	Timeout time.Duration
}

// What schemas and mirrors may be called, so that they need no escaping anywhere.
var (
	name       = regexp.MustCompile(`^[A-Za-z0-9_$-]{1,64}$`)
	mirrorName = regexp.MustCompile(`^[A-Za-z0-9_$.-]{1,64}$`)
)

func (o Options) withDefaults() (Options, error) {
	if o.Schema == "" {
		o.Schema = "banyan"
	}
	if o.Mirror == "" {
		o.Mirror = "mirror"
	}
	if o.Leader == "" {
		o.Leader = ProcessName()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime(&o.WaitTimeout, 3*time.Second)
	orTime(&o.KeepAlive, time.Second)
	orTime(&o.LockWait, time.Second)
	orTime(&o.Timeout, 5*time.Second)
	var wrong []error
	if !name.MatchString(o.Schema) {
		wrong = append(wrong, fmt.Errorf("the schema's name %q has to be of letters, digits, _, - and $, at most 64", o.Schema))
	}
	if !mirrorName.MatchString(o.Mirror) {
		wrong = append(wrong, fmt.Errorf("the mirror's name %q has to be of letters, digits, _, -, $ and dots, at most 64", o.Mirror))
	}
	if r := []rune(o.Leader); len(r) > 255 {
		o.Leader = string(r[:255])
	}
	return o, errors.Join(wrong...)
}

// ProcessName gives host:pid.
func ProcessName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// table gives a table's name for SQL.
func (o Options) table(table string) string { return "`" + o.Schema + "`." + table }
