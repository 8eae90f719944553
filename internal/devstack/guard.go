package devstack

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// guardScript outlives the program that started it by a moment. It reads lines
// that list the process groups to watch; at the end of input, which comes when
// that program ends in any way (SIGKILL too), it kills them and removes the
// directory given as $1. The line "done" sends it home.
const guardScript = `
trap '' HUP INT TERM
groups=
while read -r line; do
	[ "$line" = done ] && exit 0
	groups=$line
done
for group in $groups; do kill -KILL "-$group"; done
tries=0
for group in $groups; do
	while kill -0 "-$group" && [ "$tries" -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
done
[ -z "$1" ] || rm -rf -- "$1"
`

// guard ends process groups when this program ends without having done so.
//
// The parent-death signal alone would not do: it reaches only the direct child,
// not what that child has started, and only Linux has it.
type guard struct {
	mu     sync.Mutex
	input  io.WriteCloser
	exited chan struct{}
	groups []int
}

// startGuard starts a guard that removes the directory remove, unless empty, after killing.
func startGuard(ctx context.Context, remove string) (*guard, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", guardScript, "banyan-guard", remove)
	cmd.Dir = "/"
	cmd.SysProcAttr = ownGroup() // A terminal's Ctrl-C must not take the guard away first.
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the guard's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard of private servers: %w", err)
	}
	g := &guard{input: input, exited: make(chan struct{})}
	go func() {
		defer close(g.exited)
		_ = cmd.Wait() // How it ended is of no use to anyone.
	}()
	return g, nil
}

// watch adds a process group.
func (g *guard) watch(group int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups = append(g.groups, group)
	return g.tell()
}

// forget takes a process group out, which has ended, so that its number can
// be given to processes of others.
func (g *guard) forget(group int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := g.groups[:0]
	for _, watched := range g.groups {
		if watched != group {
			kept = append(kept, watched)
		}
	}
	g.groups = kept
	_ = g.tell() // A guard that has gone kills nothing.
}

func (g *guard) tell() error {
	words := make([]string, len(g.groups))
	for i, group := range g.groups {
		words[i] = strconv.Itoa(group)
	}
	if _, err := io.WriteString(g.input, strings.Join(words, " ")+"\n"); err != nil {
		return fmt.Errorf("tell the guard of private servers: %w", err)
	}
	return nil
}

// release ends the guard without killing and waits for it. It may be called twice.
func (g *guard) release() {
	g.mu.Lock()
	_, _ = io.WriteString(g.input, "done\n")
	_ = g.input.Close()
	g.mu.Unlock()
	<-g.exited
}
