package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// Request is an HTTP request.
type Request struct {
	Method, Path string
	// Body is JSON; empty for none.
	Body []byte
}

// HTTP makes n workers that ask the server at addr, each over a connection of its own (HTTP/1.1, kept alive). next
// gives the next request; it is called by all workers at once.
func HTTP(ctx context.Context, addr string, n int, next func() (Request, error)) ([]Worker, error) {
	var dialer net.Dialer
	workers := make([]Worker, n)
	for i := range workers {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", addr, err)
		}
		workers[i] = &httpWorker{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), addr: addr, next: next}
	}
	return workers, nil
}

type httpWorker struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	addr string
	next func() (Request, error)
}

func (w *httpWorker) Do(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	request, err := w.next()
	if err != nil {
		return err
	}
	w.out = w.write(w.out[:0], request)
	if _, err := w.conn.Write(w.out); err != nil {
		return fmt.Errorf("ask %s: %w", w.addr, err)
	}
	reply, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return fmt.Errorf("read a reply of %s: %w", w.addr, err)
	}
	defer reply.Body.Close() //nolint:errcheck // all of it is read
	if reply.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(reply.Body) // what there is of it is shown
		return fmt.Errorf("%s %s: %s: %s", request.Method, request.Path, reply.Status, text)
	}
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return fmt.Errorf("read a reply of %s: %w", w.addr, err)
	}
	return nil
}

// write appends the request as it goes over the connection.
func (w *httpWorker) write(b []byte, r Request) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, w.addr...)
	b = append(b, "\r\nAccept: application/json\r\n"...)
	if len(r.Body) > 0 {
		b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, r.Body...)
}

func (w *httpWorker) Close() error { return w.conn.Close() }
