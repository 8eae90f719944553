package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/devstack"
)

// Options say what to run.
type Options struct {
	// Dir keeps everything: servers' data, the shop's files, banyan.yaml. What is in it is used again.
	Dir string
	// ReadyFile is written when all is ready, and removed at the end. Empty: none.
	ReadyFile string
	// Customers and Orders are how many are made, when Dir has no data yet; zero: the generator's default.
	Customers, Orders int
	// FreePorts takes any free ports, even where the usual ones are free.
	FreePorts bool
	// Out gets what a person reads, Log the logs.
	Out, Log  io.Writer
	LookupEnv config.Lookup
	Version   string
	// Program is how this program was called, for commands to try.
	Program string
	// Abort, once it is closed, cuts the stopping short.
	Abort <-chan struct{}
}

// stopTimeout bounds how long the servers have to stop by themselves.
const stopTimeout = 20 * time.Second

// Run runs the demo until ctx ends, or something that it needs fails. When it returns, all is stopped.
func Run(ctx context.Context, o Options) (err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("find the directory: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	unlock, err := lock(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := removeReady(o.ReadyFile); err != nil {
		return err
	}
	fmt.Fprintln(o.Out, "Starting MariaDB and RabbitMQ …")
	servers, err := startServers(ctx, o.Dir)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, servers.stop(o.Abort)) }()
	s, err := openShop(ctx, servers.database, servers.broker.URL(""), o)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return serve(ctx, o, servers, s)
}

// serve runs Banyan on two replicas, the old shop, the new order service, and clients.
func serve(ctx context.Context, o Options, servers *servers, s *shop) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var projects []*app.Project
	for _, file := range []string{s.config, s.second} {
		project, faults := app.Load(ctx, file, o.LookupEnv)
		if err := faults.Err(); err != nil {
			return err
		}
		projects = append(projects, project)
	}
	logger := slog.New(projects[0].Config.Log.Handler(o.Log))
	failures := make(chan error, 8)
	// part runs something until it ends, and with it all else.
	part := func(group *sync.WaitGroup, do func() error) {
		group.Go(func() {
			if err := do(); err != nil {
				failures <- err
			}
			cancel()
		})
	}
	// The new service ends last: replicas that drain may still need it.
	var service, replicas, beside sync.WaitGroup
	serviceCtx, endService := context.WithCancel(context.WithoutCancel(ctx))
	defer endService()
	orders, err := s.openOrders(serviceCtx, o, servers.broker.URL(""), logger)
	if err != nil {
		return interrupted(ctx, err)
	}
	part(&service, func() error { return errors.Join(orders.Serve(serviceCtx), orders.Close()) })
	addresses := [2]chan app.Addresses{make(chan app.Addresses, 1), make(chan app.Addresses, 1)}
	for i, project := range projects {
		ready := func(at app.Addresses) { addresses[i] <- at }
		part(&replicas, func() error {
			return app.New(project, app.Options{Logger: logger, Version: o.Version, Abort: o.Abort, Ready: ready}).Run(ctx)
		})
	}
	servers.keep(ctx, &beside, o.Out)
	part(&beside, func() error { return s.open(ctx, o, servers, addresses, logger) })
	replicas.Wait()
	beside.Wait()
	endService()
	service.Wait()
	close(failures)
	err = removeReady(o.ReadyFile)
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	return err
}

// open tells that all is ready, once it is, and lets the old application and clients go on until ctx ends.
func (s *shop) open(ctx context.Context, o Options, servers *servers, addresses [2]chan app.Addresses, logger *slog.Logger) error {
	var at [2]app.Addresses
	for i := range at {
		select {
		case at[i] = <-addresses[i]:
		case <-ctx.Done():
			return nil
		}
	}
	r := newReady(at, servers, s, o.Program)
	if err := r.write(o.ReadyFile); err != nil {
		return err
	}
	r.print(o.Out, o.ReadyFile)
	var both sync.WaitGroup
	both.Go(func() { s.clients(ctx, o.Out) })
	err := s.goOn(ctx, logger)
	both.Wait()
	return err
}

// interrupted gives nil for a failure that comes from being told to stop.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the end was asked for
	}
	return err
}

// servers are the private servers.
type servers struct {
	database *devstack.Database
	broker   *devstack.Broker
}

// startServers starts both at once; when one fails, none is left.
func startServers(ctx context.Context, dir string) (*servers, error) {
	s := &servers{}
	var both sync.WaitGroup
	var databaseErr, brokerErr error
	both.Go(func() {
		s.database, databaseErr = devstack.StartDatabase(ctx, devstack.DatabaseOptions{Dir: filepath.Join(dir, "mariadb")})
	})
	both.Go(func() {
		s.broker, brokerErr = devstack.StartBroker(ctx, devstack.BrokerOptions{Dir: filepath.Join(dir, "rabbitmq")})
	})
	both.Wait()
	if err := errors.Join(databaseErr, brokerErr); err != nil {
		if databaseErr != nil {
			s.database = nil
		}
		if brokerErr != nil {
			s.broker = nil
		}
		return nil, errors.Join(err, s.stop(nil))
	}
	return s, nil
}

// keep starts a server again that has ended, so that a person can see what its end does. It goes on until ctx ends.
func (s *servers) keep(ctx context.Context, running *sync.WaitGroup, out io.Writer) {
	for name, server := range map[string]interface {
		Done() <-chan struct{}
		Restart(ctx context.Context) error
	}{"MariaDB": s.database, "RabbitMQ": s.broker} {
		running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-server.Done():
				}
				if ctx.Err() != nil {
					return
				}
				fmt.Fprintf(out, "%s has ended; starting it again …\n", name)
				if err := server.Restart(ctx); err != nil {
					if ctx.Err() == nil {
						fmt.Fprintf(out, "%s does not start again: %v\n", name, err)
					}
					return
				}
				fmt.Fprintf(out, "%s is back.\n", name)
			}
		})
	}
}

// stop stops both at once, by force once abort is closed or it takes too long.
func (s *servers) stop(abort <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var both, watcher sync.WaitGroup
	var databaseErr, brokerErr error
	if s.database != nil {
		both.Go(func() { databaseErr = s.database.Stop(ctx) })
	}
	if s.broker != nil {
		both.Go(func() { brokerErr = s.broker.Stop(ctx) })
	}
	watcher.Go(func() {
		select {
		case <-abort:
			cancel()
		case <-ctx.Done():
		}
	})
	both.Wait()
	cancel()
	watcher.Wait()
	return errors.Join(databaseErr, brokerErr)
}
