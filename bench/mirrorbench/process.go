package mirrorbench

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

// running is a contender's process.
type running struct {
	job     job
	cmd     *exec.Cmd
	stdin   io.Closer
	results *json.Decoder
}

// start runs this program again to do a job.
func (j job) start(ctx context.Context) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), ChildVariable+"=1")
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
		return nil, fmt.Errorf("start %s: %w", j.Contender, err)
	}
	r := &running{job: j, cmd: cmd, stdin: stdin, results: json.NewDecoder(stdout)}
	if _, err := stdin.Write(append(text, '\n')); err != nil {
		return nil, r.failed(err)
	}
	return r, nil
}

// awaitFirst waits until the first row is confirmed.
func (r *running) awaitFirst() error {
	var b begun
	if err := r.results.Decode(&b); err != nil || !b.Begun {
		return r.failed(err)
	}
	return nil
}

// wait waits for the outcome and the process's end.
func (r *running) wait() (outcome, error) {
	var o outcome
	if err := r.results.Decode(&o); err != nil {
		return outcome{}, r.failed(err)
	}
	if err := r.cmd.Wait(); err != nil {
		return outcome{}, fmt.Errorf("%s failed: %w", r.job.Contender, err)
	}
	o.CPU = r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()
	return o, nil
}

// failed ends the process and says that it didn't do its job.
func (r *running) failed(err error) error {
	return fmt.Errorf("%s failed; what it says stands above: %w", r.job.Contender, errors.Join(r.end(), err))
}

// end has the process end before its job is done.
func (r *running) end() error {
	_ = r.stdin.Close() // tells it to end; if it has ended already, Wait says how
	return r.cmd.Wait()
}
