package rig

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// PeakMemory gives the most memory of this process that was resident, in bytes.
func PeakMemory() (int64, error) {
	if runtime.GOOS == "linux" {
		return highWater()
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("read the used memory: %w", err)
	}
	return r.Maxrss, nil // in bytes on macOS
}

// highWater reads Linux's own figure: what getrusage gives there contains the parent's memory of before exec.
func highWater() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the used memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read the used memory: %w", err)
			}
			return kB << 10, nil
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

// usedCPU gives user and system time of this process so far.
func usedCPU() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("read the used CPU: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
