package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"banyan.dev/banyan/bench/baseline"
	"banyan.dev/banyan/internal/app"
)

// The environment of a child process: which side it is, and its database.
const (
	sideVariable = "BENCH_SIDE"
	dsnVariable  = "BENCH_DSN"
)

// The sides.
const (
	banyanSide   = "Banyan"
	baselineSide = "baseline"
	// versionedSide is Banyan with an older version.
	versionedSide = "Banyan with an older version"
)

// project is what a team would bring to Banyan.
//
//go:embed banyan.yaml versions.yaml sql/*.sql contract/bench/v1/*.proto older/*.yaml older/bench/v0/*.proto
var project embed.FS

// addresses are where a side listens, as host:port.
type addresses struct{ REST, GRPC, Meter string }

// serve runs a side in this process. It writes its addresses to out and ends when in does.
func serve(ctx context.Context, side string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // however it ends, the parent is gone
		cancel()
	}()
	meter, err := startMeter(ctx)
	if err != nil {
		return err
	}
	defer meter.stop()
	ready := func(rest, grpc string) error {
		return json.NewEncoder(out).Encode(addresses{REST: rest, GRPC: grpc, Meter: meter.addr})
	}
	switch side {
	case banyanSide:
		return serveBanyan(ctx, "banyan.yaml", ready)
	case versionedSide:
		return serveBanyan(ctx, "versions.yaml", ready)
	case baselineSide:
		return serveBaseline(ctx, os.Getenv(dsnVariable), ready)
	default:
		return fmt.Errorf("no side is named %q", side)
	}
}

// serveBanyan serves as `banyan serve` does, with its defaults.
func serveBanyan(ctx context.Context, config string, ready func(rest, grpc string) error) (err error) {
	dir, err := os.MkdirTemp("", "banyan-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the project: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.CopyFS(dir, project); err != nil {
		return fmt.Errorf("lay the project out: %w", err)
	}
	loaded, faults := app.Load(ctx, filepath.Join(dir, config), os.LookupEnv)
	if err := faults.Err(); err != nil {
		return err
	}
	var told error
	runErr := app.New(loaded, app.Options{
		Logger: slog.New(loaded.Config.Log.Handler(os.Stderr)),
		Ready:  func(at app.Addresses) { told = ready(at.REST, at.GRPC) },
	}).Run(ctx)
	return errors.Join(runErr, told)
}

// serveBaseline serves the hand-written service, over HTTP with the same bounds as Banyan.
func serveBaseline(ctx context.Context, dsn string, ready func(rest, grpc string) error) (err error) {
	store, err := baseline.OpenStore(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	service := baseline.NewService(store)
	handler, err := baseline.NewREST(ctx, service)
	if err != nil {
		return err
	}
	overHTTP := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	overGRPC := baseline.NewGRPC(service)
	restOn, err := listen(ctx)
	if err != nil {
		return err
	}
	grpcOn, err := listen(ctx)
	if err != nil {
		return errors.Join(err, restOn.Close())
	}
	ended := make(chan error, 2)
	go func() { ended <- overHTTP.Serve(restOn) }()
	go func() { ended <- overGRPC.Serve(grpcOn) }()
	running := 2
	err = ready(restOn.Addr().String(), grpcOn.Addr().String())
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-ended:
			running--
		}
	}
	overGRPC.Stop()
	err = errors.Join(err, overHTTP.Close())
	for range running {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// listen takes a free port on loopback.
func listen(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}
