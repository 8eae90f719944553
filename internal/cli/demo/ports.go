package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// usualPorts are those of docs/config.md for REST, gRPC and admin.
func usualPorts() []int { return []int{8080, 9090, 9091} }

// choosePorts gives three ports of loopback that nobody listens on: the usual ones where they are free.
func choosePorts(anyFree bool) ([]int, error) {
	var out []int
	for _, port := range usualPorts() {
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
		defer l.Close() //nolint:errcheck // kept open until all three are chosen, so that they differ
		at, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("find a free port: the system gave something else")
		}
		out = append(out, at.Port)
	}
	return out, nil
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
