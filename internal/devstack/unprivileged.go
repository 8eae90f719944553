package devstack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// systemAccount is who runs a program that refuses to be root's; nil is whoever we are.
type systemAccount struct{ uid, gid int }

// unprivileged gives an account of the system that is not root: nil unless we are.
func unprivileged() (*systemAccount, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // See above.
	}
	var found error
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			found = errors.Join(found, err)
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, fmt.Errorf("the account %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, fmt.Errorf("the account %s: %w", name, err)
		}
		return &systemAccount{uid, gid}, nil
	}
	return nil, fmt.Errorf("find an account that is not root: %w", found)
}

// own gives files to the account.
func (a *systemAccount) own(paths ...string) error {
	if a == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, a.uid, a.gid); err != nil {
			return fmt.Errorf("give a file to the account that runs the server: %w", err)
		}
	}
	return nil
}

// lend has a command run as the account.
func (a *systemAccount) lend(cmd *exec.Cmd) {
	if a == nil {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}} //nolint:gosec // the system's own numbers
}
