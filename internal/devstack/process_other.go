//go:build !linux

package devstack

import "syscall"

// dieWithParent has nothing to set here: only Linux has such a signal. The guard does the work.
func dieWithParent(*syscall.SysProcAttr) {}
