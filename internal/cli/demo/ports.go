package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// listener is one of Banyan's, with the port that docs/config.md gives it.
type listener struct {
	name string
	port int
}

func usual() []listener {
	return []listener{
		{"REST", 8080},
		{"gRPC", 9090},
		{"admin", 9091},
		{"REST of the second replica", 8082},
		{"gRPC of the second replica", 9094},
		{"admin of the second replica", 9095},
		{"the new order service", 9200},
	}
}

// choosePorts gives ports of loopback that nobody listens on, one for each that is wanted: its own where that is free,
// else any, which it tells out. With anyFree it gives any at once.
func choosePorts(wanted []listener, anyFree bool, out io.Writer) ([]int, error) {
	var chosen []int
	for _, want := range wanted {
		port := want.port
		if anyFree {
			port = 0
		}
		l, err := listen(port)
		if err != nil && port != 0 {
			l, err = listen(0)
		}
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() //nolint:errcheck // kept open until all are chosen, so that they differ
		at, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("find a free port: the system gave something else")
		}
		if port != 0 && at.Port != port {
			fmt.Fprintf(out, "%d is taken, so %s is on %d.\n", port, want.name, at.Port)
		}
		chosen = append(chosen, at.Port)
	}
	return chosen, nil
}

func listen(port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// writeWhole writes a file so that whoever sees it sees all of it. It may hold passwords: others can't read it.
func writeWhole(path string, text []byte) error {
	part, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = part.Write(text)
	err = errors.Join(err, part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(part.Name()))
	}
	return nil
}
