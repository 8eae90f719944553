package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// beatEvery is how often a process says that it is there, gone after how long it counts no more, and swept after how long
	// it is forgotten.
	beatEvery = 2 * time.Second
	gone      = 6 * time.Second
	swept     = time.Minute
)

// queues gives how many queues a service has: as many as have ever been wanted.
func (s *Store) queues(ctx context.Context, service string, wanted int) (n int, err error) {
	err = s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.ask.growQueues, service, wanted); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, s.ask.queues, service).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("look how many queues there are: %w", err)
	}
	return n, nil
}

// number gives how many queues a service has; 0 when the database doesn't know.
func (s *Store) number(ctx context.Context, service string) (n int, err error) {
	err = s.db.QueryRowContext(ctx, s.ask.queues, service).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("look how many queues there are: %w", err)
	}
	return n, nil
}

// beat says that a process is there, and gives all that are.
func (s *Store) beat(ctx context.Context, service, id string) (members []string, err error) {
	err = s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.ask.putMember, service, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.ask.sweepMembers, service, swept.Milliseconds()); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, s.ask.members, service, gone.Milliseconds())
		if err != nil {
			return err
		}
		defer rows.Close()
		members = nil
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			members = append(members, id)
		}
		return rows.Err()
	})
	return members, err
}

// leave takes a process away.
func (s *Store) leave(ctx context.Context, service, id string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.ask.dropMember, service, id)
		return err
	})
}

// join says that this process is there until ctx ends. While the database fails it keeps to what it knew last.
func (r *runner) join(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		switch members, err := r.Store.beat(ctx, r.Service, r.id); {
		case err == nil:
			if before := r.members.Swap(&members); before == nil || !slices.Equal(*before, members) {
				r.Logger.Info("these processes share the queues", "processes", len(members), "this", slices.Index(members, r.id))
			}
		case ctx.Err() == nil:
			r.Logger.Warn("the service's other processes are not known at present", "error", err)
		}
		select {
		case <-ctx.Done():
			leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatEvery)
			defer cancel()
			if err := r.Store.leave(leaving, r.Service, r.id); err != nil {
				r.Logger.Debug("the other processes will notice that this one is gone", "error", err)
			}
			return
		case <-tick.C:
		}
	}
}

// errYield ends a session so that another process, which the queue is due to, gets its messages.
var errYield = errors.New("the queue is due to another process")

// due says whether a queue is due to this process, as far as it knows: each has as many as any other.
func (r *runner) due(i int) bool {
	members := r.members.Load()
	return members == nil || len(*members) == 0 || !slices.Contains(*members, r.id) || (*members)[i%len(*members)] == r.id
}
