package app_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "modernc.org/sqlite" // the new service's own database

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
)

// boxService is a new implementation of boxes.v1.BoxService on a database of its own, fed by Banyan.
type boxService struct {
	db       *sql.DB
	store    *consumer.Store
	contract *contract.Contract
	path     string
	url      string
	at       string // where it listens; kept over restarts

	server *grpc.Server
	cancel context.CancelFunc
	ran    sync.WaitGroup
	// slow is called in each write before it answers; it may be nil.
	slow func(ctx context.Context)
}

func newBoxService(t *testing.T, c *contract.Contract, url string) *boxService {
	t.Helper()
	s := &boxService{contract: c, url: url, path: filepath.Join(t.TempDir(), "boxes.db"), at: "127.0.0.1:0"}
	var err error
	if s.db, err = sql.Open("sqlite", "file:"+s.path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"); err != nil {
		t.Fatal(err)
	}
	s.store = consumer.NewStore(s.db, consumer.StoreOptions{})
	if err := s.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE boxes (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, things INTEGER NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	t.Cleanup(func() {
		s.stop()
		s.db.Close()
	})
	return s
}

// start lets it take calls and events.
func (s *boxService) start(t *testing.T) {
	t.Helper()
	on, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	s.at = on.Addr().String()
	s.server = grpc.NewServer(grpc.UnknownServiceHandler(s.handle))
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	server := s.server
	s.ran.Go(func() { _ = server.Serve(on) })
	s.ran.Go(func() {
		if err := consumer.Run(ctx, consumer.Options{URL: s.url, Service: "boxes", Store: s.store, Apply: s.apply, Logger: slog.New(slog.DiscardHandler)}); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the consumer ended with: %v", err)
		}
	})
}

// stop ends it at once, as a crash would, but for what its database has committed.
func (s *boxService) stop() {
	s.cancel()
	s.server.Stop()
	s.ran.Wait()
}

func (s *boxService) apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	if e.Deleted {
		_, err := tx.ExecContext(ctx, "DELETE FROM boxes WHERE id = ?", e.ID)
		return err
	}
	box := dynamicpb.NewMessage(s.contract.Message("boxes.v1.Box"))
	if err := protojson.Unmarshal(e.Data, box); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO boxes (id, owner, things) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, things = excluded.things",
		number(box, "id"), number(box, "owner"), number(box, "things"))
	return err
}

func number(m protoreflect.Message, field protoreflect.Name) int64 {
	return m.Get(m.Descriptor().Fields().ByName(field)).Int()
}

// handle answers both operations.
func (s *boxService) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	ctx := stream.Context()
	reply := dynamicpb.NewMessage(s.contract.Message("boxes.v1.Box"))
	switch method {
	case "/boxes.v1.BoxService/GetBox":
		request := dynamicpb.NewMessage(s.contract.Message("boxes.v1.GetBoxRequest"))
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		if err := s.read(ctx, s.db, number(request, "id"), reply); err != nil {
			return err
		}
	case "/boxes.v1.BoxService/AddThings":
		request := dynamicpb.NewMessage(s.contract.Message("boxes.v1.AddThingsRequest"))
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		if err := s.add(ctx, number(request, "id"), number(request, "things"), reply); err != nil {
			return err
		}
	default:
		return status.Errorf(codes.Unimplemented, "no such method: %s", method)
	}
	return stream.SendMsg(reply)
}

func (s *boxService) add(ctx context.Context, id, things int64, reply *dynamicpb.Message) error {
	tag, err := consumer.FromContext(ctx)
	if err != nil {
		return err
	}
	_, err = s.store.Write(ctx, "boxes", tag, reply, func(tx *sql.Tx) ([]consumer.EntityRef, error) {
		if _, err := tx.ExecContext(ctx, "UPDATE boxes SET things = things + ? WHERE id = ?", things, id); err != nil {
			return nil, err
		}
		if err := s.read(ctx, tx, id, reply); err != nil {
			return nil, err
		}
		return []consumer.EntityRef{{Entity: "boxes.v1.Box", ID: strconv.FormatInt(id, 10), Key: strconv.FormatInt(number(reply, "owner"), 10)}}, nil
	})
	if s.slow != nil {
		s.slow(ctx)
	}
	return err
}

type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *boxService) read(ctx context.Context, from asker, id int64, into *dynamicpb.Message) error {
	var owner, things int64
	err := from.QueryRowContext(ctx, "SELECT owner, things FROM boxes WHERE id = ?", id).Scan(&owner, &things)
	if errors.Is(err, sql.ErrNoRows) {
		return status.Errorf(codes.NotFound, "there is no box %d", id)
	}
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	proto.Reset(into)
	for name, v := range map[protoreflect.Name]int64{"id": id, "owner": owner, "things": things} {
		into.Set(into.Descriptor().Fields().ByName(name), protoreflect.ValueOfInt64(v))
	}
	return nil
}

// things gives what it has of each box.
func (s *boxService) things(t *testing.T) map[int64]int64 {
	t.Helper()
	return thingsIn(t, s.db)
}

func thingsIn(t *testing.T, db *sql.DB) map[int64]int64 {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT id, things FROM boxes")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]int64{}
	for rows.Next() {
		var id, n int64
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		out[id] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
