package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// side is one of the two services, in a process of its own.
type side struct {
	name string
	at   addresses

	cmd   *exec.Cmd
	stdin io.Closer
}

// startSide starts this program again as a side of the benchmark on the database of a DSN, and returns when it serves.
func startSide(ctx context.Context, name, dsn string) (*side, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), sideVariable+"="+name, dsnVariable+"="+dsn)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 10 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s := &side{name: name, cmd: cmd, stdin: stdin}
	if err := json.NewDecoder(stdout).Decode(&s.at); err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start; what it says stands above: %w", name, err), s.stop())
	}
	return s, nil
}

// stop ends the process in good order.
func (s *side) stop() error {
	_ = s.stdin.Close() // tells it to end; if it has ended already, Wait says how
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("%s ended badly: %w", s.name, err)
	}
	return nil
}
