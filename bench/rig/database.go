package rig

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// DatabaseEffort is what a part of a measurement has cost the database.
type DatabaseEffort struct {
	// CPU is user and system time of the server, 0 where the system doesn't tell.
	CPU time.Duration
	// Statements are those that clients have sent.
	Statements int64
}

// DatabaseEffort measures run.
func (s *Servers) DatabaseEffort(ctx context.Context, run func() error) (e DatabaseEffort, err error) {
	before, err := s.databaseUsage(ctx)
	if err != nil {
		return e, err
	}
	if err := run(); err != nil {
		return e, err
	}
	after, err := s.databaseUsage(ctx)
	return DatabaseEffort{CPU: after.CPU - before.CPU, Statements: after.Statements - before.Statements}, err
}

func (s *Servers) databaseUsage(ctx context.Context) (e DatabaseEffort, err error) {
	var name string
	if err := s.DB.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &e.Statements); err != nil {
		return e, fmt.Errorf("count the database's statements: %w", err)
	}
	if runtime.GOOS != "linux" {
		return e, nil
	}
	if err := s.DB.QueryRowContext(ctx, "SELECT @@global.pid_file").Scan(&name); err != nil {
		return e, fmt.Errorf("find the database's process: %w", err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return e, fmt.Errorf("find the database's process: %w", err)
	}
	e.CPU, err = processTime(strings.TrimSpace(string(text)))
	return e, err
}

// processTime gives user and system time of a process, on Linux.
func processTime(pid string) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read a server's CPU time: %w", err)
	}
	return statTime(string(text))
}

// statTime gives user and system time of a process by its /proc/PID/stat, fields 14 and 15 of proc(5), counted in hundredths of a
// second for programs, whatever the kernel's own clock is.
func statTime(stat string) (time.Duration, error) {
	_, fields, _ := strings.Cut(stat[strings.LastIndexByte(stat, ')')+1:], " ") // the name may have blanks
	all := strings.Fields(fields)
	if len(all) < 13 {
		return 0, fmt.Errorf("%q is no /proc/PID/stat", stat)
	}
	ticks := int64(0)
	for _, field := range all[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no /proc/PID/stat: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
