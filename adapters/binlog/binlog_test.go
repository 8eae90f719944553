package binlog_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// bench is a schema of a test on a server, with a source of its changes.
type bench struct {
	t      testing.TB
	schema string
	dsn    string
	db     *sql.DB
	source *binlog.Source
}

// onServers runs a test on each server.
func onServers(t *testing.T, test func(t *testing.T, b *bench, mariadb bool)) {
	t.Helper()
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			test(t, newBench(t, server.NewSchema(t)), server.Name == "mariadb")
		})
	}
}

func newBench(t testing.TB, dsn string) *bench {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, schema: config.DBName, dsn: dsn}
	b.db = openDB(t, dsn)
	b.source, err = binlog.New(binlog.Options{DSN: dsn, Scope: func(schema, _ string) bool { return schema == b.schema }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn+"?multiStatements=true&time_zone="+url.QueryEscape("'+00:00'"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (b *bench) exec(statements ...string) {
	b.t.Helper()
	for _, statement := range statements {
		if _, err := b.db.ExecContext(context.Background(), statement); err != nil {
			b.t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (b *bench) tail() change.Position {
	b.t.Helper()
	p, err := b.source.Tail(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) open(from change.Position) change.Stream {
	b.t.Helper()
	s, err := b.source.Open(b.t.Context(), from)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	return s
}

// since runs statements on one connection and gives what the log has of them as lines.
func (b *bench) since(statements ...string) []string {
	b.t.Helper()
	from := b.tail()
	b.session(statements...)
	return lines(b.read(from, b.tail()))
}

// session runs statements on one connection of their own.
func (b *bench) session(statements ...string) {
	b.t.Helper()
	db := openDB(b.t, b.dsn)
	defer db.Close()
	conn, err := db.Conn(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range statements {
		if err := decide(b.t.Context(), conn, statement); err != nil {
			b.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// decide runs a statement. What another session has prepared can be decided once the server has noticed that session's end.
func decide(ctx context.Context, conn *sql.Conn, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := conn.ExecContext(ctx, statement)
		var told *mysql.MySQLError
		const unknownXID = 1397
		if !errors.As(err, &told) || told.Number != unknownXID {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// in gives the bench to a part of the test.
func (b *bench) in(t testing.TB) *bench {
	c := *b
	c.t = t
	return &c
}

// happened is a copy of an event with its transaction, or where an End leads.
type happened struct {
	transaction change.Transaction
	line        string
	version     string
	next        change.Position
}

func lines(all []happened) []string {
	var texts []string
	for _, h := range all {
		if h.line != "" {
			texts = append(texts, h.line)
		}
	}
	return texts
}

// read reads from a position up to another.
func (b *bench) read(from, to change.Position) []happened {
	b.t.Helper()
	if from == to {
		return nil
	}
	s := b.open(from)
	defer s.Close()
	all, err := b.readStream(s, to)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func (b *bench) readStream(s change.Stream, to change.Position) ([]happened, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	var all []happened
	var now change.Transaction
	to = change.Position{Server: to.Server, File: to.File, Offset: to.Offset}
	for {
		event, err := s.Next(ctx)
		if err != nil {
			return all, err
		}
		switch e := event.(type) {
		case *change.Begin:
			now = e.Transaction
		case *change.Rows:
			for i, row := range e.Rows {
				n := e.First + uint32(i)
				line := string(e.Op) + " " + e.Table.Name + rowText(e.Table, row.Before) + rowText(e.Table, row.After)
				all = append(all, happened{transaction: now, line: line, version: versionOf(now, n)})
			}
		case *change.Statement:
			line := strings.TrimSpace(string(e.Op) + " " + b.name(e.Schema, e.Table) + " " + b.name(e.ToSchema, e.ToTable))
			all = append(all, happened{transaction: now, line: line, version: versionOf(now, e.Row)})
		case *change.End:
			all = append(all, happened{next: e.Next})
			if c, err := e.Next.Compare(to); err != nil {
				return all, err
			} else if c >= 0 {
				return all, nil
			}
			now = change.Transaction{}
		}
	}
}

func versionOf(t change.Transaction, row uint32) string {
	return change.Version{Epoch: 1, File: t.File, Offset: t.Offset, Row: row}.String()
}

func (b *bench) name(schema, table string) string {
	if schema == b.schema {
		return table
	}
	if schema == "" {
		return table
	}
	return schema + "." + table
}

func rowText(t *change.Table, row []change.Value) string {
	if row == nil {
		return ""
	}
	texts := make([]string, len(row))
	for i, v := range row {
		texts[i] = t.Columns[i].Name + "=" + valueText(v)
	}
	return " (" + strings.Join(texts, " ") + ")"
}

// valueText gives a value the way that a server's text protocol does, and bytes in hexadecimal.
func valueText(v change.Value) string {
	switch v.Kind {
	case change.Null:
		return "NULL"
	case change.Int, change.BigInt:
		return strconv.FormatInt(int64(v.Num), 10)
	case change.Uint, change.BigUint:
		return strconv.FormatUint(v.Num, 10)
	case change.Float:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.Num))), 'g', -1, 32)
	case change.Double:
		return strconv.FormatFloat(math.Float64frombits(v.Num), 'g', -1, 64)
	case change.Bytes:
		return "0x" + strings.ToUpper(hex.EncodeToString(v.Text))
	case change.Garbled:
		return "?0x" + strings.ToUpper(hex.EncodeToString(v.Text))
	case change.Absent:
		return "ABSENT"
	}
	return string(v.Text)
}

func (b *bench) want(got []string, want ...string) {
	b.t.Helper()
	if len(got) != len(want) {
		b.t.Errorf("got %d events, want %d:\n%s\nwant:\n%s", len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			b.t.Errorf("event %d:\n%s\nwant:\n%s", i+1, got[i], want[i])
		}
	}
}

func TestRowsComeAsTheyWere(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, _ bool) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, n BIGINT UNSIGNED, s VARCHAR(20), d DECIMAL(10,2), at DATETIME(3), b BINARY(4))")
		b.want(b.since(
			"INSERT INTO t VALUES (1, 18446744073709551615, 'grün', -1.5, '2024-02-29 12:34:56.789', 'a'), (2, NULL, '', 0, '0001-01-01', NULL)",
			"UPDATE t SET s = 'blau' WHERE id = 1",
			"DELETE FROM t",
		),
			"insert t (id=1 n=18446744073709551615 s=grün d=-1.50 at=2024-02-29 12:34:56.789 b=0x61000000)",
			"insert t (id=2 n=NULL s= d=0.00 at=0001-01-01 00:00:00.000 b=NULL)",
			"update t (id=1 n=18446744073709551615 s=grün d=-1.50 at=2024-02-29 12:34:56.789 b=0x61000000) (id=1 n=18446744073709551615 s=blau d=-1.50 at=2024-02-29 12:34:56.789 b=0x61000000)",
			"delete t (id=1 n=18446744073709551615 s=blau d=-1.50 at=2024-02-29 12:34:56.789 b=0x61000000)",
			"delete t (id=2 n=NULL s= d=0.00 at=0001-01-01 00:00:00.000 b=NULL)",
		)
	})
}

func TestDDLComesBetweenRows(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.exec("CREATE TABLE v (a INT)")
		want := []string{
			"create 1t", "insert 1t (id=1 a=x)",
			"alter 1t", "insert 1t (a=NULL id=2 b=5)",
			"rename 1t two", "alter two", "insert two (id=3 b=6 c=y)",
			"truncate two", "drop two", "drop v",
			"create p", "insert p (id=1)", "insert p (id=11)", "partition p",
			"create like_p", "create copy",
			"insert copy (id=11)",
			"rename p q", "rename copy p",
		}
		got := b.since(
			"CREATE TABLE `1t` (id INT PRIMARY KEY, a VARCHAR(9))",
			"INSERT INTO `1t` VALUES (1, 'x')",
			"ALTER TABLE `1t` ADD b INT, MODIFY a VARCHAR(9) FIRST",
			"INSERT INTO `1t` VALUES (NULL, 2, 5)",
			"ALTER TABLE `1t` RENAME TO two",
			"ALTER TABLE two DROP a, ADD c TEXT",
			"INSERT INTO two VALUES (3, 6, 'y')",
			"CREATE TEMPORARY TABLE tmp (a INT)", "INSERT INTO tmp VALUES (1)", "DROP TEMPORARY TABLE tmp",
			"CREATE VIEW w AS SELECT * FROM two", "DROP VIEW w",
			"TRUNCATE two",
			"DROP TABLE IF EXISTS two, /* too */ v",
			"CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20))",
			"INSERT INTO p VALUES (1), (11)",
			"ALTER TABLE p DROP PARTITION a",
			"CREATE TABLE like_p LIKE p",
			"CREATE TABLE copy (id INT PRIMARY KEY) SELECT id FROM p",
			"RENAME TABLE p TO q, copy TO p",
		)
		b.want(got, want...)
	})
}
