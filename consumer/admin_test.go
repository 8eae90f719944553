package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/internal/devstack"
	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
	"banyan.dev/banyan/protocol"
)

// people gives a client of a service's admin API.
func (s *service) people(t testing.TB, url string) consumerv1.ConsumerServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	if err := RegisterAdmin(server, Options{URL: url, Service: "things", Store: s.store, Apply: s.apply, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///things", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		if err := errors.Join(conn.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return consumerv1.NewConsumerServiceClient(conn)
}

// parks parks events n to m, under two keys by turns.
func (s *service) parks(t testing.TB, from, to int) {
	t.Helper()
	r := s.runner(t)
	for n := from; n <= to; n++ {
		id := fmt.Sprint("thing ", n)
		s.broken[id] = true
		if err := r.one(t.Context(), event(n, protocol.OriginLegacy, fmt.Sprint("c", n%2), id, fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPeopleSettleWhatIsParked(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		people := s.people(t, "")
		ctx := t.Context()
		s.parks(t, 1, 7)

		var all []*consumerv1.ParkedEvent
		for request := (&consumerv1.ListParkedRequest{PageSize: 3}); ; {
			page, err := people.ListParked(ctx, request)
			if err != nil || len(page.GetEvents()) > 3 {
				t.Fatalf("a page has %d: %v", len(page.GetEvents()), err)
			}
			all = append(all, page.GetEvents()...)
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				break
			}
		}
		if len(all) != 7 || all[2].GetKey() != "c1" || all[2].GetEntityId() != "thing 3" || all[2].GetEntity() != "test.Thing" || all[2].GetVersion() != version(3) ||
			all[0].GetReason() != "thing thing 1 is broken" || all[0].GetSize() == 0 || all[0].GetEvent() != "" || time.Since(all[0].GetParkedAt().AsTime()) > time.Hour {
			t.Errorf("parked are %v", all)
		}
		of, err := people.ListParked(ctx, &consumerv1.ListParkedRequest{Key: proto.String("c0")})
		if err != nil || len(of.GetEvents()) != 3 || of.GetNextPageToken() != "" {
			t.Errorf("of one key there are %v, %v", of, err)
		}
		if none, err := people.ListParked(ctx, &consumerv1.ListParkedRequest{Key: proto.String("")}); err != nil || len(none.GetEvents()) != 0 {
			t.Errorf("of the empty key there are %v, %v", none, err)
		}
		one, err := people.GetParked(ctx, &consumerv1.GetParkedRequest{Id: all[2].GetId()})
		var e protocol.EntityEvent
		if err != nil || json.Unmarshal([]byte(one.GetEvent()), &e) != nil || e.ID != "thing 3" || string(e.Data) != `"3"` || one.GetSize() != int64(len(one.GetEvent())) {
			t.Errorf("one is %v, %v", one, err)
		}

		// Of c1, 1 can be applied, and 3 not; nothing of c0.
		s.repair("thing 1")
		retried, err := people.RetryParked(ctx, &consumerv1.RetryParkedRequest{All: true})
		if err != nil || retried.GetApplied() != 1 || retried.GetLeft() != 6 || len(retried.GetStuck()) != 2 || !strings.Contains(retried.GetStuck()[0].GetReason(), "thing 2 is broken") {
			t.Errorf("a try gives %v, %v", retried, err)
		}
		s.repair("thing 3")
		retried, err = people.RetryParked(ctx, &consumerv1.RetryParkedRequest{Key: proto.String("c1")})
		if err != nil || retried.GetApplied() != 1 || retried.GetLeft() != 2 || s.body(t, "thing 3") != "3" {
			t.Errorf("a try of one key gives %v, %v", retried, err)
		}
		// What was not seen is kept.
		dropped, err := people.DropParked(ctx, &consumerv1.DropParkedRequest{Key: proto.String("c1"), Through: all[4].GetId()})
		if err != nil || dropped.GetDropped() != 1 {
			t.Errorf("dropped are %v, %v", dropped, err)
		}
		now, err := people.GetStatus(ctx, &consumerv1.GetStatusRequest{})
		if err != nil || now.GetParkedEvents() != 4 || now.GetParkedKeys() != 2 || now.GetParkedSince() == nil || now.GetService() != "things" || len(now.GetQueues()) != 0 ||
			now.GetCounters().GetRetried() != 2 || now.GetCounters().GetParked() != 7 {
			t.Errorf("the status is %v, %v", now, err)
		}
		for _, key := range []string{"c0", "c1"} {
			if _, err := people.DropParked(ctx, &consumerv1.DropParkedRequest{Key: &key}); err != nil {
				t.Error(err)
			}
		}
		if now, err = people.GetStatus(ctx, &consumerv1.GetStatusRequest{}); err != nil || now.GetParkedEvents() != 0 || now.GetParkedSince() != nil {
			t.Errorf("the status is %v, %v", now, err)
		}
		if retried, err = people.RetryParked(ctx, &consumerv1.RetryParkedRequest{All: true}); err != nil || retried.GetApplied() != 0 {
			t.Errorf("a try of nothing gives %v, %v", retried, err)
		}
	})
}

func TestPeopleAreToldWhatIsWrong(t *testing.T) {
	s := newService(t, file(t), StoreOptions{})
	people := s.people(t, "")
	ctx := t.Context()
	for name, c := range map[string]struct {
		call func() error
		want codes.Code
	}{
		"no such event": {func() error { _, err := people.GetParked(ctx, &consumerv1.GetParkedRequest{Id: 5}); return err }, codes.NotFound},
		"a negative page": {func() error {
			_, err := people.ListParked(ctx, &consumerv1.ListParkedRequest{PageSize: -1})
			return err
		}, codes.InvalidArgument},
		"a token of somebody's": {func() error {
			_, err := people.ListParked(ctx, &consumerv1.ListParkedRequest{PageToken: "YWZ0ZXIgMDE"})
			return err
		}, codes.InvalidArgument},
		"a token that is none": {func() error {
			_, err := people.ListParked(ctx, &consumerv1.ListParkedRequest{PageToken: "%"})
			return err
		}, codes.InvalidArgument},
		"a try of nothing": {func() error { _, err := people.RetryParked(ctx, &consumerv1.RetryParkedRequest{}); return err }, codes.InvalidArgument},
		"a try of one and all": {func() error {
			_, err := people.RetryParked(ctx, &consumerv1.RetryParkedRequest{Key: proto.String("c"), All: true})
			return err
		}, codes.InvalidArgument},
		"a try of a key with nothing": {func() error {
			_, err := people.RetryParked(ctx, &consumerv1.RetryParkedRequest{Key: proto.String("c")})
			return err
		}, codes.NotFound},
		"a drop through less than nothing": {func() error {
			_, err := people.DropParked(ctx, &consumerv1.DropParkedRequest{Key: proto.String("c1"), Through: -1})
			return err
		}, codes.InvalidArgument},
		"a drop of nothing": {func() error { _, err := people.DropParked(ctx, &consumerv1.DropParkedRequest{}); return err }, codes.InvalidArgument},
		"a drop of a key with nothing": {func() error {
			_, err := people.DropParked(ctx, &consumerv1.DropParkedRequest{Key: proto.String("")})
			return err
		}, codes.NotFound},
	} {
		if err := c.call(); status.Code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := people.GetStatus(ctx, &consumerv1.GetStatusRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without a database: %v", err)
	}
	if err := RegisterAdmin(grpc.NewServer(), Options{}); err == nil || !strings.Contains(err.Error(), "Store") {
		t.Errorf("without options: %v", err)
	}
}

// The status has what waits at the broker, also while nobody takes it, and what this process is at.
func TestStatusOfQueues(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	s := newService(t, file(t), StoreOptions{})
	people := s.people(t, url)
	get := func() *consumerv1.ServiceStatus {
		t.Helper()
		now, err := people.GetStatus(t.Context(), &consumerv1.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	if q := get().GetQueues(); len(q) != 0 {
		t.Errorf("before it is known how many there are, the queues are %v", q)
	}
	if _, err := s.store.queues(t.Context(), "things", 1); err != nil {
		t.Fatal(err)
	}
	if q := get().GetQueues(); len(q) != 1 || q[0].GetError() != "the queue is not there" {
		t.Errorf("before it is declared, the queues are %v", q)
	}
	stop := s.run(t, url)
	b := newBroker(t, url)
	b.bound(t)
	b.fence(t, protocol.Fence{ID: "1", Service: "things", Capability: "things", Epoch: 3})
	b.events(t, event(1, protocol.OriginLegacy, "c", "a", "1"), event(1, protocol.OriginLegacy, "c", "a", "1"))
	b.fence(t, protocol.Fence{ID: "2", Service: "things"})
	if now := get(); now.GetQueues()[0].GetConsumers() != 1 || !now.GetQueues()[0].GetDue() || now.GetProcesses() != 1 || now.GetCounters().GetApplied() != 1 ||
		now.GetCounters().GetIgnored() != 1 || now.GetCounters().GetFences() < 2 || len(now.GetEpochs()) != 1 || now.GetEpochs()[0].GetEpoch() != 3 {
		t.Errorf("the status is %v", now)
	}
	stop()
	old := message(protocol.TypeEntity, event(2, protocol.OriginLegacy, "c", "a", "2"))
	old.Timestamp = time.Now().Add(-time.Hour)
	b.send(t, old)
	eventually(t, func() error {
		if q := get().GetQueues()[0]; q.GetWaiting() != 1 || q.GetConsumers() != 0 {
			return fmt.Errorf("the queue is %v", q)
		}
		return nil
	})
	applying, apply := make(chan struct{}), make(chan struct{})
	s.start(t, url, 1, func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
		applying <- struct{}{}
		<-apply
		return s.apply(ctx, tx, e)
	})
	<-applying
	queues := s.store.Stats().Queues // the database is busy: the Store's own numbers need none
	if len(queues) != 1 || queues[0].Lag < 59*time.Minute || queues[0].Lag > 2*time.Hour {
		t.Errorf("while the event is applied, the queues are %v", queues)
	}
	close(apply)
	eventually(t, func() error {
		if q := get().GetQueues()[0]; q.GetLag().AsDuration() != 0 || q.GetWaiting() != 0 {
			return fmt.Errorf("the queue is %v", q)
		}
		return nil
	})
}

// Who gives a key's parked events up gives up those that were there, and none that is parked meanwhile: nobody has seen it.
func TestADropLeavesWhatComesMeanwhile(t *testing.T) {
	s := newService(t, file(t), StoreOptions{})
	s.parks(t, 1, 4)
	if _, err := s.db.ExecContext(t.Context(), `CREATE TRIGGER late AFTER DELETE ON banyan_parked WHEN OLD.seq = 1 BEGIN
		INSERT INTO banyan_parked ("key", entity, id, version, event, reason, at) VALUES (OLD."key", OLD.entity, 'late', OLD.version, OLD.event, 'late', 0); END`); err != nil {
		t.Fatal(err)
	}
	done, err := s.people(t, "").DropParked(t.Context(), &consumerv1.DropParkedRequest{Key: proto.String("c1")})
	if err != nil || done.GetDropped() != 2 {
		t.Errorf("%d are given up, %v", done.GetDropped(), err)
	}
	left, err := s.store.Parked(t.Context(), 4)
	if err != nil || len(left) != 1 || left[0].Reason != "late" {
		t.Errorf("left are %+v, %v", left, err)
	}
}
