package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// startTimeout bounds a start whose context has no deadline. A busy machine needs many times the usual seconds.
const startTimeout = 2 * time.Minute

// instance is what a private server of any kind is: a directory, processes, and a guard for both.
type instance struct {
	// Dir has data, settings and log.
	Dir string

	name      string // for errors
	temporary bool   // Dir goes with the server
	guard     *guard
	// launch starts the processes and returns when the server answers. The
	// last one is the server itself, those before it are there to serve it.
	// On an error none is left.
	launch func(context.Context) ([]*process, error)

	mu        sync.Mutex // held while the server is started or stopped
	processes []*process
	stopped   bool
}

// newInstance makes the directory, a temporary one when dir is empty, and the guard.
func newInstance(ctx context.Context, name, dir string) (*instance, error) {
	s := &instance{name: name}
	var err error
	if dir == "" {
		s.temporary = true
		if s.Dir, err = os.MkdirTemp("", "banyan-devstack-"); err != nil {
			return nil, fmt.Errorf("make a directory for %s: %w", name, err)
		}
	} else {
		if s.Dir, err = filepath.Abs(dir); err != nil {
			return nil, fmt.Errorf("find the directory of %s: %w", name, err)
		}
		if err := os.MkdirAll(s.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the directory of %s: %w", name, err)
		}
	}
	remove := ""
	if s.temporary {
		remove = s.Dir
	}
	if s.guard, err = startGuard(ctx, remove); err != nil {
		return nil, errors.Join(err, s.removeTemporary())
	}
	return s, nil
}

// start launches the server for the first time. Between finding a free port
// and listening on it another program may take it: then choose, which picks
// ports and writes settings, and launch are called again, unless the port is fixed.
func (s *instance) start(ctx context.Context, fixedPort bool, choose func() error) error {
	const tries = 5
	for try := 1; ; try++ {
		if err := choose(); err != nil {
			return err
		}
		processes, err := s.launch(ctx)
		if err == nil {
			s.processes = processes
			return nil
		}
		if fixedPort || try == tries || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

// Stop shuts the server down, by SIGKILL when ctx ends first, and removes a
// temporary directory. It may be called again, and after Kill.
func (s *instance) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	err := errors.Join(s.end(ctx), s.removeTemporary())
	s.guard.release()
	return err
}

// end shuts the processes down, the server first.
func (s *instance) end(ctx context.Context) error {
	var err error
	for i := len(s.processes) - 1; i >= 0; i-- {
		if i == len(s.processes)-1 {
			err = s.processes[i].terminate(ctx)
		} else {
			s.processes[i].kill()
		}
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}

func (s *instance) removeTemporary() error {
	if !s.temporary {
		return nil
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		return fmt.Errorf("remove the directory of %s: %w", s.name, err)
	}
	return nil
}

// Kill ends the server by SIGKILL, as a crash would, and returns when it is gone. Restart brings it back.
func (s *instance) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].kill()
	}
}

// Restart shuts the server down if it runs and starts it again with the same
// ports, data and account. It returns when the server answers. A server that
// does not stop before ctx ends is killed, and is not started again.
func (s *instance) Restart(ctx context.Context) error {
	ctx, cancel := startContext(ctx)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("restart %s: it was stopped for good", s.name)
	}
	if err := s.end(ctx); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	processes, err := s.launch(ctx)
	if err != nil {
		return fmt.Errorf("restart %s: %w", s.name, err)
	}
	s.processes = processes
	return nil
}

// Done gives a channel that closes when the server process that runs now ends,
// for whatever reason. After a Restart there is a new one.
func (s *instance) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[len(s.processes)-1].done
}

// startContext gives ctx a deadline if it has none.
func startContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, startTimeout)
}
