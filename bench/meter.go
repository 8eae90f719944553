package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// usage is what a process has used since its start.
type usage struct {
	// CPU is user and system time.
	CPU time.Duration
	// Allocations and Bytes are the objects that were allocated on the heap and their size.
	Allocations, Bytes uint64
}

// since gives what was used after earlier.
func (u usage) since(earlier usage) usage {
	return usage{CPU: u.CPU - earlier.CPU, Allocations: u.Allocations - earlier.Allocations, Bytes: u.Bytes - earlier.Bytes}
}

// ownUsage asks for this process's.
func ownUsage() (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, fmt.Errorf("read the used CPU: %w", err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Allocations: m.Mallocs, Bytes: m.TotalAlloc}, nil
}

// meter tells the parent what its process uses, and gives profiles.
type meter struct {
	addr    string
	server  *http.Server
	running sync.WaitGroup
}

func startMeter(ctx context.Context) (*meter, error) {
	on, err := listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("listen for the parent: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, _ *http.Request) {
		u, err := ownUsage()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(u) // a parent that is gone needs none
	})
	mux.HandleFunc("GET /profile", pprof.Profile)
	mux.Handle("GET /allocs", pprof.Handler("allocs"))
	m := &meter{addr: on.Addr().String(), server: &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}}
	m.running.Go(func() { _ = m.server.Serve(on) }) // ends by stop
	return m, nil
}

func (m *meter) stop() {
	_ = m.server.Close() // nobody waits for an answer any more
	m.running.Wait()
}

// readUsage asks the meter at addr.
func readUsage(ctx context.Context, addr string) (usage, error) {
	var u usage
	err := ask(ctx, addr, "/usage", func(body io.Reader) error { return json.NewDecoder(body).Decode(&u) })
	return u, err
}

// ask reads an answer of the meter at addr.
func ask(ctx context.Context, addr, path string, read func(io.Reader) error) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the child process: %w", err)
	}
	defer func() { err = errors.Join(err, reply.Body.Close()) }()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("the child process answered %s", reply.Status)
	}
	return read(reply.Body)
}
