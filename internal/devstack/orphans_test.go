//go:build linux

package devstack_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"banyan.dev/banyan/internal/devstack"
)

// childVariable tells a test binary that this test has started once more what to be.
const childVariable = "BANYAN_DEVSTACK_CHILD"

// TestAsChild is no test of its own: it is what the child processes of TestNothingSurvives do.
func TestAsChild(t *testing.T) {
	role := os.Getenv(childVariable)
	if role == "" {
		t.Skip("runs in a child process of TestNothingSurvives only")
	}
	dirs := []string{devstack.MariaDB(t).Dir}
	if strings.Contains(role, "broker") {
		dirs = append(dirs, devstack.RabbitMQ(t).Dir)
	}
	fmt.Println("ready " + strings.Join(dirs, " "))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // Until the parent has looked at what runs.
	switch role {
	case "panics":
		panic("as a test does that has gone wrong")
	case "exits":
		return
	}
	select {} // Until it is killed.
}

func TestNothingSurvives(t *testing.T) {
	for role, end := range map[string]func(t *testing.T, child *exec.Cmd, dir string){
		"killed with broker": func(t *testing.T, child *exec.Cmd, _ string) { killProcess(t, child.Process.Pid) },
		"exits":              func(*testing.T, *exec.Cmd, string) {},
		"panics":             func(*testing.T, *exec.Cmd, string) {},
		"killed after its guard": func(t *testing.T, child *exec.Cmd, dir string) {
			for pid, words := range processesOf(dir) {
				if strings.Contains(words, "banyan-guard") {
					killProcess(t, pid)
				}
			}
			killProcess(t, child.Process.Pid)
		},
	} {
		t.Run(role, func(t *testing.T) {
			child, dirs, proceed := startChild(t, role)
			for _, dir := range dirs {
				if len(processesOf(dir)) < 2 {
					t.Fatalf("no server and guard run in %s: %v", dir, processesOf(dir))
				}
			}
			end(t, child, dirs[0])
			proceed()
			_ = child.Wait()
			for _, dir := range dirs {
				eventually(t, func() error {
					if left := processesOf(dir); len(left) > 0 {
						return fmt.Errorf("still run: %v", left)
					}
					return nil
				})
				if role == "killed after its guard" {
					_ = os.RemoveAll(dir) // Nobody was left to do it.
					continue
				}
				eventually(t, func() error {
					if _, err := os.Stat(dir); err == nil {
						return fmt.Errorf("%s is still there", dir)
					}
					return nil
				})
			}
		})
	}
}

// The kernel's parent-death signal follows the thread that forked, so a server must not be started on one that ends.
func TestServerOutlivesTheThreadThatAskedForIt(t *testing.T) {
	started := make(chan *devstack.Database)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		db, err := devstack.StartDatabase(context.Background(), devstack.DatabaseOptions{Relaxed: true})
		if err != nil {
			t.Error(err)
		}
		started <- db
	}()
	server := <-started
	if server == nil {
		return
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	for range 20 { // Gives the thread the time to end, without counting on it.
		if err := open(t, server.DSN("")).PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-server.Done():
		t.Fatal("the server ended")
	default:
	}
}

// startChild starts this test binary as a child in a role and waits until its servers run. It gives their directories.
func startChild(t *testing.T, role string) (child *exec.Cmd, dirs []string, proceed func()) {
	t.Helper()
	child = exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestAsChild$")
	child.Env = append(os.Environ(), childVariable+"="+role)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) < 2 || words[0] != "ready" {
		t.Fatalf("the child did not get ready: %q, %v", line, err)
	}
	return child, words[1:], func() { _ = stdin.Close() }
}

// processesOf gives the processes that were started with dir in their words or environment, without those that have ended and wait to be fetched.
func processesOf(dir string) map[int]string {
	found := map[int]string{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil || pid == os.Getpid() {
			continue
		}
		words, _ := os.ReadFile(filepath.Join(entry, "cmdline")) // Empty for one that has ended.
		environment, _ := os.ReadFile(filepath.Join(entry, "environ"))
		if len(words) > 0 && (bytes.Contains(words, []byte(dir)) || bytes.Contains(environment, []byte(dir))) {
			found[pid] = strings.ReplaceAll(string(words), "\x00", " ")
		}
	}
	return found
}

func killProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until condition gives nil, for half a minute at most.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}
