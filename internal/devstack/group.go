package devstack

import "syscall"

// ownGroup makes a process the head of a new process group: signals to ours don't reach it, and one signal ends all of its.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
