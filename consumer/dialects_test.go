package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// Many processes start at once, and the tables are made once.
func TestTablesAreMadeByManyAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		at := empty(t)
		var starting sync.WaitGroup
		for range 8 {
			db, err := sql.Open(at.driver, at.dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			starting.Go(func() {
				if err := NewStore(db, StoreOptions{Dialect: at.dialect}).Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		s := newService(t, at, StoreOptions{})
		var rows int
		if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM banyan_schema WHERE version = 5").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("the version is there %d times, %v", rows, err)
		}
		if _, err := s.db.ExecContext(t.Context(), "UPDATE banyan_schema SET version = 99"); err != nil {
			t.Fatal(err)
		}
		if err := s.store.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "newer service") {
			t.Errorf("tables of a newer service give %v", err)
		}
	})
}

func TestTheDialectIsAskedFor(t *testing.T) {
	s := NewStore(newService(t, file(t), StoreOptions{}).db, StoreOptions{Dialect: 9})
	if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "dialect 9") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Write(t.Context(), "things", Tag{}, nil, nil); err == nil {
		t.Error("it writes all the same")
	}
}

// What is read behind the lock is what was committed before it: nobody's change is lost.
func TestTransactionsReadWhatWasCommittedBefore(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		at := empty(t)
		const processes, times = 4, 30
		var counting sync.WaitGroup
		all := make(chan struct{}) // closed once all are there, so that they meet
		for range processes {
			s := newService(t, at, StoreOptions{})
			counting.Go(func() {
				<-all
				for range times {
					if err := s.store.within(t.Context(), func(tx *sql.Tx) error {
						var n int
						err := tx.QueryRowContext(t.Context(), "SELECT COALESCE((SELECT body FROM things WHERE id = 'n'), '0')").Scan(&n)
						if err != nil {
							return err
						}
						return s.set(t.Context(), tx, "n", strconv.Itoa(n+1), false)
					}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		close(all)
		counting.Wait()
		if got := newService(t, at, StoreOptions{}).body(t, "n"); got != strconv.Itoa(processes*times) {
			t.Errorf("counted to %s, want %d", got, processes*times)
		}
	})
}

// Ids, keys and versions are compared byte by byte.
func TestNamesAreComparedByBytes(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		ignored := func(context.Context, *sql.Tx, protocol.EntityEvent) error { return errors.New("no") }
		r := s.runner(t)
		r.Apply = ignored
		names := []string{"", "A", "a", "a ", "a\t", "á", "ä", "z", "ß", "ss", "日本", strings.Repeat("x", longestName)}
		slices.Sort(names)
		for i, name := range names {
			e := event(i+1, protocol.OriginLegacy, name, "id"+name, "x")
			if name == names[len(names)-1] || len(name) == longestName {
				e.ID = name
			}
			if err := r.one(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := s.store.ParkedKeys(t.Context(), "", 100)
		if err != nil || !reflect.DeepEqual(keys, names[1:]) {
			t.Errorf("parked are %q, %v", keys, err)
		}
		for _, name := range names {
			if left, err := s.store.RetryParked(t.Context(), name, s.ignore); left != 0 || err != nil {
				t.Errorf("key %q: %d are left, %v", name, left, err)
			}
		}
		var rows int
		if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM banyan_entities").Scan(&rows); err != nil || rows != len(names) {
			t.Errorf("%d of %d entities are known, %v", rows, len(names), err)
		}
	})
}

func (s *service) ignore(context.Context, *sql.Tx, protocol.EntityEvent) error { return nil }

// What a database can't keep as a name is refused before it is asked; everything else of an event is kept as it is.
func TestWhatADatabaseCantKeep(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		long := event(1, protocol.OriginLegacy, "c", strings.Repeat("é", longestName/2)+"x", "x")
		zero := event(1, protocol.OriginLegacy, "c", "a\x00b", "x")
		if got, want := s.store.fits(long) != nil, s.at.dialect != SQLite; got != want {
			t.Errorf("an id that is too long is refused: %v", got)
		}
		if got, want := s.store.fits(zero) != nil, s.at.dialect == PostgreSQL; got != want {
			t.Errorf("an id with a zero byte is refused: %v", got)
		}
		_, err := s.store.Write(t.Context(), "things", Tag{"w", 1}, wrapperspb.String(""), func(*sql.Tx) ([]EntityRef, error) {
			return []EntityRef{{Entity: "test.Thing", ID: zero.ID, Key: "c"}}, nil
		})
		if refused := reason(err) == "InvalidArgument BANYAN_NAME_REFUSED"; refused != (s.at.dialect == PostgreSQL) || err != nil && !refused {
			t.Errorf("a write of it gives %v", err)
		}
		e := event(2, protocol.OriginLegacy, "c", "a", "x")
		e.Data = []byte(`"a\u0000b 日本 \ud83d\ude00"`)
		r := s.runner(t)
		r.Apply = func(context.Context, *sql.Tx, protocol.EntityEvent) error {
			return errors.New("no\x00, \xff, " + strings.Repeat("ü", longestReason))
		}
		if err := r.one(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		parked, err := s.store.Parked(t.Context(), 0)
		if err != nil || len(parked) != 1 || string(parked[0].Event.Data) != string(e.Data) || !strings.HasPrefix(parked[0].Reason, "no\uFFFD, \uFFFD, ü") || len(parked[0].Reason) > longestReason+10 {
			t.Errorf("parked are %d, %v", len(parked), err)
		}
	})
}

// An Apply that passes over an error of its database is at fault, also where the transaction can't go on.
func TestAnErrorThatApplyKeepsToItselfIsItsFault(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r := s.runner(t)
		r.Apply = func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
			if e.ID == "swallowed" {
				_, _ = tx.ExecContext(ctx, "SELECT nothing FROM nowhere")
				return nil
			}
			_, err := tx.ExecContext(ctx, s.at.spelled("INSERT INTO things VALUES (?, ?)"), "same", "x")
			return err
		}
		for i, id := range []string{"first", "duplicate", "swallowed"} {
			if err := r.one(t.Context(), event(i+1, protocol.OriginLegacy, id, id, "x")); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"duplicate"}
		if s.at.dialect == PostgreSQL {
			want = append(want, "swallowed")
		}
		if keys, err := s.store.ParkedKeys(t.Context(), "", 10); err != nil || !slices.Equal(keys, want) {
			t.Errorf("parked are %v, %v", keys, err)
		}
	})
}

// Whose fault an error of a server is. The errors are the drivers'.
func TestWhoIsToBlameOnServers(t *testing.T) {
	my := func(number uint16) error { return &driver.MySQLError{Number: number, Message: "m"} }
	pg := func(code string) error { return &pgconn.PgError{Code: code} }
	applied := func(err error) error { return fmt.Errorf("event: %w", &applyError{fmt.Errorf("set: %w", err)}) }
	for _, c := range []struct {
		dialect Dialect
		err     error
		want    bool
	}{
		{MySQL, applied(errors.New("unknown state")), true},
		{MySQL, applied(my(1062)), true},
		{MySQL, applied(my(1452)), true},
		{MySQL, applied(my(1406)), true},
		{MySQL, applied(errors.Join(errors.New("x"), my(1213))), false},
		{MySQL, applied(my(1205)), false},
		{MySQL, applied(my(1290)), false},
		{MySQL, applied(my(1053)), false},
		{MySQL, applied(my(3)), false}, // error writing a file: the disk is full
		{MySQL, applied(my(1024)), false},
		{MySQL, my(1062), false},
		{MySQL, errors.New("invalid connection"), false},
		{PostgreSQL, applied(errors.New("unknown state")), true},
		{PostgreSQL, applied(pg("23505")), true},
		{PostgreSQL, applied(pg("22001")), true},
		{PostgreSQL, pg("23503"), true}, // at the commit
		{PostgreSQL, pg("25P02"), true},
		{PostgreSQL, applied(pg("40P01")), false},
		{PostgreSQL, applied(pg("57P01")), false},
		{PostgreSQL, applied(pg("53100")), false},
		{PostgreSQL, applied(pg("25006")), false},
		{PostgreSQL, pg("42P01"), false},
	} {
		if got := NewStore(nil, StoreOptions{Dialect: c.dialect}).blames(c.err); got != c.want {
			t.Errorf("%v, %v: %v", c.dialect, c.err, got)
		}
	}
}

// killable is a server that a test may kill.
type killable interface {
	Kill()
	Restart(ctx context.Context) error
}

// A server that is killed while events are applied is none of their faults, and a write that was acknowledged is there afterwards.
func TestAServerThatIsKilledParksNothing(t *testing.T) {
	run := func(t *testing.T, at place, server killable) {
		s := newService(t, at, StoreOptions{})
		r := s.runner(t)
		r.Attempts = 1
		killed := make(chan struct{})
		r.Apply = func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
			select {
			case <-killed:
			default:
				server.Kill() // in the middle of a transaction
				close(killed)
			}
			return s.apply(ctx, tx, e)
		}
		s.write(t, "w", 3, "c", "b", "acknowledged")
		done := make(chan error, 1)
		go func() {
			done <- r.take(t.Context(), []protocol.EntityEvent{event(1, protocol.OriginLegacy, "c1", "a", "1")})
		}()
		<-killed
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error { // connections that are gone are noticed one by one
			reply := wrapperspb.String("")
			replayed, err := s.store.Write(t.Context(), "things", Tag{"w", 3}, reply, nil)
			if err == nil && (!replayed || reply.GetValue() != "acknowledged") {
				t.Errorf("the write is replayed: %v, %v", replayed, reply)
			}
			return err
		})
		if s.body(t, "a") != "1" || s.body(t, "b") != "acknowledged" || s.parkedKeys(t) != 0 {
			t.Errorf("things have %q and %q, %d keys are parked", s.body(t, "a"), s.body(t, "b"), s.parkedKeys(t))
		}
	}
	t.Run("mariadb", func(t *testing.T) {
		server := devstack.OwnMariaDB(t)
		run(t, place{MySQL, "mysql", server.NewSchema(t)}, server)
	})
	t.Run("postgresql", func(t *testing.T) {
		server := devstack.OwnPostgreSQL(t)
		run(t, place{PostgreSQL, "pgx", server.NewDatabase(t)}, server)
	})
}

// A connection that is lost in the middle of Apply is no fault of the event's, whatever the driver calls it.
func TestALostConnectionParksNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		if s.at.dialect == SQLite {
			t.Skip("it has none")
		}
		own, end := "SELECT CONNECTION_ID()", "KILL %d"
		if s.at.dialect == PostgreSQL {
			own, end = "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d, 10000)"
		}
		r, tries := s.runner(t), 0
		r.Attempts = 1
		r.Apply = func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
			if tries++; tries == 1 {
				var id int64
				if err := tx.QueryRowContext(ctx, own).Scan(&id); err != nil {
					return err
				}
				if _, err := s.db.ExecContext(ctx, fmt.Sprintf(end, id)); err != nil {
					t.Error(err)
				}
				_ = s.apply(ctx, tx, e) // what it says is hidden
				return errors.New("it went wrong")
			}
			return s.apply(ctx, tx, e)
		}
		if err := r.one(t.Context(), event(1, protocol.OriginLegacy, "c", "a", "1")); err != nil {
			t.Fatal(err)
		}
		if s.body(t, "a") != "1" || s.parkedKeys(t) != 0 || tries != 2 {
			t.Errorf("after %d tries, thing a has %q, %d keys are parked", tries, s.body(t, "a"), s.parkedKeys(t))
		}
	})
}
