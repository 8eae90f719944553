package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// process is a running server program: the head of a process group of its own,
// which the guard watches.
type process struct {
	pid  int
	log  string        // path of the file that has its output
	done chan struct{} // closed when it has ended and was waited for
	err  error         // how it ended; read after done
}

// startProcess starts cmd with its output appended to the file log. The process outlives the context that cmd was made with.
func startProcess(cmd *exec.Cmd, log string, g *guard) (*process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", filepath.Base(cmd.Path), err)
	}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = ownGroup()
	dieWithParent(cmd.SysProcAttr)

	p := &process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go p.supervise(cmd, output, g, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// supervise starts cmd and waits for its end, all on one operating system
// thread: the parent-death signal is sent when the *thread* that forked ends,
// and Go ends threads as it likes unless a goroutine holds them.
func (p *process) supervise(cmd *exec.Cmd, output *os.File, g *guard, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer output.Close() //nolint:errcheck // The server writes it, not we.

	if err := cmd.Start(); err != nil {
		started <- fmt.Errorf("start %s: %w", cmd.Path, err)
		return
	}
	p.pid = cmd.Process.Pid
	err := g.watch(p.pid)
	if err != nil {
		p.signal(syscall.SIGKILL)
	}
	started <- err
	p.err = cmd.Wait()
	p.signal(syscall.SIGKILL) // What it has left behind in its group.
	g.forget(p.pid)
	close(p.done)
}

// signal sends s to the whole group. One that is gone needs none.
func (p *process) signal(s syscall.Signal) {
	_ = syscall.Kill(-p.pid, s)
}

// running says whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the group by SIGKILL and waits for that.
func (p *process) kill() {
	if p.running() {
		p.signal(syscall.SIGKILL)
	}
	<-p.done
}

// terminate asks the head of the group to end, waits for that, and kills the group when ctx ends first.
func (p *process) terminate(ctx context.Context) error {
	if !p.running() {
		return nil
	}
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", p.pid, err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("killed a server that did not stop in time: %w", context.Cause(ctx))
	}
}

// logTail gives the last lines that the process wrote, for an error message.
func (p *process) logTail() string {
	const most = 2 << 10
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	if len(text) > most {
		text = text[len(text)-most:]
		if _, rest, found := bytes.Cut(text, []byte("\n")); found {
			text = rest
		}
	}
	return string(text)
}
