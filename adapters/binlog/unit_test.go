package binlog

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	replica "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

func TestPlacesGoOnBehind4GiB(t *testing.T) {
	const gib = 1 << 30
	p := place{}
	if err := p.enter("binlog.000007", 4*gib-100); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		e          event
		start, end uint64
		err        error
	}{
		{e: event{kind: kindFormat, size: 200, end: 256}, start: 4*gib - 100, end: 4*gib - 100},
		{e: event{kind: kindHeartbeat, flags: flagArtificial, end: 77}, start: 4*gib - 100, end: 4*gib - 100},
		{e: event{kind: kindTableMap, size: 60, end: 4*gib - 40}, start: 4*gib - 100, end: 4*gib - 40},
		{e: event{kind: kindXID, size: 60, end: 20}, start: 4*gib - 40, end: 4*gib + 20},
		{e: event{kind: kindXID, size: 30}, start: 4*gib + 20, end: 4*gib + 50},
		{e: event{kind: kindXID, size: 30, end: 80}, start: 4*gib + 50, end: 4*gib + 80},
		{e: event{kind: kindXID, size: 30, end: 79}, end: 4*gib + 80, err: errBackwards},
		{e: event{kind: kindXID, size: 30, end: gib}, start: 5*gib - 30, end: 5 * gib},
	} {
		start, err := p.pass(test.e)
		if start != test.start || p.offset != test.end || !errors.Is(err, test.err) {
			t.Errorf("%+v: from %d to %d, %v", test.e, start, p.offset, err)
		}
	}
}

func TestTransactionsWithoutGTIDStop(t *testing.T) {
	s := &stream{gtids: &gtids{}}
	if stop := change.Stops(s.enter(event{kind: kindAnonymous})); stop == nil || !strings.Contains(stop.Fix, "gtid_mode") {
		t.Errorf("got %v", stop)
	}
	if stop := change.Stops(s.take(t.Context(), event{kind: kindIncident})); stop == nil || !strings.Contains(stop.Fix, "reset") {
		t.Errorf("got %v", stop)
	}
}

func TestLogsThatAreNotGivenSayWhy(t *testing.T) {
	for text, want := range map[string]string{
		"Could not find first log file name in binary log index file":                                                              "no longer has",
		"Cannot replicate because the source purged required binary logs. Replicate the missing transactions from elsewhere":       "no longer has",
		"Error: connecting slave requested to start from GTID 0-1-5, which is not in the master's binlog":                          "other transactions",
		"Replica has more GTIDs than the source has, using the source's SERVER_UUID":                                               "other transactions",
		"binlog truncated in the middle of event; consider out of disk space on master":                                            "damaged",
		"event read from binlog did not pass crc check; the first event 'binlog.000001' at 4":                                      "damaged",
		"log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master; the first event 'binlog.000001' at 4": "SET GLOBAL max_allowed_packet",
		"bogus data in log event; the first event 'binlog.000001' at 696":                                                          "no transaction that begins",
		"Client requested master to start replication from impossible position; the first event 'binlog.000001' at 9999":           "no transaction that begins",
		"something new": "does not give",
	} {
		err := judge(fmt.Errorf("read: %w", &replica.MyError{Code: errBinlog, Message: text}))
		if stop := change.Stops(err); stop == nil || !strings.Contains(stop.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if err := judge(&replica.MyError{Code: errBinlog, Message: "A slave with the same server_uuid/server_id as this slave has connected to the master"}); change.Stops(err) != nil {
		t.Errorf("got %v", err)
	}
}

func TestGTIDSets(t *testing.T) {
	const a, b = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "00000000-71ca-11e1-9e33-c80aa9429562"
	for _, test := range []struct {
		mariadb    bool
		text, want string
	}{
		{true, "1-2-3, 0-1-42", "0-1-42,1-2-3"},
		{true, "", ""},
		{false, a + ":1-5:7\n, " + b + ":3", b + ":3," + a + ":1-5:7"},
		{false, a + ":1-5:6-7:9:8", a + ":1-9"},
		{false, a + ":1:tag:2-3:4, " + a + ":2", a + ":1-2," + a + ":tag:2-4"},
	} {
		g, err := parseGTIDs(test.mariadb, test.text)
		if err != nil || g.String() != test.want {
			t.Errorf("%q became %v, %v", test.text, g, err)
		}
	}
	for _, bad := range []string{"1-2", "x", "1-2-3-4", "-1-2-3", a + ":0", a + ":5-3", a + ":1-", "abc:1", a + ":1-x"} {
		if g, err := parseGTIDs(strings.Count(bad, "-") < 4, bad); err == nil {
			t.Errorf("%q is %q", bad, g)
		}
	}
	g, err := parseGTIDs(false, a+":1-5")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{6, 9, 8, 7} {
		g.pass(&group{source: a, number: n})
	}
	if g.String() != a+":1-9" {
		t.Errorf("got %s", g)
	}
}

func TestStatements(t *testing.T) {
	for _, test := range []struct{ sql, want string }{
		{"CREATE TABLE `a``b` (id INT)", "create s.a`b"},
		{"create temporary table t (a int)", ""},
		{"CREATE TABLE IF NOT EXISTS x.1t LIKE y", "create x.1t"},
		{"CREATE OR REPLACE TABLE t (a INT)", "drop s.t, create s.t"},
		{"/* c */ CREATE /*!50000 TABLE */ t -- x\n (a INT)", "create s.t"},
		{"/*M!100301 CREATE TABLE t (a INT) */", "create s.t"},
		{"# nothing", ""},
		{"CREATE UNIQUE INDEX i ON t (a)", "alter s.t"},
		{"DROP INDEX i ON `x`.`t`", "alter x.t"},
		{"CREATE ALGORITHM=MERGE DEFINER=`a`@`b` VIEW v AS SELECT 1", ""},
		{"CREATE DEFINER=`root`@`localhost` TRIGGER tr BEFORE INSERT ON t FOR EACH ROW DELETE FROM u", ""},
		{"CREATE USER 'a'@'b'", ""},
		{"CREATE DATABASE d", ""},
		{"DROP VIEW v", ""},
		{"DROP TRIGGER t", ""},
		{"DROP TABLE IF EXISTS a, `b`.`c` /* generated by server */", "drop s.a, drop b.c"},
		{"DROP TEMPORARY TABLE IF EXISTS t", ""},
		{"DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `tt`", ""},
		{"DROP DATABASE IF EXISTS `d`", "drop d."},
		{"TRUNCATE t", "truncate s.t"},
		{"TRUNCATE TABLE t", "truncate s.t"},
		{"RENAME TABLE a TO b, x.c TO y.d", "rename s.a > s.b, rename x.c > y.d"},
		{"RENAME TABLE IF EXISTS a WAIT 5 TO b", "rename s.a > s.b"},
		{"RENAME USER a TO b", ""},
		{"ALTER TABLE t RENAME u", "rename s.t > s.u"},
		{"ALTER TABLE t RENAME = u", "rename s.t > s.u"},
		{"ALTER TABLE t ADD a INT, RENAME AS x.u", "alter s.t, rename s.t > x.u"},
		{"ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j", "alter s.t"},
		{"ALTER TABLE t ADD COLUMN (a INT DEFAULT 1, rename INT)", "alter s.t"},
		{"ALTER TABLE t DROP a, DROP KEY k", "alter s.t"},
		{"ALTER ONLINE IGNORE TABLE t DROP PARTITION p", "partition s.t"},
		{"ALTER TABLE t TRUNCATE PARTITION ALL", "partition s.t"},
		{"ALTER TABLE t EXCHANGE PARTITION p WITH TABLE x.u", "partition s.t, partition x.u"},
		{"ALTER TABLE t CONVERT PARTITION p TO TABLE u", "partition s.t, partition s.u"},
		{"ALTER TABLE t CONVERT TABLE u TO PARTITION p VALUES LESS THAN (5)", "partition s.t, partition s.u"},
		{"ALTER TABLE t CONVERT TO CHARACTER SET utf8", "alter s.t"},
		{"ALTER TABLE t DISCARD TABLESPACE", "partition s.t"},
		{"ALTER TABLE t COMMENT='RENAME TO x'", "alter s.t"},
		{"ALTER DATABASE d CHARACTER SET utf8", ""},
		{"ALTER USER u IDENTIFIED BY 'x'", ""},
		{"INSERT INTO t VALUES (1)", "opaque s.t"},
		{"insert low_priority ignore x.t values (1)", "opaque x.t"},
		{"REPLACE t SET a = 1", "opaque s.t"},
		{"UPDATE t SET a = 1", "opaque s.t"},
		{"UPDATE t, u SET t.a = 1", "opaque s."},
		{"UPDATE t JOIN u SET t.a = 1", "opaque s."},
		{"DELETE FROM t WHERE a", "opaque s.t"},
		{"DELETE t FROM t JOIN u", "opaque s."},
		{"LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "opaque s."},
		{"SELECT `s`.`f`()", "opaque s."},
		{"DO f()", "opaque s."},
		{"frobnicate", "opaque s."},
		{"SET @a = 1", ""},
		{"GRANT ALL ON t TO u", ""},
		{"FLUSH TABLES", ""},
		{"ANALYZE TABLE t", ""},
		{"REPAIR TABLE t", "opaque s."},
		{"DROP TABLE", "opaque s."},
		{"ALTER TABLE", "opaque s."},
		{"RENAME TABLE a", "opaque s."},
	} {
		got := describe(statementOf(query{schema: "s", text: test.sql}))
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.sql, got, test.want)
		}
	}
	if got := describe(statementOf(query{schema: "s", text: `CREATE TABLE "a ""b" (c INT)`, ansi: true})); got != `create s.a "b` {
		t.Errorf("ANSI quotes: %q", got)
	}
	for text, want := range map[string]statement{
		"BEGIN": {meaning: meansBegin}, "COMMIT": {meaning: meansCommit}, "ROLLBACK": {meaning: meansRollback}, "rollback work to savepoint `a b`": {meaning: meansUndo, name: "a b"},
		"ROLLBACK TO `s`": {meaning: meansUndo, name: "s"}, "SAVEPOINT `s`": {meaning: meansSavepoint, name: "s"},
		"XA START X'61',X'62',7": {meaning: meansXAStart, name: "61.62.7"}, "XA COMMIT X'61',X'',1": {meaning: meansXACommit, name: "61..1"},
		"XA ROLLBACK 'a'": {meaning: meansXARollback, name: "61..1"}, "XA END X'61',X'',1": {name: "61..1"},
	} {
		if got := statementOf(query{text: text}); got.meaning != want.meaning || got.name != want.name {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func describe(s statement) string {
	var all []string
	for _, e := range s.events {
		text := string(e.Op) + " " + e.Schema + "." + e.Table
		if e.ToTable != "" {
			text += " > " + e.ToSchema + "." + e.ToTable
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func FuzzStatement(f *testing.F) {
	for _, seed := range []string{"ALTER TABLE t RENAME TO u, DROP PARTITION p", "XA COMMIT X'61',X'62',7", "/*!50000 DROP TABLE `a``b`, \"c\" */", "CREATE INDEX i ON t"} {
		f.Add(seed, false)
	}
	f.Fuzz(func(_ *testing.T, text string, ansi bool) {
		statementOf(query{schema: "s", text: text, ansi: ansi, plain: !ansi})
	})
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"0001000d000b000100055 00a", "0402", "020100070005fdff", "0c0161", "0ff60502018000", "0f0c0801020304050607080"} {
		b, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := arena{}
		v, err := readJSON(data, &a)
		if err == nil && (v.Kind != change.JSON || len(v.Text) == 0) {
			t.Errorf("%x is %v", data, v)
		}
	})
}

// fuzzColumns has a column of each way to read.
func fuzzColumns() []column {
	return []column{
		{typ: typeTiny},
		{typ: typeInt24, unsigned: true},
		{typ: typeLongLong},
		{typ: typeFloat},
		{typ: typeDecimal, length: 30, decimals: 11},
		{typ: typeBit, length: 13},
		{typ: typeYear},
		{typ: typeDate},
		{typ: typeTime},
		{typ: typeDatetime},
		{typ: typeTimestamp},
		{typ: typeTime2, decimals: 3},
		{typ: typeDatetime2, decimals: 6},
		{typ: typeTimestamp2, decimals: 1},
		{typ: typeVarchar, length: 300, prefix: 2, text: &charset{utf8: true, ascii: true}},
		{typ: typeString, length: 9, prefix: 1},
		{typ: typeBlob, prefix: 4},
		{typ: typeEnum, prefix: 1, labels: [][]byte{{'a'}, nil}},
		{typ: typeSet, prefix: 8, labels: [][]byte{{'a'}, {'b'}}},
		{typ: typeJSON, prefix: 4},
		{typ: typeBlobCompressed, prefix: 2},
		{typ: typeVarchar, length: 30, prefix: 1, text: &charset{decode: func(dst, text []byte) ([]byte, bool) { return decodeUTF16(dst, text, binary.BigEndian) }}},
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, uint8(0))
	f.Fuzz(func(t *testing.T, images []byte, op uint8) {
		table := &table{Table: &change.Table{}, columns: fuzzColumns()}
		table.Columns = make([]change.Column, len(table.columns))
		present := []byte{0xff, 0xff, 0xff}
		r := rowsEvent{op: []change.Op{change.Insert, change.Update, change.Delete}[op%3], columns: len(table.columns), before: present, after: present, images: images}
		var d decoder
		rows, err := d.decode(table, r)
		n, cerr := count(table, r)
		if err == nil && (cerr != nil || int(n) != len(rows)) {
			t.Errorf("%d rows are counted as %d, %v", len(rows), n, cerr)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte{1, 's', 0, 1, 't', 0, 2, 3, 15, 2, 10, 0, 0, 1, 1, 0, 4, 4, 1, 'a', 1, 'b', 2, 1, 8}, uint8(kindTableMap), true)
	f.Add([]byte{2, 1, 0, 3, 4, 10, 20, 30, 0}, uint8(kindPayload), false)
	f.Fuzz(func(_ *testing.T, body []byte, kind uint8, mariadb bool) {
		known := &charsets{collations: map[uint64]*charset{8: {name: "latin1", most: 1}}}
		if t, err := parseTableMap(body, true, known, mariadb); err == nil {
			for i := range t.columns {
				if t.columns[i].names != nil {
					t.columns[i].label()
				}
				t.columns[i].ddl()
			}
		}
		s := &stream{charsets: known}
		e := event{kind: replication.EventType(kind), body: body}
		_, _ = parseRows(e)
		_, _ = parseGTID(e)
		_, _ = parseMariaGTID(e)
		_, _ = parseXAPrepare(body)
		_, _ = s.parseQuery(e)
		if p, err := openPayload(body); err == nil {
			for {
				if _, ok, err := p.next(); !ok || err != nil {
					break
				}
			}
		}
		_, _ = parseEvent(body, mariadb)
	})
}
