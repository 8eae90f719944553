package alltypes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// TestEveryType takes each value of the table through the facade and the mirror.
func TestEveryType(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			s := start(t, server)
			s.fill()
			s.facade()
			s.finish()
			s.mirror()
			for n, c := range s.columns {
				t.Run(c.ddl, func(t *testing.T) { s.check(t, n) })
			}
		})
	}
}

// suite is the run on one server.
type suite struct {
	t       *testing.T
	name    string
	conn    *sql.Conn // with a mode that lets all in
	zone    *time.Location
	known   bool // the zone
	columns []*column
	cells   [][]cell // by column
	served  *apptest.Server
	replies map[reply]answer
	writes  map[reply]answer
	given   map[int][]answer // by column
	source  *binlog.Source
	from    change.Position // before the first cell
	events  map[rowOf]*seen
	differ  []differences // by column
}

// reply is a cell's way through the facade.
type reply struct {
	column, cell, field, transport int
}

// id gives the row that the cell is in, and row, the one that the cell is written back to.
func (r reply) id() int64  { return int64(r.cell + 1) }
func (r reply) row() int64 { return int64(1000*(1+2*r.field+r.transport)) + r.id() }

func start(t *testing.T, server *devstack.Server) *suite {
	t.Helper()
	dsn := server.NewSchema(t)
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &suite{t: t, name: server.Name, replies: map[reply]answer{}, writes: map[reply]answer{}, given: map[int][]answer{}}
	if s.conn, err = db.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	s.exec("SET NAMES utf8mb4")
	s.exec("SET sql_mode = 'ALLOW_INVALID_DATES'")
	zone := zoneName
	if _, err := s.conn.ExecContext(t.Context(), "SET time_zone = '"+zone+"'"); err != nil {
		t.Logf("%s doesn't know %s, so summer time is left out: %v", s.name, zone, err)
		zone = unknownZone
		s.exec("SET time_zone = '" + zone + "'")
		s.zone = time.FixedZone(zone, 60*60)
	} else if s.zone, err = time.LoadLocation(zone); err != nil {
		t.Fatal(err)
	}
	s.known = zone == zoneName
	all := columns()
	for i := range all {
		if c := &all[i]; c.onServer(s.name) {
			s.columns = append(s.columns, c)
			s.cells = append(s.cells, c.values(s.name, s.known))
		}
	}
	for n, c := range s.columns {
		s.exec(fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY, v %s NULL) CHARACTER SET utf8mb4", table(n), c.ddl))
	}
	s.exec("CREATE TABLE " + endTable + " (id BIGINT PRIMARY KEY, v INT)")
	var schema string
	if err := s.conn.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&schema); err != nil {
		t.Fatal(err)
	}
	s.source = openSource(t, dsn, schema)
	if s.from, err = s.source.Tail(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.served = apptest.Start(t, apptest.Files(t, project(s.columns, zone)), dsn)
	return s
}

func (s *suite) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.conn.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatalf("%.300s: %v", query, err)
	}
}

// fill stores all cells, each in the row of its number.
func (s *suite) fill() {
	s.t.Helper()
	s.exec("SET autocommit = 0") // one flush instead of one for each
	for n := range s.columns {
		for i, v := range s.cells[n] {
			if v.utc {
				s.exec("SET time_zone = '+00:00'")
			}
			s.exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, %s)", table(n), i+1, v.sql))
			if v.utc {
				s.exec("SET time_zone = '" + zoneName + "'")
			}
		}
	}
	s.exec("COMMIT")
	s.exec("SET autocommit = 1")
}

// facade reads each cell by each field over each transport, and writes what it has read into a row of its own.
func (s *suite) facade() {
	for number, by := range transports(s.t, s.served) {
		for n, c := range s.columns {
			for k, f := range c.fields {
				for i := range s.cells[n] {
					r := reply{n, i, k, number}
					s.replies[r] = by.get(n, f, r.id())
					if body := s.replies[r].body; body != "" && f.unput == "" {
						request := strings.Replace(body, fmt.Sprintf(`"%d"`, r.id()), fmt.Sprintf(`"%d"`, r.row()), 1)
						s.writes[r] = by.put(n, f, request)
					}
				}
			}
			for i, g := range c.given {
				answer := answer{}
				if possible(g.on, g.summer, s.name, s.known) {
					answer = by.put(n, g.field, fmt.Sprintf(`{"id":"%d","value":%s}`, -1000*number-i-1, g.json))
				}
				s.given[n] = append(s.given[n], answer)
			}
		}
	}
}

// finish stops the server, whose log is whole then.
func (s *suite) finish() {
	if err := s.served.Wait(s.t); err != nil {
		s.t.Fatal(err)
	}
}

// check compares all that was seen of a column.
func (s *suite) check(t *testing.T, n int) {
	c := s.columns[n]
	s.checkGiven(t, n)
	for i := range s.cells[n] {
		v := &s.cells[n][i]
		event := s.checkEvent(t, n, i)
		for k, f := range c.fields {
			for number, by := range []string{"rest", "grpc"} {
				r := reply{n, i, k, number}
				what := fmt.Sprintf("%.60s in %s over %s", v.sql, f.name, by)
				if err := s.checkRead(r, v, f, event); err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				if s.replies[r].body == "" || f.unput != "" {
					continue
				}
				if err := s.checkWrite(r, v, f); err != nil {
					t.Errorf("%s, written back: %v", what, err)
				}
			}
		}
	}
}

func (s *suite) checkRead(r reply, v *cell, f *field, event any) error {
	got := s.replies[r]
	reason, refused := v.unread[f.name]
	if refused && reason != "" {
		return s.refused(got, reason)
	}
	if got.failed != "" {
		return fmt.Errorf("it fails with %s\n%s", got.failed, s.logged(got.id))
	}
	value, absent, err := valueOf(got.body)
	if err != nil {
		return err
	}
	if v.sql == null.sql || refused {
		if !absent && value != nil && (f != listField || show(value) != "[]") {
			return fmt.Errorf("NULL is %s", show(value))
		}
		return nil
	}
	if absent || value == nil && f != valueField {
		if f != listField || v.event != `""` {
			return fmt.Errorf("it is unset in %s", got.body)
		}
		value = []any{}
	}
	if changed := v.altered[f.name]; changed.read != "" {
		if got := show(value); got != changed.read {
			return fmt.Errorf("it is %s, and should be altered to %s", got, changed.read)
		}
		return nil
	}
	want, err := f.want(&scene{column: s.columns[r.column], zone: s.zone}, event)
	if err != nil {
		return fmt.Errorf("the event's value %s: %w", show(event), err)
	}
	return equal(f, s.columns[r.column], value, want)
}

// checkGiven asks for refusals of what the column would not give back.
func (s *suite) checkGiven(t *testing.T, n int) {
	t.Helper()
	c := s.columns[n]
	for i, got := range s.given[n] {
		if g := c.given[i%len(c.given)]; got.id != "" {
			if err := s.refused(got, g.reason); err != nil {
				t.Errorf("%s as %s: %v", g.json, g.field.name, err)
			}
		}
	}
}

// refused asks for an error, with a part of its text in the reply or in the log.
func (s *suite) refused(got answer, reason string) error {
	if got.failed == "" {
		return fmt.Errorf("it should be refused with %q, and gives %.200s", reason, got.body)
	}
	if !strings.Contains(got.failed, reason) && !strings.Contains(s.logged(got.id), reason) {
		return fmt.Errorf("it is refused with %s, and not with %q; the log has %s", got.failed, reason, s.logged(got.id))
	}
	return nil
}

// logged gives the lines about a request.
func (s *suite) logged(id string) string {
	var found strings.Builder
	for line := range strings.Lines(s.served.Logs()) {
		if strings.Contains(line, `"`+id+`"`) {
			found.WriteString(strings.ReplaceAll(line, `\"`, `"`))
		}
	}
	return found.String()
}

func (s *suite) checkWrite(r reply, v *cell, f *field) error {
	got := s.writes[r]
	if reason, refused := v.unwritten[f.name]; refused {
		return s.refused(got, reason)
	}
	if got.failed != "" {
		return fmt.Errorf("it fails with %s\n%s", got.failed, s.logged(got.id))
	}
	if _, unset := v.unread[f.name]; unset || f == valueField && v.sql == null.sql {
		return nil
	}
	differ := s.differ[r.column].exact
	if f.put != "" {
		differ = s.differ[r.column].alike
	}
	how, differs := differ[r.row()]
	if changed := v.altered[f.name]; changed.stored != "" {
		if !strings.HasPrefix(how, changed.stored+" instead of") {
			return fmt.Errorf("%q is stored, and should be altered to %s", how, changed.stored)
		}
		return nil
	}
	if differs {
		return fmt.Errorf("the rows differ: %s", how)
	}
	name := table(r.column)
	was, is := s.events[rowOf{name, r.id()}], s.events[rowOf{name, r.row()}]
	switch {
	case is == nil:
		return errors.New("there is no event of it")
	case f.put == "" && *is != *was:
		return fmt.Errorf("its events have %.300s, and the first row's %.300s", *is, *was)
	}
	return nil
}

// equal compares what a field has with what it should.
func equal(f *field, c *column, got, want any) error {
	for _, v := range []*any{&got, &want} {
		var err error
		switch {
		case f.same != nil:
			*v, err = f.same(*v)
		case f == stringField && c.document:
			*v, err = plainJSON(*v)
		case c.is("INET4"), c.is("INET6"): // an address has several texts
			*v, err = netip.ParseAddr(fmt.Sprint(*v))
		}
		if err != nil {
			return err
		}
	}
	if g, w := show(got), show(want); g != w {
		return fmt.Errorf("it is %.300s, and an event has %.300s", g, w)
	}
	return nil
}

// mirror looks at the rows that the facade has written, deletes all, and reads the events of all that has happened.
func (s *suite) mirror() {
	s.t.Helper()
	for n, c := range s.columns {
		d := differences{exact: s.differences(s.t, n, c.stored)}
		d.alike = d.exact
		if c.document && s.name == "mariadb" { // which keeps JSON as it was written
			d.alike = s.differences(s.t, n, "JSON_NORMALIZE(v)")
		}
		s.differ = append(s.differ, d)
	}
	for n := range s.columns {
		s.exec("DELETE FROM " + table(n))
	}
	s.exec("INSERT INTO " + endTable + " VALUES (1, 1)")
	s.events = events(s.t, s.source, s.from)
}

// checkEvent compares a cell's events with the table, and gives their value.
func (s *suite) checkEvent(t *testing.T, n, i int) any {
	t.Helper()
	v := s.cells[n][i]
	got := s.events[rowOf{table(n), int64(i + 1)}]
	if got == nil {
		t.Fatalf("%.60s has no event", v.sql)
	}
	if got.inserted != v.event {
		t.Errorf("%.60s is %.300s in the event, want %.300s", v.sql, got.inserted, v.event)
	}
	if got.deleted != got.inserted {
		t.Errorf("%.60s is %.300s where it is deleted, and was %.300s", v.sql, got.deleted, got.inserted)
	}
	event, err := parse(got.inserted)
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// differences are rows that don't have what the row has that they were read from, by their ids: exactly, and as far as
// fields keep it that are no exact image.
type differences struct{ exact, alike map[int64]string }

// differences gives the rows written by the facade that don't have what the row has that was read.
func (s *suite) differences(t *testing.T, n int, stored string) map[int64]string {
	t.Helper()
	if stored == "" {
		stored = "HEX(v)"
	}
	rows, err := s.conn.QueryContext(context.Background(), fmt.Sprintf(
		"SELECT w.id, CONCAT(IFNULL(LEFT(w.s, 80), 'NULL'), ' instead of ', IFNULL(LEFT(r.s, 80), 'NULL')) FROM (SELECT id, %s AS s FROM %s) w JOIN (SELECT id, %[1]s AS s FROM %[2]s) r ON r.id = w.id %% 1000"+
			" WHERE w.id > 1000 AND NOT (w.s <=> r.s)", stored, table(n)))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	differ := map[int64]string{}
	for rows.Next() {
		var id int64
		var how string
		if err := rows.Scan(&id, &how); err != nil {
			t.Fatal(err)
		}
		differ[id] = how
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return differ
}
