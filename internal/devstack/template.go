package devstack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// installOptions are what decides how an initialised data directory looks, apart from the server's version.
func installOptions() []string {
	return []string{"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=" + logFileSize}
}

// cacheDir is where initialised data directories are kept between runs: $BANYAN_CACHE, or the user's cache directory.
func cacheDir() string {
	if dir := os.Getenv("BANYAN_CACHE"); dir != "" {
		return dir
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "banyan")
	}
	return filepath.Join(os.TempDir(), "banyan-cache-"+strconv.Itoa(os.Getuid()))
}

// template gives a directory to copy an initialised MariaDB data directory
// from. It is made once for each version of the server and set of options. A
// file lock keeps concurrent test packages from making it at the same time,
// and it gets its name only when it is whole.
func template(ctx context.Context, mariadbd string) (string, error) {
	version, err := exec.CommandContext(ctx, mariadbd, "--no-defaults", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", mariadbd, err)
	}
	key := sha256.Sum256(append(version, strings.Join(installOptions(), " ")...))
	base := filepath.Join(cacheDir(), "mariadb")
	finished := filepath.Join(base, hex.EncodeToString(key[:8]))
	if isDir(finished) {
		return finished, nil
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", fmt.Errorf("make the cache of data directories (BANYAN_CACHE moves it): %w", err)
	}
	unlock, err := lockFile(ctx, finished+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(finished) {
		return finished, nil // Another process was faster.
	}
	making := finished + ".making"
	if err := os.RemoveAll(making); err != nil { // One that a killed process has left half-made.
		return "", fmt.Errorf("remove a half-made data directory: %w", err)
	}
	if err := install(ctx, mariadbd, making); err != nil {
		return "", err
	}
	if err := os.Rename(making, finished); err != nil {
		return "", fmt.Errorf("keep the initialised data directory: %w", err)
	}
	return finished, nil
}

// install makes an initialised data directory with time zones in it.
func install(ctx context.Context, mariadbd, dir string) error {
	installDB, err := program("mariadb-install-db", append(serverPlaces(), "/usr/local/mariadb/scripts")...)
	if err != nil {
		return err
	}
	args := append([]string{"--no-defaults", "--datadir=" + dir}, installOptions()...)
	cmd := exec.CommandContext(ctx, installDB, append(args, asRoot()...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initialise a data directory by %s: %w; it wrote:\n%s", installDB, err, output)
	}
	return loadTimeZones(ctx, mariadbd, dir)
}

// loadTimeZones makes names such as Europe/Berlin known to the server. A
// machine without zone files gets a server without names.
func loadTimeZones(ctx context.Context, mariadbd, dir string) error {
	const zones = "/usr/share/zoneinfo"
	toSQL, err := program("mariadb-tzinfo-to-sql", serverPlaces()...)
	if err != nil || !isDir(zones) {
		return nil //nolint:nilerr // See above.
	}
	statements, err := exec.CommandContext(ctx, toSQL, "--no-defaults", zones).Output()
	if err != nil {
		return fmt.Errorf("read the time zones by %s: %w", toSQL, err)
	}
	args := []string{"--no-defaults", "--datadir=" + dir, "--bootstrap", "--innodb-log-file-size=" + logFileSize}
	cmd := exec.CommandContext(ctx, mariadbd, append(args, asRoot()...)...)
	cmd.Stdin = io.MultiReader(strings.NewReader("USE mysql;\n"), bytes.NewReader(statements))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load time zones: %w; it wrote:\n%s", err, output)
	}
	return nil
}

// asRoot is the option without which MariaDB refuses to run as root.
func asRoot() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// lockFile waits for an exclusive lock on the file at path, which other processes see.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data directory cache: %w", err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil // Closing unlocks.
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for the lock %s: %w", path, context.Cause(ctx))
		}
	}
}

// copyTree copies a directory with its files' modes; io.Copy lets the kernel share blocks where the file system can.
func copyTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o700)
		case info.Mode().IsRegular():
			return copyFile(path, target, info.Mode().Perm())
		default:
			return nil // Sockets of servers that were killed.
		}
	})
	if err != nil {
		return fmt.Errorf("copy the initialised data directory: %w", err)
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // Only read.
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		_ = target.Close()
		return err
	}
	return target.Close()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
