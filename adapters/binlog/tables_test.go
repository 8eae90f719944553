package binlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

func (b *bench) tables() *binlog.Tables {
	b.t.Helper()
	tables, err := binlog.NewTables(binlog.Options{DSN: b.dsn})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = tables.Close() })
	return tables
}

// kept is a row that outlives its reading.
func kept(row []change.Value) []change.Value {
	out := make([]change.Value, len(row))
	for i, v := range row {
		out[i] = change.Value{Kind: v.Kind, Num: v.Num, Text: bytes.Clone(v.Text)}
	}
	return out
}

// whole reads a table in chunks of so many rows.
func (b *bench) whole(tables *binlog.Tables, table string, limit int) (of *change.Table, rows [][]change.Value) {
	b.t.Helper()
	log := b.tail()
	for after := ""; ; {
		n := 0
		read, err := tables.Read(b.t.Context(), mirror.Chunk{Schema: b.schema, Table: table, After: after, Limit: limit, Log: log},
			func(_ change.Position, t *change.Table, row []change.Value) error {
				of, rows = t, append(rows, kept(row))
				n++
				return nil
			})
		if err != nil {
			b.t.Fatalf("%s behind %s: %v", table, after, err)
		}
		if read.Rows != n || read.Anew || n > limit {
			b.t.Fatalf("%s: read %+v, and got %d rows", table, read, n)
		}
		if read.Last {
			return of, rows
		}
		after = read.Reached
	}
}

// ranged says why a chunk in the middle is not read as a range of the key's index.
func (b *bench) ranged(tables *binlog.Tables, table string, mariadb bool) string {
	b.t.Helper()
	read, err := tables.Read(b.t.Context(), mirror.Chunk{Schema: b.schema, Table: table, Limit: 100, Log: b.tail()}, func(change.Position, *change.Table, []change.Value) error { return nil })
	if err != nil {
		b.t.Fatal(err)
	}
	var id, kind, rows, extra any
	var s, t, possible, key, length, ref *string
	query := "EXPLAIN " + map[bool]string{false: "FORMAT=TRADITIONAL "}[mariadb] + tables.Statement(read.Reached, 10)
	into := []any{&id, &s, &t, &kind, &possible, &key, &length, &ref, &rows, &extra}
	err = b.db.QueryRow(query).Scan(into...)
	if err != nil && strings.Contains(err.Error(), "expected 12") { // MySQL has two more
		var partitions, filtered any
		err = b.db.QueryRow(query).Scan(&id, &s, &t, &partitions, &kind, &possible, &key, &length, &ref, &rows, &filtered, &extra)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	if said := fmt.Sprintf("%s %s", kind, extra); !strings.HasPrefix(said, "range") || strings.Contains(said, "filesort") {
		return fmt.Sprintf("%s: %s", said, query)
	}
	return ""
}

func values(row []change.Value) string {
	var all []string
	for _, v := range row {
		all = append(all, fmt.Sprintf("%d:%s", v.Kind, valueText(v)))
	}
	return strings.Join(all, "|")
}

// What is read is what the log has, value by value.
func TestReadValuesAreThoseOfTheLog(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		flavor := map[bool]string{true: "mariadb", false: "mysql"}[mariadb]
		tables := b.tables()
		for i, c := range typeCases() {
			if c.only != "" && c.only != flavor {
				continue
			}
			table := fmt.Sprintf("t%d", i)
			statements := []string{"SET sql_mode = ''", "CREATE TABLE " + table + " (id INT PRIMARY KEY, c " + c.ddl + " NULL)"}
			for n, value := range append(c.values, "NULL") {
				statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%d, %s)", table, n, value))
			}
			from := b.tail()
			b.session(statements...)
			s := b.open(from)
			_, rows := b.whole(tables, table, 3)
			if len(rows) != len(c.values)+1 {
				t.Fatalf("%s: %d rows", c.ddl, len(rows))
			}
			for n := 0; n < len(rows); {
				event, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				e, ok := event.(*change.Rows)
				if !ok {
					continue
				}
				for _, row := range e.Rows {
					if got, want := values(rows[n]), values(row.After); got != want {
						t.Errorf("%s: read %.200s, and the log has %.200s", c.ddl, got, want)
					}
					n++
				}
			}
			s.Close()
		}
	})
}

// Keys of every kind are walked over whole, once, in the server's order, and by the index alone.
func TestTablesAreReadByTheirKeys(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		tables := b.tables()
		for i, c := range []struct{ columns, key, values string }{
			{"a BIGINT UNSIGNED", "a", "seq + 18446744073709551000"},
			{"a INT, b SMALLINT, c TINYINT", "a, b, c", "seq DIV 100, -(seq DIV 10 MOD 10), seq MOD 10"},
			{"a VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "a", "CONCAT(ELT(seq MOD 4 + 1, 'ä', 'Z', 'a''\\\\', '😀'), CHAR(65 + seq MOD 7 USING ascii), HEX(seq))"},
			{"a CHAR(8) CHARACTER SET latin1 COLLATE latin1_german2_ci, b INT", "a, b", "ELT(seq MOD 3 + 1, 'ß', 'ss', ''), seq"},
			{"a VARCHAR(9) CHARACTER SET utf16, b INT", "a, b", "CONCAT('x', seq MOD 9), seq"},
			{"a VARBINARY(8)", "a", "CONCAT(X'00ff', CHAR(seq MOD 250), X'27', seq)"},
			{"a BINARY(4)", "a", "LPAD(seq, 4, '0')"},
			{"a DECIMAL(12,3)", "a", "seq * 1.5 - 200"},
			{"a DATETIME(6), b DATE", "b, a", "DATE_ADD('2024-02-28', INTERVAL seq * 1001 MICROSECOND), DATE_ADD('2024-02-28', INTERVAL seq MOD 5 DAY)"},
			{"a TIMESTAMP(3), b TIME(2)", "a, b", "DATE_ADD('2024-10-27 00:30:00', INTERVAL seq MINUTE), SEC_TO_TIME((seq - 150) * 3600.25)"},
			{"a ENUM('z','m','a''b','ü'), b INT, c SET('q','b','a')", "a, b", "seq MOD 5, seq, seq MOD 8"},
			{"a ENUM('z','ä','A') CHARACTER SET latin1, c INT", "a DESC, c", "seq MOD 4, seq"},
			{"a FLOAT, b DOUBLE", "a, b", "(seq MOD 20) / 7, seq / 3"},
			{"a BIT(13), b YEAR", "b, a", "seq, 1990 + seq MOD 9"},
			{"a INT, b INT", "a DESC, b", "seq MOD 10, seq"},
			{"`a``b` INT, `order` VARCHAR(5)", "`order`, `a``b`", "seq, seq MOD 4"},
		} {
			table := fmt.Sprintf("k%d", i)
			b.session("SET sql_mode = ''", "CREATE TABLE "+table+" ("+c.columns+", PRIMARY KEY ("+c.key+"), v TEXT)",
				"INSERT IGNORE INTO "+table+" SELECT "+strings.ReplaceAll(c.values, "seq", "n")+
					", 'v' FROM (SELECT d.n + 10 * e.n + 100 * f.n AS n FROM (SELECT 0 AS n"+digits+") d, (SELECT 0 AS n"+digits+") e, (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2) f) s")
			var want int
			if err := b.db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&want); err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			_, all := b.whole(tables, table, 1000)
			_, rows := b.whole(tables, table, 7)
			for n, row := range rows {
				text := values(row)
				if seen[text] {
					t.Errorf("%s: %s comes twice", c.columns, text)
				}
				seen[text] = true
				if n < len(all) && values(all[n]) != text {
					t.Fatalf("%s: row %d is %s in chunks, and %s at once", c.columns, n, text, values(all[n]))
				}
			}
			if why := b.ranged(tables, table, mariadb); why != "" {
				t.Error(why)
			}
			if len(rows) != want || len(all) != want || want < 100 {
				t.Errorf("%s: %d rows in chunks and %d at once, of %d", c.columns, len(rows), len(all), want)
			}
		}
	})
}

// Labels that the server does not tell as they are lead to all rows, too, and so does a table one of whose keys is not to be used.
func TestTablesOfOddKeysAreReadWhole(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		tables := b.tables()
		unused := map[bool]string{true: "IGNORED", false: "INVISIBLE"}[mariadb]
		for table, c := range map[string]struct {
			definition, values string
			want               int
		}{
			"slashes": {`a ENUM('a\\b','c','d\ne','f''g','h'), b INT, PRIMARY KEY (a, b)`, `('a\\b',1),('c',1),('d\ne',1),('d\ne',2),('f''g',1),('h',1)`, 6},
			"trees":   {"a ENUM('x','é','日本','🌳') CHARACTER SET utf8mb4, PRIMARY KEY (a DESC)", "('x'),('é'),('日本'),('🌳')", 4},
			"unused":  {"a INT NOT NULL, b INT NOT NULL, c INT NOT NULL, UNIQUE x (a, b), UNIQUE y (c) " + unused, "(1, 1, 1), (2, 2, 2), (3, 3, 3)", 3},
		} {
			b.exec("SET NAMES utf8mb4; CREATE TABLE "+table+" ("+c.definition+")", "SET NAMES utf8mb4; INSERT INTO "+table+" VALUES "+c.values)
			if _, rows := b.whole(tables, table, 1); len(rows) != c.want {
				t.Errorf("%s: %d rows of %d", table, len(rows), c.want)
			}
		}
	})
}

const digits = " UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9"

func TestTablesThatCantBeReadInChunks(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		tables := b.tables()
		b.exec("CREATE TABLE none (a INT)", "CREATE TABLE nullable (a INT UNIQUE)", "CREATE TABLE part (a VARCHAR(50) NOT NULL, UNIQUE (a(10)))",
			"CREATE TABLE good (a INT, b INT NOT NULL, c INT NOT NULL, UNIQUE x (a), UNIQUE y (b, c), UNIQUE z (c))", "CREATE VIEW v AS SELECT 1 AS a")
		for table, want := range map[string]string{
			"none": "no primary key", "nullable": "may be NULL", "part": "first 10 characters", "v": "is a view", "missing": "no table",
		} {
			_, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: table, Limit: 1, Log: b.tail()},
				func(change.Position, *change.Table, []change.Value) error { return nil })
			var refused *mirror.UnreadableError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v", table, err)
			}
		}
		b.exec("INSERT INTO good VALUES (NULL, 1, 3), (NULL, 2, 2), (NULL, 3, 1)")
		of, rows := b.whole(tables, "good", 1)
		if len(rows) != 3 || valueText(rows[0][2]) != "1" || len(of.Key) != 0 {
			t.Errorf("got %v of %+v", rows, of)
		}
	})
}

// A chunk ends where its reader has enough, and goes on behind that; of a key that was changed, reading begins anew.
func TestChunksGoOn(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		tables := b.tables()
		b.exec("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10) NOT NULL)", "INSERT INTO t VALUES (1,'x'),(2,'x'),(3,'x'),(4,'x')")
		n := 0
		count := func(change.Position, *change.Table, []change.Value) error {
			if n++; n == 2 {
				return mirror.ErrEnough
			}
			return nil
		}
		read, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: "t", Limit: 10, Log: b.tail()}, count)
		if err != nil || read.Rows != 2 || read.Last {
			t.Fatalf("got %+v, %v", read, err)
		}
		next, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: "t", After: read.Reached, Limit: 10, Log: b.tail()}, count)
		if err != nil || next.Rows != 2 || !next.Last || next.Anew {
			t.Errorf("got %+v, %v", next, err)
		}
		b.exec("ALTER TABLE t ADD COLUMN c INT DEFAULT 7, DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)")
		var columns int
		again, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: "t", After: read.Reached, Limit: 10, Log: b.tail()},
			func(_ change.Position, of *change.Table, row []change.Value) error {
				columns = len(row)
				return nil
			})
		if err != nil || again.Rows != 4 || !again.Anew || columns != 3 {
			t.Errorf("got %+v with %d columns, %v", again, columns, err)
		}
		for _, bad := range []string{"{", `{"key":"x","at":["1"]}`, `{"key":"b varchar(10)","at":["1); DROP TABLE t; --"]}`} {
			if again, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: "t", After: bad, Limit: 10, Log: b.tail()}, func(change.Position, *change.Table, []change.Value) error { return nil }); err != nil || !again.Anew {
				t.Errorf("%s: got %+v, %v", bad, again, err)
			}
		}
		elsewhere := b.tail()
		elsewhere.Server = "another"
		if _, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: "t", Limit: 1, Log: elsewhere}, nil); !errors.Is(err, change.ErrServers) {
			t.Errorf("got %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tables.Read(ended, mirror.Chunk{Schema: b.schema, Table: "t", Limit: 1, Log: b.tail()}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n, err := tables.Count(t.Context(), b.schema, "t"); err != nil || n > 100 {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

// Columns that are computed, or not shown by SELECT *, are read as the log has them.
func TestReadColumnsAreThoseOfTheLog(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		tables := b.tables()
		invisible := map[bool]string{true: "d INT INVISIBLE DEFAULT 7", false: "d INT DEFAULT 7 INVISIBLE"}[mariadb]
		from := b.tail()
		b.session("CREATE TABLE t (a INT PRIMARY KEY, v INT GENERATED ALWAYS AS (a * 2) VIRTUAL, s INT GENERATED ALWAYS AS (a * 3) STORED, "+invisible+", e INT)", "INSERT INTO t (a, e) VALUES (1, 5)")
		of, rows := b.whole(tables, "t", 3)
		s := b.open(from)
		defer s.Close()
		for {
			event, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			e, ok := event.(*change.Rows)
			if !ok {
				continue
			}
			if got, want := fmt.Sprint(names(of))+values(rows[0]), fmt.Sprint(names(e.Table))+values(e.Rows[0].After); got != want {
				t.Errorf("read %s, and the log has %s", got, want)
			}
			return
		}
	})
}

func names(t *change.Table) (all []string) {
	for _, c := range t.Columns {
		all = append(all, c.Name)
	}
	return all
}
