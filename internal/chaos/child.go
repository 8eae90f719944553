package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a process that is killed and started again.
type child struct {
	command []string
	env     []string
	log     string

	running *exec.Cmd
	ended   chan struct{}
	input   interface{ Close() error }
}

func (c *child) start() error {
	output, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open a log: %w", err)
	}
	defer output.Close()                                //nolint:errcheck // the child writes it
	cmd := exec.Command(c.command[0], c.command[1:]...) //nolint:gosec,noctx // It is to end in no other way than by kill.
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, output, output
	input, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	c.running, c.input, c.ended = cmd, input, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait() // killed
	}(c.ended)
	return nil
}

// leavePatience is how long a process may take to end in good order.
const leavePatience = 30 * time.Second

// leave asks it to end, and waits until it has.
func (c *child) leave() error {
	if c.running == nil {
		return nil
	}
	if err := c.running.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ask the service to end: %w", err)
	}
	late := time.NewTimer(leavePatience)
	defer late.Stop()
	select {
	case <-c.ended:
	case <-late.C:
		return fmt.Errorf("the service, asked to end, has not within %s: see %s", leavePatience, c.log)
	}
	if code := c.running.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the service, asked to end, ended with %d: see %s", code, c.log)
	}
	_ = c.input.Close() // it has ended
	c.running = nil
	return nil
}

func (c *child) kill() {
	if c.running == nil {
		return
	}
	_ = c.running.Process.Kill() // it may have ended
	<-c.ended
	_ = c.input.Close() // the same
	c.running = nil
}
