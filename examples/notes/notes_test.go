// Package notes_test runs the service of notes, which is JavaScript, and holds it against the protocol.
package notes_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"banyan.dev/banyan/internal/cli"
	"banyan.dev/banyan/internal/devstack"
)

// installed gives a copy of the service with the packages that it needs. Without Node.js, npm or a registry the test is skipped.
func installed(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt-get install -y nodejs npm", program)
		}
	}
	version, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	major, _ := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(string(version)))
	const oldest = 18
	if err != nil || major < oldest {
		t.Skipf("Node.js is too old: %s, %v", version, err)
	}
	dir := t.TempDir()
	var files []string
	for _, pattern := range []string{"*.mjs", "package*.json"} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "contract"), os.DirFS("contract")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH`).Match(out) {
			t.Skipf("npm reaches no registry: %s", out)
		}
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// service is a running one.
type service struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	log     bytes.Buffer
}

// start runs the service until stop is called, or the test ends.
func start(t *testing.T, dir, broker string) *service {
	t.Helper()
	s := &service{t: t, cmd: exec.CommandContext(context.Background(), "node", "main.mjs")}
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), "BANYAN_BROKER_URL="+broker, "NOTES_LISTEN=127.0.0.1:0")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })
	line, err := bufio.NewReader(out).ReadString('\n')
	var ready struct {
		GRPC string `json:"grpc"`
	}
	if err != nil || json.Unmarshal([]byte(line), &ready) != nil || ready.GRPC == "" {
		s.stop(syscall.SIGKILL)
		t.Fatalf("the service did not get ready: %q, %v\n%s", line, err, s.log.String())
	}
	s.address = ready.GRPC
	return s
}

// stop ends the service, and says whether it ended well.
func (s *service) stop(by syscall.Signal) bool {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(by)
		_ = s.cmd.Wait() // how it ended is in its state
	}
	return s.cmd.ProcessState.Success()
}

// The service keeps all promises, also after it was killed, on what its journal has.
func TestTheServiceKeepsItsPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("npm fetches packages")
	}
	dir := installed(t)
	broker := devstack.RabbitMQ(t).NewVHost(t)
	for round, write := range [][]string{{"EditNote", `{"id": "${id}", "text": "edited"}`}, {"WriteNote", `{"note": {"owner": "${key}", "text": "written"}}`}} {
		s := start(t, dir, broker)
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), []string{
			"consumer", "test", s.address, "--broker", broker, "--state", "states.json", "--write", write[0], "--request", write[1],
		}, cli.System{Stdout: &out, Stderr: &errs, LookupEnv: os.LookupEnv})
		kept := fmt.Sprintf("notes: %d promises kept, 0 broken, %d not tried", 22-round, round+1)
		if code != 0 || !strings.Contains(out.String(), kept) {
			t.Fatalf("exit code %d:\n%s%s\n%s", code, out.String(), errs.String(), s.log.String())
		}
		by := syscall.SIGKILL
		if round == 1 {
			by = syscall.SIGTERM
		}
		if well := s.stop(by); well != (by == syscall.SIGTERM) {
			t.Errorf("it ended so: %v\n%s", s.cmd.ProcessState, s.log.String())
		}
	}
}

// What the store has acknowledged is there when it is opened again, also where a disk was full in between.
func TestTheStoreKeepsWhatItHasAcknowledged(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: apt-get install -y nodejs")
	}
	const script = `
		import fs from 'node:fs';
		import { Store } from './store.mjs';
		const path = process.argv[1];
		const acknowledged = [];
		const put = (store, key) => {
			try {
				store.transaction((tx) => tx.put('notes', key, key));
				acknowledged.push(key);
			} catch {}
		};
		const store = new Store(path);
		put(store, 'before');
		const { writeSync } = fs;
		fs.writeSync = (file, line) => {
			writeSync(file, line, 0, 9);
			throw new Error('no space left on device');
		};
		put(store, 'meanwhile');
		fs.writeSync = writeSync;
		put(store, 'behind');
		const again = new Store(path);
		console.log(JSON.stringify({ acknowledged, lost: acknowledged.filter((key) => again.get('notes', key) !== key) }));`
	out, err := exec.CommandContext(t.Context(), node, "--input-type=module", "-e", script, filepath.Join(t.TempDir(), "journal")).CombinedOutput()
	var got struct{ Acknowledged, Lost []string }
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(got.Lost) > 0 || len(got.Acknowledged) == 0 {
		t.Errorf("of %v, it has lost %v", got.Acknowledged, got.Lost)
	}
}
