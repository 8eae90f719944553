package boxes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "modernc.org/sqlite" // the service's own database

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
)

// Options say how the service runs.
type Options struct {
	// Listen is where it takes calls, Database the path of its file, Broker the AMQP URL.
	Listen, Database, Broker string
	// Queues is how many it shares its events among; 0 is one.
	Queues int
	// Delay is the longest that it waits, by chance, before it answers a call; it has done what was asked by then.
	Delay time.Duration
	// Begun is called before each write is done, Held before it is answered; nil: nothing is.
	Begun, Held func(ctx context.Context)
	// Stubborn goes on with a write whose caller has gone. AnyEpoch takes writes of all epochs, which no service may.
	Stubborn, AnyEpoch bool
	// Refuse says why an event can't be applied; nil: all can.
	Refuse func(protocol.EntityEvent) error
	// Lag is how long each event takes.
	Lag    time.Duration
	Logger *slog.Logger
}

// Service is the new implementation of boxes.v1.BoxService.
type Service struct {
	options  Options
	contract *contract.Contract
	db       *sql.DB
	store    *consumer.Store
	hurried  atomic.Bool
}

// Open opens the database, and makes it where there is none.
func Open(ctx context.Context, o Options) (*Service, error) {
	files, err := Files()
	if err != nil {
		return nil, fmt.Errorf("read the project: %w", err)
	}
	c, faults := contract.Load(ctx, []contract.Root{{Name: "contract", FS: sub(files)}})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	s := &Service{options: o, contract: c}
	if s.db, err = sql.Open("sqlite", "file:"+o.Database+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Database, err)
	}
	s.store = consumer.NewStore(s.db, consumer.StoreOptions{})
	if err := s.store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	for _, make := range []string{
		"CREATE TABLE IF NOT EXISTS boxes (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL)",
		"CREATE TABLE IF NOT EXISTS things (seq INTEGER PRIMARY KEY AUTOINCREMENT, box INTEGER NOT NULL, thing TEXT NOT NULL)",
		"CREATE INDEX IF NOT EXISTS things_of ON things (box, seq)",
	} {
		if _, err := s.db.ExecContext(ctx, make); err != nil {
			return nil, errors.Join(fmt.Errorf("make the tables: %w", err), s.db.Close())
		}
	}
	return s, nil
}

// Hurry ends the lag, so that what has gathered is applied.
func (s *Service) Hurry() { s.hurried.Store(true) }

// Close closes the database.
func (s *Service) Close() error { return s.db.Close() }

// Contents gives the things that it has of each box.
func (s *Service) Contents(ctx context.Context) (map[int64][]string, error) {
	return Contents(ctx, s.db)
}

// Contents gives the things of each box in a database, legacy's or the service's, in their order.
func Contents(ctx context.Context, db *sql.DB) (map[int64][]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT b.id, COALESCE(t.thing, '') FROM boxes b LEFT JOIN things t ON t.box = b.id ORDER BY b.id, t.seq")
	if err != nil {
		return nil, fmt.Errorf("look into the boxes: %w", err)
	}
	defer rows.Close()
	out := map[int64][]string{}
	for rows.Next() {
		var id int64
		var thing string
		if err := rows.Scan(&id, &thing); err != nil {
			return nil, fmt.Errorf("look into the boxes: %w", err)
		}
		if out[id] == nil {
			out[id] = []string{}
		}
		if thing != "" {
			out[id] = append(out[id], thing)
		}
	}
	return out, rows.Err()
}

// Serve takes calls and events until ctx ends.
func (s *Service) Serve(ctx context.Context) error {
	on, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(s.handle))
	if err := consumer.RegisterAdmin(server, s.consuming()); err != nil {
		return errors.Join(err, on.Close())
	}
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(on) }()
	err = consumer.Run(ctx, s.consuming())
	server.Stop()
	return errors.Join(err, <-failed)
}

func (s *Service) consuming() consumer.Options {
	return consumer.Options{URL: s.options.Broker, Service: "boxes", Queues: s.options.Queues, Store: s.store, Apply: s.apply, Logger: s.options.Logger}
}

func (s *Service) box() *dynamicpb.Message {
	return dynamicpb.NewMessage(s.contract.Message("boxes.v1.Box"))
}

func field(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

func (s *Service) apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	if !s.hurried.Load() {
		rest(ctx, s.options.Lag)
	}
	if s.options.Refuse != nil {
		if err := s.options.Refuse(e); err != nil {
			return err
		}
	}
	if e.Deleted {
		return clearBox(ctx, tx, e.ID)
	}
	box := s.box()
	if err := consumer.Message(e, box); err != nil {
		return err
	}
	have, err := Column[string](ctx, tx, "SELECT thing FROM things WHERE box = ? ORDER BY seq", e.ID)
	if err != nil {
		return err
	}
	list := field(box, "things").List()
	want := make([]string, list.Len())
	for i := range want {
		want[i] = list.Get(i).String()
	}
	if len(have) > len(want) || !slices.Equal(have, want[:len(have)]) { // mostly things were added only
		if err := clearBox(ctx, tx, e.ID); err != nil {
			return err
		}
		have = nil
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO boxes (id, owner) VALUES (?, ?)", field(box, "id").Int(), field(box, "owner").Int()); err != nil {
		return err
	}
	for _, thing := range want[len(have):] {
		if _, err := tx.ExecContext(ctx, "INSERT INTO things (box, thing) VALUES (?, ?)", e.ID, thing); err != nil {
			return err
		}
	}
	return nil
}

func clearBox(ctx context.Context, tx *sql.Tx, id string) error {
	for _, clear := range []string{"DELETE FROM things WHERE box = ?", "DELETE FROM boxes WHERE id = ?"} {
		if _, err := tx.ExecContext(ctx, clear, id); err != nil {
			return err
		}
	}
	return nil
}

// Column gives the one column of a query.
func Column[T any](ctx context.Context, from Querier, query string, args ...any) (out []T, err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// handle answers both operations.
func (s *Service) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	reply := s.box()
	var err error
	switch method {
	case "/boxes.v1.BoxService/GetBox":
		request := dynamicpb.NewMessage(s.contract.Message("boxes.v1.GetBoxRequest"))
		if err = stream.RecvMsg(request); err == nil {
			err = s.read(stream.Context(), s.db, field(request, "id").Int(), reply)
		}
	case "/boxes.v1.BoxService/PutIn":
		request := dynamicpb.NewMessage(s.contract.Message("boxes.v1.PutInRequest"))
		if err = stream.RecvMsg(request); err == nil {
			err = s.put(stream.Context(), field(request, "id").Int(), field(request, "thing").String(), reply)
			if s.options.Held != nil {
				s.options.Held(stream.Context())
			}
		}
	default:
		err = status.Errorf(codes.Unimplemented, "there is no method %s", method)
	}
	if s.options.Delay > 0 {
		rest(stream.Context(), rand.N(s.options.Delay)) //nolint:gosec // a chance, not a secret
	}
	if err != nil {
		return err
	}
	return stream.SendMsg(reply)
}

func (s *Service) put(ctx context.Context, id int64, thing string, reply *dynamicpb.Message) error {
	tag, err := consumer.FromContext(ctx)
	if err != nil {
		return err
	}
	if s.options.Begun != nil {
		s.options.Begun(ctx)
	}
	if s.options.AnyEpoch {
		tag.Epoch = math.MaxInt64
	}
	if s.options.Stubborn {
		ctx = context.WithoutCancel(ctx)
	}
	_, err = s.store.Write(ctx, "boxes", tag, reply, func(tx *sql.Tx) ([]consumer.EntityRef, error) {
		if _, err := tx.ExecContext(ctx, "INSERT INTO things (box, thing) VALUES (?, ?)", id, thing); err != nil {
			return nil, err
		}
		if err := s.read(ctx, tx, id, reply); err != nil {
			return nil, err
		}
		return []consumer.EntityRef{{Entity: "boxes.v1.Box", ID: strconv.FormatInt(id, 10), Key: strconv.FormatInt(field(reply, "owner").Int(), 10)}}, nil
	})
	return err
}

// Querier is a database or a transaction.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// read fills a box.
func (s *Service) read(ctx context.Context, from Querier, id int64, into *dynamicpb.Message) error {
	var owner int64
	err := from.QueryRowContext(ctx, "SELECT owner FROM boxes WHERE id = ?", id).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return status.Errorf(codes.NotFound, "there is no box %d", id)
	}
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	all, err := Column[string](ctx, from, "SELECT thing FROM things WHERE box = ? ORDER BY seq", id)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	proto.Reset(into)
	fields := into.Descriptor().Fields()
	into.Set(fields.ByName("id"), protoreflect.ValueOfInt64(id))
	into.Set(fields.ByName("owner"), protoreflect.ValueOfInt64(owner))
	things := into.Mutable(fields.ByName("things")).List()
	for _, thing := range all {
		things.Append(protoreflect.ValueOfString(thing))
	}
	return nil
}
