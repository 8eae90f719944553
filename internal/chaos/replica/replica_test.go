package replica_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/chaos/replica"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// scene is a schema that statements are run in, a server where it is rebuilt under the same name, and a consumer.
type scene struct {
	t        *testing.T
	schema   string
	original *sql.DB
	rebuilt  *sql.DB
	consumer *replica.Consumer
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dsn := devstack.MariaDB(t).NewSchema(t)
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, schema: config.DBName}
	if s.original, err = sql.Open("mysql", dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.original.Close() })
	other, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Kill(); other.Stop(t.Context()) })
	if s.rebuilt, err = replica.Open(other.DSN("")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.rebuilt.Close() })
	if s.consumer, err = replica.NewConsumer(t.Context(), s.rebuilt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.consumer.Close() })
	return s
}

// exec runs statements on the original, and leaves the schema as it is.
func (s *scene) exec(statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		if _, err := s.original.Exec(statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// event makes a delivery of the n-th transaction; what is in the body is as the mirror would write it.
func (s *scene) event(n uint64, row uint32, body string, args ...any) *replica.Delivery {
	v := change.Version{Epoch: 1, File: 1, Offset: 100 * n, Row: row, Cascade: strings.HasPrefix(body, `"op":"cascade"`)}
	id := fmt.Sprintf("0-1-%d:%d", n, row)
	if v.Cascade {
		id += "c"
	}
	text := fmt.Sprintf(body, args...)
	return &replica.Delivery{ID: id, Version: v.String(), Term: "1", Body: fmt.Appendf(nil,
		`{%s,"schema":%q,"version":%q,"origin":"foreign","committed":"2026-01-01T00:00:00Z","transaction":{"id":"0-1-%d","row":%d}}`, text, s.schema, v, n, row)}
}

func (s *scene) apply(deliveries ...*replica.Delivery) {
	s.t.Helper()
	for _, d := range deliveries {
		if err := s.consumer.Apply(s.t.Context(), d); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.consumer.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) compare() error {
	s.t.Helper()
	c, err := replica.Compare(s.t.Context(), s.original, s.rebuilt, s.schema, s.schema)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.Err()
}

func TestRowsAreRebuilt(t *testing.T) {
	s := newScene(t)
	const create = "CREATE TABLE t (id bigint unsigned PRIMARY KEY, name varchar(20) CHARACTER SET latin1, raw varbinary(9), at timestamp(3) NULL, amount decimal(9,2), bits bit(9), day date, f float)"
	const loose = "CREATE TABLE loose (a varchar(9) CHARACTER SET latin1, n int)"
	s.exec(create, loose,
		"SET STATEMENT time_zone = '+00:00' FOR INSERT INTO t VALUES (18446744073709551615, 'Zoë \\\\ \\'', x'00ff00', '2026-01-02 03:04:05.678', -1.50, b'100000001', '2026-02-03', 0.1), (2, '', x'', NULL, NULL, NULL, NULL, NULL)",
		"INSERT INTO loose VALUES ('a', 1), ('A', 1), ('a', 1)")
	s.apply(
		s.event(1, 1, `"op":"create","table":"t","statement":%q`, create),
		s.event(2, 1, `"op":"create","table":"loose","statement":%q`, loose),
		s.event(3, 1, `"op":"insert","table":"t","key":{"id":"1"},"after":{"id":"1","name":"x","raw":"","at":null,"amount":"0.00","bits":"0","day":null,"f":1}`),
		s.event(3, 2, `"op":"insert","table":"t","key":{"id":"3"},"after":{"id":"3","name":"x","raw":"","at":null,"amount":"0.00","bits":"0","day":null,"f":1}`),
		s.event(4, 2, `"op":"update","table":"t","key":{"id":"18446744073709551615"},"before":{"id":"1","name":"x","raw":"","at":null,"amount":"0.00","bits":"0","day":null,"f":1},"after":{"id":"18446744073709551615","name":"Zoë \\ '","raw":"AP8A","at":"2026-01-02T03:04:05.678Z","amount":"-1.50","bits":"257","day":"2026-02-03","f":0.1}`),
		s.event(5, 1, `"op":"delete","table":"t","key":{"id":"3"},"before":{"id":"3","name":"x","raw":"","at":null,"amount":"0.00","bits":"0","day":null,"f":1}`),
		s.event(6, 1, `"op":"insert","table":"t","key":{"id":"2"},"after":{"id":"2","name":"","raw":"","at":null,"amount":null,"bits":null,"day":null,"f":null}`),
		s.event(7, 1, `"op":"insert","table":"loose","after":{"a":"a","n":1}`),
		s.event(7, 2, `"op":"insert","table":"loose","after":{"a":"a","n":1}`),
		s.event(7, 3, `"op":"insert","table":"loose","after":{"a":"a","n":1}`),
		s.event(7, 4, `"op":"insert","table":"loose","after":{"a":"A","n":1}`),
		s.event(7, 5, `"op":"delete","table":"loose","before":{"a":"a","n":1}`),
	)
	if err := s.compare(); err != nil {
		t.Error(err)
	}
	if c := s.consumer.Counts(); c.Err() != nil || c.Events != 12 || c.Ops[change.Insert] != 7 || c.Transactions != 7 {
		t.Errorf("counted %+v", c)
	}
	s.exec("UPDATE t SET amount = 1 WHERE id = 2", "DELETE FROM loose WHERE a = 'a' LIMIT 1")
	if err := s.compare(); err == nil {
		t.Error("differences are not seen")
	} else {
		t.Log(err)
	}
}

func TestDisorderIsSeen(t *testing.T) {
	insert := `"op":"insert","table":"t","key":{"id":%d},"after":{"id":%d,"n":%d}`
	update := `"op":"update","table":"t","key":{"id":%d},"before":{"id":%[1]d,"n":%d},"after":{"id":%[1]d,"n":%d}`
	const create = "CREATE TABLE t (id int PRIMARY KEY, n int)"
	for _, test := range []struct {
		name string
		do   func(s *scene)
		want func(c replica.Counts) bool
	}{
		{"repeats", func(s *scene) {
			for range 2 {
				s.apply(s.event(2, 1, insert, 1, 1, 1), s.event(3, 1, update, 1, 1, 2), s.event(4, 1, insert, 2, 2, 2))
			}
		}, func(c replica.Counts) bool { return c.Err() == nil && c.Repeats == 3 && c.Events == 4 }},
		{"an older change of a key", func(s *scene) {
			s.apply(s.event(2, 1, insert, 1, 1, 1), s.event(4, 1, update, 1, 1, 3), s.event(3, 1, update, 1, 1, 2))
		}, func(c replica.Counts) bool { return c.OutOfOrder == 1 && c.Unordered == 0 }},
		{"a key that was changed away", func(s *scene) {
			s.apply(s.event(2, 1, insert, 1, 1, 1),
				s.event(4, 1, `"op":"update","table":"t","key":{"id":2},"before":{"id":1,"n":1},"after":{"id":2,"n":1}`),
				s.event(3, 1, update, 1, 1, 2))
		}, func(c replica.Counts) bool { return c.OutOfOrder == 1 }},
		{"a late change of another key", func(s *scene) {
			s.apply(s.event(2, 1, insert, 1, 1, 1), s.event(4, 1, update, 1, 1, 3), s.event(3, 1, insert, 2, 2, 2), s.event(3, 1, insert, 2, 2, 2))
		}, func(c replica.Counts) bool { return c.OutOfOrder == 0 && c.Unordered == 1 && c.Repeats == 1 }},
		{"another body", func(s *scene) {
			s.apply(s.event(2, 1, insert, 1, 1, 1), s.event(2, 1, insert, 1, 1, 2))
		}, func(c replica.Counts) bool { return c.Altered == 1 }},
		{"another id", func(s *scene) {
			other := s.event(2, 1, insert, 1, 1, 1)
			other.Body = []byte(strings.ReplaceAll(string(other.Body), "0-1-2", "0-2-2"))
			other.ID = "0-2-2:1"
			s.apply(s.event(2, 1, insert, 1, 1, 1), other)
		}, func(c replica.Counts) bool { return c.Altered == 1 }},
		{"a body of another version", func(s *scene) {
			wrong := s.event(2, 1, insert, 1, 1, 1)
			wrong.Version = s.event(3, 1, insert, 1, 1, 1).Version
			s.apply(wrong)
		}, func(c replica.Counts) bool { return c.Malformed == 1 }},
		{"an opaque change", func(s *scene) {
			s.apply(s.event(2, 1, `"op":"opaque","table":"","statement":"UPDATE t SET n = RAND()"`))
		}, func(c replica.Counts) bool { return c.Opaque == 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.apply(s.event(1, 1, `"op":"create","table":"t","statement":%q`, create))
			test.do(s)
			if c := s.consumer.Counts(); !test.want(c) {
				t.Errorf("counted %+v", c)
			}
		})
	}
}
