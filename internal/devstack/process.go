package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// process is a running server program: the head of a process group of its own,
// which the guard watches.
type process struct {
	pid  int
	log  string        // path of the file that has its output
	from int64         // where in log its own output begins
	done chan struct{} // closed when it has ended and was waited for
	err  error         // how it ended; read after done
	// ending is the signal that asks it to end; 0 stands for SIGTERM.
	ending syscall.Signal
}

// startProcess starts cmd with its output appended to the file log. The process outlives the context that cmd was made with.
func startProcess(cmd *exec.Cmd, log string, g *guard) (*process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", filepath.Base(cmd.Path), err)
	}
	cmd.Stdout, cmd.Stderr = output, output
	attributes := ownGroup()
	if cmd.SysProcAttr != nil {
		attributes.Credential = cmd.SysProcAttr.Credential
	}
	cmd.SysProcAttr = attributes
	dieWithParent(cmd.SysProcAttr)

	p := &process{log: log, done: make(chan struct{})}
	if info, err := output.Stat(); err == nil {
		p.from = info.Size()
	}
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
	ending := p.ending
	if ending == 0 {
		ending = syscall.SIGTERM
	}
	if err := syscall.Kill(p.pid, ending); err != nil && !errors.Is(err, syscall.ESRCH) {
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

// output gives what the process has written.
func (p *process) output() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if int64(len(text)) < p.from {
		return "" // Somebody has emptied the log.
	}
	return strings.TrimSpace(string(text[p.from:]))
}

// lastWords gives the end of the output, whole lines, for an error message.
func (p *process) lastWords() string {
	const most = 2 << 10
	text := p.output()
	if len(text) <= most {
		return text
	}
	text = text[len(text)-most:]
	if _, rest, found := strings.Cut(text, "\n"); found {
		text = rest
	}
	return text
}
