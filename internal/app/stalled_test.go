package app_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// A caller who stops reading a stream holds a connection to the legacy for timeouts.stream, and no longer.
func TestACallerWhoStopsReadingGivesTheConnectionBack(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	noLeaks(t)
	const watch = "-- rpc: notes.v1.NoteService.WatchNotes\n-- name: notes :many\nSELECT n.id, n.body AS text, n.big FROM notes n\nORDER BY n.id;"
	n := startNotes(t, server, "max_open: 8", "max_open: 1", "max: 30s}", "max: 30s, stream: 2s}", "queue_timeout: 500ms", "queue_timeout: 50ms",
		watch, strings.NewReplacer( // more than sockets hold, by far
			"n.body AS", "REPEAT('x', 10000) AS", "notes n\nORDER BY n.id", "notes n, notes a, notes b, notes c, notes d, notes e, notes f, notes g, notes h",
		).Replace(watch))
	for _, transport := range []struct {
		name string
		hold func(t *testing.T)
	}{
		{"rest", func(t *testing.T) {
			conn, err := net.Dial("tcp", n.REST)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			if _, err := io.WriteString(conn, "GET /v1/notes:watch HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}},
		{"grpc", func(t *testing.T) {
			op := n.Project.Contract.Operation("notes.v1.NoteService.WatchNotes")
			stream, err := n.Conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, op.FullMethod)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(dynamicpb.NewMessage(op.Input)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(transport.name, func(t *testing.T) {
			transport.hold(t)
			apptest.Poll(t, "the only connection is held", func() error {
				if code, body, err := n.rest(t.Context(), "GET", "/v1/notes/1", ""); code != 429 || err != nil {
					return fmt.Errorf("%d %s %w", code, body, err)
				}
				return nil
			})
			apptest.Poll(t, "it comes back", func() error {
				if code, body, err := n.rest(t.Context(), "GET", "/v1/notes/1", ""); code != 200 || err != nil {
					return fmt.Errorf("%d %s %w", code, body, err)
				}
				return nil
			})
			ended := []string{`"operation":"notes.v1.NoteService.WatchNotes"`, `"transport":"` + transport.name + `"`}
			apptest.Poll(t, "the log says so", func() error {
				return n.LogLine(append(ended, `"code":"DEADLINE_EXCEEDED"`, "longer than 2s, which is the limit here")...)
			})
			if lines := strings.Count(n.Logs(), ended[0]+","+ended[1]); lines != 1 {
				t.Errorf("the stream has %d lines in the log", lines)
			}
		})
	}
}
