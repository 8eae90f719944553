package entities_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror/change"
)

const labProto = `syntax = "proto3"; package lab.v1; import "google/protobuf/timestamp.proto";
message Box { int64 id = 1; string owner = 2; int64 n = 3; repeated Thing things = 4; google.protobuf.Timestamp made = 5; }
message Thing { string name = 1; }
message Owner { string name = 1; int64 boxes = 2; }
message Huge { uint64 id = 1; string owner = 2; }
message Kept { int64 id = 1; string owner = 2; string keeper = 3; }
message GetKeptRequest { int64 id = 1; }
message Small { int32 id = 1; string owner = 2; }
message GetSmallRequest { int32 id = 1; }
message GetHugeRequest { uint64 id = 1; }
message GetBoxRequest { int64 id = 1; }
message GetOwnerRequest { string name = 1; }
service S {
  rpc GetBox(GetBoxRequest) returns (Box) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetKept(GetKeptRequest) returns (Kept) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetSmall(GetSmallRequest) returns (Small) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetHuge(GetHugeRequest) returns (Huge) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetOwner(GetOwnerRequest) returns (Owner) { option idempotency_level = NO_SIDE_EFFECTS; }
}`

const tables = `CREATE TABLE boxes (id BIGINT PRIMARY KEY, owner VARCHAR(20) NOT NULL, n BIGINT NOT NULL DEFAULT 0, made DATETIME(3) NOT NULL) ENGINE=InnoDB;
CREATE TABLE things (box INT NOT NULL, name VARCHAR(20) NOT NULL, PRIMARY KEY (box, name)) ENGINE=InnoDB;
CREATE TABLE owners (name VARCHAR(20) NOT NULL PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE smalls (id DECIMAL(9,0) PRIMARY KEY, gone INT NOT NULL) ENGINE=InnoDB;
INSERT INTO smalls VALUES (1, 0), (2, 1);
CREATE TABLE huges (id BIGINT UNSIGNED PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO huges VALUES (1), (9007199254740992), (9007199254740993), (18446744073709551614), (18446744073709551615);
INSERT INTO boxes VALUES (1, 'ann', 0, '2020-02-29 12:00:00.5'), (2, '', 9007199254740993, '2020-01-01'), (9, 'bob', 0, '2021-01-01');
INSERT INTO things VALUES (1, 'x'), (1, 'y');
INSERT INTO owners VALUES ('ann')`

const annotations = `-- event: lab.v1.Box id=id on=boxes(id),things(box) via=lab.v1.S.GetBox
-- event: lab.v1.Owner id=name on=owners(name),boxes(owner) via=lab.v1.S.GetOwner
-- event: lab.v1.Huge id=id on=huges(id) via=lab.v1.S.GetHuge
-- event: lab.v1.Kept id=id on=boxes(id) via=lab.v1.S.GetKept
-- event: lab.v1.Small id=id on=smalls(id) via=lab.v1.S.GetSmall
-- rpc: lab.v1.S.GetSmall
-- name: small :one
SELECT id, 's' AS owner FROM smalls WHERE id = :id AND gone = 0;
-- rpc: lab.v1.S.GetKept
-- name: box :one
SELECT id, owner FROM boxes WHERE id = :id;
-- name: keeper :one
SELECT name AS keeper FROM owners WHERE name = :box.owner;
-- rpc: lab.v1.S.GetHuge
-- name: huge :one
SELECT id, 'h' AS owner FROM huges WHERE id = :id;
-- rpc: lab.v1.S.GetBox
-- name: box :one
SELECT id, owner, n, made FROM boxes WHERE id = :id;
-- name: things :many into=things
SELECT name FROM things WHERE box = :id ORDER BY name;
-- rpc: lab.v1.S.GetOwner
-- name: owner :one
SELECT o.name, (SELECT COUNT(*) FROM boxes b WHERE b.owner = o.name) AS boxes FROM owners o WHERE o.name = :name;
`

// lab is a legacy with two entities that share a table.
type lab struct {
	contract *contract.Contract
	program  *legacy.Program
	backend  *legacy.Backend
	pool     *pool.Pool
	db       *sql.DB
	schema   string
}

func newLab(t *testing.T, server *devstack.Server) *lab {
	t.Helper()
	return newLabOf(t, server, labProto, tables, annotations)
}

func newLabOf(t *testing.T, server *devstack.Server, proto, tables, annotations string) *lab {
	t.Helper()
	l := &lab{}
	dsn := server.NewSchema(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MultiStatements = true
	l.schema = cfg.DBName
	if l.db, err = sql.Open("mysql", cfg.FormatDSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.db.Close() })
	l.exec(t, tables)
	var faults fault.List
	l.contract, faults = contract.Load(t.Context(), []contract.Root{{FS: fstest.MapFS{"lab.proto": {Data: []byte(proto)}}}})
	parsed, more := annotated.Parse("lab.sql", []byte(annotations))
	faults.Append(more)
	if faults.Failed() {
		t.Fatal(faults.Err())
	}
	l.program, faults = legacy.Compile(l.contract, []*annotated.File{parsed}, legacy.Options{})
	if faults.Failed() {
		t.Fatal(faults.Err())
	}
	if l.pool, err = pool.Open(pool.Options{DSN: dsn, TimeZone: "+00:00"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.pool.Close)
	if faults, err = l.program.Verify(t.Context(), l.pool); err != nil || faults.Failed() {
		t.Fatal(err, faults.Err())
	}
	l.backend = legacy.New(l.program, l.pool, 1<<20)
	return l
}

func (l *lab) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := l.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// end gives the end of the server's log.
func (l *lab) end(t *testing.T) (p change.Position) {
	t.Helper()
	statement := "SHOW MASTER STATUS"
	if server, _ := l.pool.Server(); !server.MariaDB {
		statement = "SHOW BINARY LOG STATUS"
	}
	l.each(t, statement, func(row map[string]string) {
		if _, err := asNumber(row["Position"], &p.Offset); err != nil {
			t.Fatal(err)
		}
		p.File, p.GTIDs = row["File"], strings.ReplaceAll(row["Executed_Gtid_Set"], "\n", "")
	})
	p.Server = l.server(t)
	return p
}

// server names the server as its log's readers do.
func (l *lab) server(t *testing.T) (name string) {
	t.Helper()
	if server, _ := l.pool.Server(); !server.MariaDB {
		l.each(t, "SELECT @@global.server_uuid AS id", func(row map[string]string) { name = row["id"] })
		return name
	}
	l.each(t, "SELECT @@global.server_id AS id, @@global.hostname AS host, @@global.port AS port", func(row map[string]string) {
		var id, port uint64
		_, err1 := asNumber(row["id"], &id)
		_, err2 := asNumber(row["port"], &port)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		name = change.MariaDBServer(id, row["host"], port)
	})
	return name
}

// each reads a result row by row, by the names of its columns.
func (l *lab) each(t *testing.T, query string, use func(row map[string]string)) {
	t.Helper()
	rows, err := l.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range columns {
			row[name] = values[i].String
		}
		use(row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
