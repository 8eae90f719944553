package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockName is the file in the demo's directory that a running demo holds locked. It stays: only the lock counts, and
// the kernel takes that back however the process ends.
const lockName = "demo.lock"

// lock makes dir this process's until unlock. It waits for nobody: a directory that another demo runs in is an error
// that says so.
func lock(dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the directory's lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("a demo runs in %s already%s; stop it, or give another --dir", dir, holder(file)), file.Close())
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file.Close, nil // closing unlocks
}

// holder tells whose lock it is, as text to add: nothing when he has not yet written it.
func holder(file io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(file, 32))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
