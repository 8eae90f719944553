package volume_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"banyan.dev/banyan/internal/app/apptest"
)

// child is this program in a process of its own, as banyan or as the service.
type child struct {
	t    *testing.T
	log  string
	args []string
	env  []string

	mu      sync.Mutex
	running *exec.Cmd
	alive   io.Closer // its standard input, which ends with us
	ended   chan struct{}
}

// start starts it, and kills it at the test's end.
func (c *child) start() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	output, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command(self, c.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Dir = append(os.Environ(), append(c.env, childVariable+"=1")...), output, output, filepath.Dir(c.log)
	input, err := cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, or as its log says
	}()
	c.running, c.alive, c.ended = cmd, input, ended
}

// kill ends it by SIGKILL, and waits until it is gone.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return
	}
	_ = c.running.Process.Kill() // it may have ended
	<-c.ended
	_ = c.alive.Close()
	c.running = nil
}

// check says whether it still runs, and what it has logged that it must not.
func (c *child) check() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err
	}
	for _, sign := range []string{"DATA RACE", "\npanic: ", "\nfatal error: "} {
		if _, rest, found := strings.Cut(string(text), sign); found {
			return errors.New(filepath.Base(c.log) + " says" + sign + rest[:min(len(rest), 3000)])
		}
	}
	if c.running == nil {
		return nil
	}
	select {
	case <-c.ended:
		return errors.New(filepath.Base(c.log) + " has ended by itself:\n" + string(text[max(0, len(text)-3000):]))
	default:
		return nil
	}
}

// peak gives the most bytes that its process has had resident since it began, or since it was forgotten.
func (c *child) peak() int64 { return c.resident("VmHWM:") }

// forgetPeak begins to measure anew.
func (c *child) forgetPeak() {
	c.t.Helper()
	if err := os.WriteFile("/proc/"+strconv.Itoa(c.running.Process.Pid)+"/clear_refs", []byte("5"), 0o200); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) resident(name string) int64 {
	c.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.running.Process.Pid) + "/status")
	if err != nil {
		c.t.Skipf("this system doesn't tell what memory a process has: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				c.t.Fatal(err)
			}
			return kib << 10
		}
	}
	c.t.Skipf("this system doesn't tell what memory a process has: no %s", name)
	return 0
}

// logged waits until all parts stand in one line of its log.
func (c *child) logged(what string, parts ...string) {
	c.t.Helper()
	apptest.Poll(c.t, what, func() error {
		text, err := os.ReadFile(c.log)
		if err != nil {
			return err
		}
	lines:
		for line := range strings.Lines(string(text)) {
			for _, part := range parts {
				if !strings.Contains(line, part) {
					continue lines
				}
			}
			return nil
		}
		return errors.New("no such line: " + strings.Join(parts, ", ") + "\n" + string(text[max(0, len(text)-2000):]))
	})
}

func mib(bytes int64) string { return strconv.FormatInt(bytes>>20, 10) + " MiB" }
