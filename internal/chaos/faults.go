package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
)

// stage is what faults happen to.
type stage struct {
	database *devstack.Database
	broker   *devstack.Broker
	banyans  []*banyan
	// databaseLinks and brokerLinks have one a Banyan.
	databaseLinks, brokerLinks []*link
	db                         *sql.DB // to the shop, past the links
	log                        *slog.Logger
	gate                       sync.RWMutex

	databaseBusy, brokerBusy sync.Mutex // held while one is down
	banyanBusy               []sync.Mutex
}

// perform carries a plan out, and returns when the last fault is over or ctx ends. The error is that of a fault that
// could not be made or undone; what DDL fails for, since the database is down, is none.
func (s *stage) perform(ctx context.Context, plan []Fault) error {
	var running sync.WaitGroup
	failed := make(chan error, len(plan))
	start := time.Now()
	for _, f := range plan {
		if !pause(ctx, time.Until(start.Add(f.At))) {
			break
		}
		running.Go(func() {
			s.log.Info("fault", "what", f.String())
			if err := s.fault(ctx, f); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", f.Kind, err)
			}
		})
	}
	running.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// pause waits for d, and says whether ctx has not ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// fault makes one fault, and undoes it.
func (s *stage) fault(ctx context.Context, f Fault) error {
	dice := rand.New(rand.NewPCG(f.Dice, 0)) //nolint:gosec // A plan is no secret.
	toDatabase, toBroker := s.databaseLinks[f.Target], s.brokerLinks[f.Target]
	switch f.Kind {
	case KillBanyan:
		return s.killBanyan(ctx, f.Target, f.For)
	case KillBoth:
		errs := make(chan error, 1)
		go func() { errs <- s.killBanyan(ctx, 1-f.Target, f.For) }()
		err := s.killBanyan(ctx, f.Target, f.For)
		if other := <-errs; err == nil {
			err = other
		}
		return err
	case PauseBanyan:
		s.banyanBusy[f.Target].Lock()
		defer s.banyanBusy[f.Target].Unlock()
		if err := s.banyans[f.Target].signal(syscall.SIGSTOP); err != nil {
			return err
		}
		pause(ctx, f.For)
		return s.banyans[f.Target].signal(syscall.SIGCONT)
	case KillDatabase:
		return s.killDatabase(ctx, f.For)
	case KillBroker:
		s.brokerBusy.Lock()
		defer s.brokerBusy.Unlock()
		s.broker.Kill()
		pause(ctx, f.For)
		return s.broker.Restart(context.WithoutCancel(ctx))
	case MemoryAlarm:
		return s.alarm(ctx, f.For, []string{"set_vm_memory_high_watermark", "absolute", "1MB"}, []string{"set_vm_memory_high_watermark", "0.4"})
	case DiskAlarm:
		return s.alarm(ctx, f.For, []string{"set_disk_free_limit", "900000GB"}, []string{"set_disk_free_limit", "1MB"})
	case CutDatabase:
		toDatabase.cut()
		pause(ctx, f.For)
		return toDatabase.mend(context.WithoutCancel(ctx))
	case CutBroker:
		toBroker.cut()
		pause(ctx, f.For)
		return toBroker.mend(context.WithoutCancel(ctx))
	case HangDatabase:
		return s.disturb(ctx, toDatabase, f.For, toDatabase.hang)
	case HangBroker:
		return s.disturb(ctx, toBroker, f.For, toBroker.hang)
	case SlowDatabase:
		return s.disturb(ctx, toDatabase, f.For, func() error { return toDatabase.slow(5+dice.IntN(60), 50+dice.IntN(1000)) })
	case SlowBroker:
		return s.disturb(ctx, toBroker, f.For, func() error { return toBroker.slow(5+dice.IntN(60), 50+dice.IntN(1000)) })
	default:
		s.define(ctx, f.Kind, dice)
		return nil
	}
}

func (s *stage) disturb(ctx context.Context, l *link, length time.Duration, how func() error) error {
	if err := how(); err != nil {
		return err
	}
	pause(ctx, length)
	return l.mend(context.WithoutCancel(ctx))
}

func (s *stage) killBanyan(ctx context.Context, target int, length time.Duration) error {
	s.banyanBusy[target].Lock()
	defer s.banyanBusy[target].Unlock()
	s.banyans[target].kill()
	pause(ctx, length)
	return s.banyans[target].start()
}

func (s *stage) killDatabase(ctx context.Context, length time.Duration) error {
	s.databaseBusy.Lock()
	defer s.databaseBusy.Unlock()
	s.gate.Lock()
	defer s.gate.Unlock()
	s.database.Kill()
	pause(ctx, length)
	return s.database.Restart(context.WithoutCancel(ctx))
}

// alarm makes the broker block publishers for a while.
func (s *stage) alarm(ctx context.Context, length time.Duration, on, off []string) error {
	s.brokerBusy.Lock()
	defer s.brokerBusy.Unlock()
	if _, err := s.broker.Control(ctx, on...); err != nil {
		return err
	}
	pause(ctx, length)
	_, err := s.broker.Control(context.WithoutCancel(ctx), off...)
	return err
}

// definePatience is how long a fault by SQL waits for a database that is down.
const definePatience = 15 * time.Second

// define makes a fault by SQL, when the database is up again if it is down. That the table is another meanwhile, or that
// a lock is not to be had, is a part of the chaos.
func (s *stage) define(ctx context.Context, kind Kind, dice *rand.Rand) {
	once := func() error {
		switch kind {
		case Rotate:
			return execute(ctx, s.db, "FLUSH BINARY LOGS")
		case SwapTable:
			return swap(ctx, s.db, dice)
		case TruncateOne:
			return execute(ctx, s.db, "TRUNCATE TABLE "+[]string{"chaos_small", "search_log", "sessions"}[dice.IntN(3)])
		default:
			return alter(ctx, s.db, kind, dice)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, definePatience)
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, func() error {
		err := once()
		var refused *mysql.MySQLError
		if errors.As(err, &refused) {
			return fatal{err} // the database is up, and doesn't want to
		}
		return err
	})
	if err != nil {
		s.log.Info("a fault was not made", "what", kind, "cause", err)
	}
}

// mend undoes all faults, whatever has become of them.
func (s *stage) mend(ctx context.Context) error {
	for _, l := range append(append([]*link(nil), s.databaseLinks...), s.brokerLinks...) {
		if err := l.mend(ctx); err != nil {
			return err
		}
	}
	for _, b := range s.banyans {
		if err := b.signal(syscall.SIGCONT); err != nil {
			return err
		}
		if err := b.start(); err != nil {
			return err
		}
	}
	return nil
}
