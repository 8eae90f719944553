package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"banyan.dev/banyan/protocol"
)

func (s *service) runner(t testing.TB) *runner {
	t.Helper()
	o, err := Options{URL: "amqp://nowhere", Service: "things", Store: s.store, Apply: s.apply, Logger: slog.New(slog.DiscardHandler), Attempts: 2, Pause: time.Nanosecond}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &runner{Options: o}
}

// tryWrite makes a live write of one thing.
func (s *service) tryWrite(ctx context.Context, id string, epoch uint64, key, thing, body string) error {
	_, err := s.store.Write(ctx, "things", Tag{id, epoch}, wrapperspb.String(body), func(tx *sql.Tx) ([]EntityRef, error) {
		return []EntityRef{{Entity: "test.Thing", ID: thing, Key: key}}, s.set(ctx, tx, thing, body, false)
	})
	return err
}

func (s *service) write(t testing.TB, id string, epoch uint64, key, thing, body string) {
	t.Helper()
	if err := s.tryWrite(t.Context(), id, epoch, key, thing, body); err != nil {
		t.Fatal(err)
	}
}

// passed says whether a write was refused because its epoch has passed.
func passed(err error) bool { return reason(err) == "FailedPrecondition "+protocol.ReasonEpochPassed }

func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == protocol.ErrorDomain {
			return status.Code(err).String() + " " + info.GetReason()
		}
	}
	return status.Code(err).String()
}

func TestAWriteIsDoneOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		n := 0
		do := func(reply *wrapperspb.Int64Value, fail error) func(tx *sql.Tx) ([]EntityRef, error) {
			return func(tx *sql.Tx) ([]EntityRef, error) {
				n++
				reply.Value = int64(n)
				return []EntityRef{{Entity: "test.Thing", ID: "a", Key: "c"}}, errors.Join(s.set(t.Context(), tx, "a", fmt.Sprint(n), false), fail)
			}
		}
		refused := status.Error(codes.InvalidArgument, "no")
		reply := &wrapperspb.Int64Value{}
		if _, err := s.store.Write(t.Context(), "things", Tag{"1", 7}, reply, func(tx *sql.Tx) ([]EntityRef, error) {
			_, _ = do(reply, nil)(tx)
			return nil, refused
		}); status.Code(err) != codes.InvalidArgument || s.body(t, "a") != "" {
			t.Errorf("a refused write gave %v and left %q", err, s.body(t, "a"))
		}
		for i := range 3 {
			reply := &wrapperspb.Int64Value{Value: 99}
			replayed, err := s.store.Write(t.Context(), "things", Tag{"1", 7}, reply, do(reply, nil))
			if err != nil || replayed != (i > 0) || reply.GetValue() != 2 || s.body(t, "a") != "2" {
				t.Errorf("try %d: replayed %v, reply %v, %v", i, replayed, reply, err)
			}
		}
		// A known write is replayed under whatever epoch; an unknown one is not done.
		if _, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: "f", Capability: "things", Epoch: 8}); err != nil {
			t.Fatal(err)
		}
		if replayed, err := s.store.Write(t.Context(), "things", Tag{"1", 7}, reply, do(reply, nil)); err != nil || !replayed {
			t.Errorf("replayed %v, %v", replayed, err)
		}
		if _, err := s.store.Write(t.Context(), "things", Tag{"2", 7}, reply, do(reply, nil)); !passed(err) {
			t.Errorf("got %v", err)
		}
		if _, err := s.store.Write(t.Context(), "others", Tag{"3", 7}, reply, do(reply, nil)); err != nil {
			t.Errorf("another capability: %v", err)
		}
		if _, err := s.store.Write(t.Context(), "others", Tag{"1", 9}, reply, do(reply, nil)); reason(err) != "InvalidArgument BANYAN_TAG_INVALID" {
			t.Errorf("an id of another capability gives %v", err)
		}
		// Of several entities only one could be brought back.
		two := func(tx *sql.Tx) ([]EntityRef, error) {
			return []EntityRef{{Entity: "test.Thing", ID: "a", Key: "c"}, {Entity: "test.Thing", ID: "b", Key: "c"}}, s.set(t.Context(), tx, "b", "two", false)
		}
		if _, err := s.store.Write(t.Context(), "things", Tag{"4", 9}, reply, two); reason(err) != "Unimplemented BANYAN_SEVERAL_ENTITIES" || s.body(t, "b") != "" {
			t.Errorf("a write of several gives %v, and left %q", err, s.body(t, "b"))
		}
		// Without a tag it is the service's own affair, and is local all the same.
		if _, err := s.store.Write(t.Context(), "things", Tag{}, reply, do(reply, nil)); err != nil {
			t.Error(err)
		}
		only := NewStore(s.db, StoreOptions{TagsOnly: true, Dialect: s.at.dialect})
		if _, err := only.Write(t.Context(), "things", Tag{}, reply, do(reply, nil)); reason(err) != "FailedPrecondition BANYAN_TAG_MISSING" {
			t.Errorf("got %v", err)
		}
		// What the database can't do now may be tried again.
		if _, err := s.store.Write(t.Context(), "things", Tag{"4", 9}, reply, do(reply, sql.ErrConnDone)); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}

// The second try of a write waits for the first, and then has its reply.
func TestTriesOfOneWriteTakeTurns(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		synctest.Test(t, func(t *testing.T) {
			var turns turns
			done, err := turns.take(t.Context(), "1")
			if err != nil {
				t.Fatal(err)
			}
			if other, err := turns.take(t.Context(), "2"); err != nil {
				t.Error(err)
			} else {
				other()
			}
			late, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := turns.take(late, "1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			second := false
			go func() {
				done, err := turns.take(t.Context(), "1")
				if err != nil {
					t.Error(err)
				}
				second = true
				done()
			}()
			synctest.Wait()
			if second {
				t.Error("both had the turn")
			}
			done()
			synctest.Wait()
			if !second || len(turns.held) != 0 {
				t.Error("the second never had its turn, or kept it")
			}
		})
		s := newService(t, empty(t), StoreOptions{})
		s.write(t, "1", 3, "c", "a", "x")
		reply := wrapperspb.String("")
		done, replayed, err := s.store.Turn(t.Context(), "things", Tag{"1", 3}, reply)
		if err != nil || !replayed || reply.GetValue() != "x" {
			t.Fatalf("replayed %v: %v, %v", replayed, reply, err)
		}
		done()
		if _, _, err := s.store.Turn(t.Context(), "others", Tag{"1", 3}, reply); status.Code(err) != codes.InvalidArgument {
			t.Errorf("got %v", err)
		}
		if done, replayed, err = s.store.Turn(t.Context(), "things", Tag{}, reply); err != nil || replayed {
			t.Errorf("without a tag: %v, %v", replayed, err)
		}
		done()
	})
}

func TestTagsAreReadFromMetadata(t *testing.T) {
	for _, c := range []struct {
		pairs []string
		want  Tag
		code  codes.Code
	}{
		{nil, Tag{}, codes.OK},
		{[]string{"banyan-write", "w", "banyan-epoch", "12"}, Tag{"w", 12}, codes.OK},
		{[]string{"banyan-write", "w"}, Tag{}, codes.InvalidArgument},
		{[]string{"banyan-epoch", "1"}, Tag{}, codes.InvalidArgument},
		{[]string{"banyan-write", "w", "banyan-write", "v", "banyan-epoch", "1"}, Tag{}, codes.InvalidArgument},
		{[]string{"banyan-write", "w", "banyan-epoch", "-1"}, Tag{}, codes.InvalidArgument},
		{[]string{"banyan-write", "w", "banyan-epoch", "9223372036854775808"}, Tag{}, codes.InvalidArgument},
		{[]string{"banyan-write", "", "banyan-epoch", "1"}, Tag{}, codes.InvalidArgument},
	} {
		got, err := FromContext(metadata.NewIncomingContext(t.Context(), metadata.Pairs(c.pairs...)))
		if got != c.want || status.Code(err) != c.code {
			t.Errorf("%v gives %+v and %v", c.pairs, got, err)
		}
	}
	if got, err := FromContext(t.Context()); got != (Tag{}) || err != nil {
		t.Errorf("without metadata: %+v, %v", got, err)
	}
}

// No write of an older epoch is committed after the fence, and none that was before is missing in its answer.
func TestEpochsAndConcurrentWrites(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		path := empty(t)
		s, other := newService(t, path, StoreOptions{}), newService(t, path, StoreOptions{})
		var void []string
		for i := range 200 {
			void = append(void, fmt.Sprint("w", i))
		}
		results := make([]error, len(void))
		half := make(chan struct{})
		var writers sync.WaitGroup
		for part := range 4 {
			writers.Go(func() {
				store := []*service{s, other}[part%2]
				for i := part; i < len(void); i += 4 {
					results[i] = store.tryWrite(t.Context(), void[i], 5, "c", void[i], "x")
					if i == len(void)/2 {
						close(half)
					}
				}
			})
		}
		<-half
		answer, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: "f", Capability: "things", Epoch: 6, Void: void})
		if err != nil {
			t.Fatal(err)
		}
		writers.Wait()
		for i, err := range results {
			_, told := answer.Committed[void[i]]
			if (err == nil) != told || err != nil && !passed(err) {
				t.Errorf("write %s gave %v, and the answer has it: %v", void[i], err, told)
			}
		}
		if len(answer.Committed) == 0 {
			t.Error("no write was before the fence")
		}
	})
}

func TestOldWritesAreSwept(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s := newService(t, empty(t), StoreOptions{Now: func() time.Time { return now }})
		r, n := s.runner(t), 0
		hear := func(long time.Duration) { // an event each half hour
			t.Helper()
			for end := now.Add(long); now.Before(end); now = now.Add(30 * time.Minute) {
				n++
				if err := r.one(t.Context(), event(n, protocol.OriginLegacy, "c", "b", "x")); err != nil {
					t.Fatal(err)
				}
			}
		}
		swept := func(want int) {
			t.Helper()
			if n, err := s.store.Sweep(t.Context()); n != want || err != nil {
				t.Errorf("%d were swept, want %d, %v", n, want, err)
			}
		}
		swept(0)
		hear(time.Hour)
		for i := range sweepBatch + 20 {
			s.write(t, fmt.Sprint(i), 1, "c", "a", "x")
		}
		hear(6 * 24 * time.Hour)
		s.write(t, "late", 1, "c", "a", "x")
		swept(0)
		hear(2 * 24 * time.Hour)
		swept(sweepBatch + 20)
	})
}

// Of a void write a service may learn only when it, the broker or the mirror is back, however long that takes.
func TestTimeWithoutMessagesDoesNotMakeWritesOld(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s := newService(t, empty(t), StoreOptions{Now: func() time.Time { return now }})
		if err := s.runner(t).one(t.Context(), event(1, protocol.OriginLegacy, "c", "b", "x")); err != nil {
			t.Fatal(err)
		}
		s.write(t, "w1", 1, "c", "a", "x")
		now = now.Add(2 * time.Hour)
		s.write(t, "w2", 1, "c", "b", "x")
		now = now.Add(30 * 24 * time.Hour)
		for i, void := range []string{"w1", "w2"} { // they are told some at a time
			if n, err := s.store.Sweep(t.Context()); n != 0 || err != nil {
				t.Errorf("%d were swept, %v", n, err)
			}
			a, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: fmt.Sprint(i), Capability: "things", Epoch: 2, Void: []string{void}})
			if err != nil || len(a.Committed[void]) != 1 {
				t.Errorf("of %s it says %+v, %v", void, a, err)
			}
			now = now.Add(time.Minute)
		}
		// One that was asked for is kept as long again: the answer may be lost.
		for i := range 2 * 24 * 8 {
			now = now.Add(30 * time.Minute)
			if i == 24*10 {
				if _, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: "again", Void: []string{"w2"}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.runner(t).one(t.Context(), event(2+i, protocol.OriginLegacy, "c", "b", "x")); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.store.Sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("%d were swept, %v", n, err)
		}
		if a, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: "last", Void: []string{"w1", "w2"}}); err != nil || len(a.Committed) != 1 || len(a.Committed["w2"]) != 1 {
			t.Errorf("it says %+v, %v", a, err)
		}
	})
}

// What was kept before there was such a clock is not old either, nor is what was written before any message.
func TestWritesBeforeTheFirstMessageAreNotOld(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		for _, older := range []bool{true, false} {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			s := newService(t, empty(t), StoreOptions{Now: func() time.Time { return now }})
			s.write(t, "w", 1, "c", "a", "x")
			if older && s.at.dialect != SQLite {
				continue // only that has older tables
			}
			if older {
				for _, statement := range []string{
					"ALTER TABLE banyan_schema DROP COLUMN heard", "ALTER TABLE banyan_schema DROP COLUMN silent", "ALTER TABLE banyan_entities DROP COLUMN local_by",
					"DROP TABLE banyan_queues", "DROP TABLE banyan_members", "DROP TABLE banyan_back", "UPDATE banyan_schema SET version = 2",
				} {
					if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.store.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(30 * 24 * time.Hour)
			for i := range 2 {
				if n, err := s.store.Sweep(t.Context()); n != 0 || err != nil {
					t.Errorf("%d were swept, %v", n, err)
				}
				if a, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: fmt.Sprint(i), Void: []string{"w"}}); err != nil || len(a.Committed) != 1 {
					t.Errorf("it says %+v, %v", a, err)
				}
			}
		}
	})
}
