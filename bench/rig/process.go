package rig

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

// Process is a contender's process.
type Process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	lines *json.Decoder
}

// Start runs this program again, with a variable set in its environment, and gives it a job as JSON. There it calls Serve. name is
// for errors.
func Start(ctx context.Context, variable, name string, job any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), variable+"=1")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 10 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, cmd: cmd, stdin: stdin, lines: json.NewDecoder(stdout)}
	if _, err := stdin.Write(append(text, '\n')); err != nil {
		return nil, p.failed(err)
	}
	return p, nil
}

// Read waits for the next thing that it tells.
func (p *Process) Read(into any) error {
	if err := p.lines.Decode(into); err != nil {
		return p.failed(err)
	}
	return nil
}

// Wait waits for the last thing that it tells, and its end. It gives user and system time of the whole process.
func (p *Process) Wait(into any) (cpu time.Duration, err error) {
	if err := p.Read(into); err != nil {
		return 0, err
	}
	if err := p.cmd.Wait(); err != nil {
		return 0, fmt.Errorf("%s failed: %w", p.name, err)
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), nil
}

// failed ends the process and says that it didn't do its job.
func (p *Process) failed(err error) error {
	return fmt.Errorf("%s failed; what it says stands above: %w", p.name, errors.Join(p.End(), err))
}

// End has the process end before its job is done, and waits for it.
func (p *Process) End() error {
	_ = p.stdin.Close() // tells it to end; if it has ended already, Wait says how
	return p.cmd.Wait()
}
