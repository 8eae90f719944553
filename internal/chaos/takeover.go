package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// takeovers measures how long events wait when the leader is killed, and when it stops without a word.
func (r *run) takeovers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.Patience)
	defer cancel()
	var err error
	r.report.AfterKill, err = r.takeover(ctx, "chaos_after_kill", func(leader *banyan) (func() error, error) {
		leader.kill()
		return leader.start, nil
	})
	if err != nil {
		return fmt.Errorf("kill the leader: %w", err)
	}
	r.report.AfterStop, err = r.takeover(ctx, "chaos_after_stop", func(leader *banyan) (func() error, error) {
		return func() error { return leader.signal(syscall.SIGCONT) }, leader.signal(syscall.SIGSTOP)
	})
	if err != nil {
		return fmt.Errorf("stop the leader: %w", err)
	}
	return nil
}

// takeover ends the leader in some way, and gives how long it takes until a change arrives that is made right after.
func (r *run) takeover(ctx context.Context, mark string, end func(*banyan) (undo func() error, err error)) (time.Duration, error) {
	// Another has to be there to take over, and everything of before to have come.
	for _, b := range r.banyans {
		if err := b.ready(ctx); err != nil {
			return 0, err
		}
	}
	if err := r.settled(ctx, mark+"_before"); err != nil {
		return 0, err
	}
	var leader *banyan
	err := poll(ctx, 100*time.Millisecond, func() error {
		for _, b := range r.banyans {
			if b.leads(ctx) {
				leader = b
				return nil
			}
		}
		return errors.New("no Banyan leads")
	})
	if err != nil {
		return 0, err
	}
	start := time.Now()
	undo, err := end(leader)
	if err == nil {
		err = execute(ctx, r.db, "CREATE TABLE "+mark+" (n int)")
	}
	if err == nil {
		err = r.watch.wait(ctx, mark, r.Patience)
	}
	took := time.Since(start)
	if undo != nil {
		err = errors.Join(err, undo())
	}
	return took, err
}

// leads says whether its mirror leads, as far as it knows.
func (b *banyan) leads(ctx context.Context) bool {
	_, text, err := b.call(ctx, "GET", "http://"+b.admin+"/status", "")
	if err != nil {
		return false
	}
	var status struct {
		Mirror struct {
			Phase string `json:"phase"`
		} `json:"mirror"`
	}
	return json.Unmarshal([]byte(text), &status) == nil && status.Mirror.Phase == "leading"
}
