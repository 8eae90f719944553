package preflight_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
)

// The page says that generated and invisible columns come as all others do, and what system-versioned tables and MERGE
// tables look like in the log. This is what the servers write.
func TestWhatRowImagesHave(t *testing.T) {
	for _, test := range []struct {
		name       string
		mariadb    bool // only there
		statements []string
		want       string
	}{
		{
			"generated and invisible columns", false,
			[]string{
				"CREATE TABLE a (id INT PRIMARY KEY, n INT, v INT AS (n + 1) VIRTUAL, s INT AS (n + 2) STORED, i INT INVISIBLE DEFAULT 9)",
				"INSERT INTO a (id, n) VALUES (1, 10)", "UPDATE a SET n = 20", "DELETE FROM a",
			},
			"insert a [1 10 11 12 9]\nupdate a [1 10 11 12 9] [1 20 21 22 9]\ndelete a [1 20 21 22 9]\n",
		},
		{
			"a table under another's name", false,
			[]string{
				"CREATE TABLE m (id INT NOT NULL, KEY (id)) ENGINE = MyISAM", "CREATE TABLE g (id INT NOT NULL, KEY (id)) ENGINE = MERGE UNION = (m) INSERT_METHOD = LAST",
				"INSERT INTO g VALUES (1)",
			},
			"insert g [1]\n",
		},
		{
			"a system-versioned table", true,
			[]string{
				"SET timestamp = 1000000000", "CREATE TABLE h (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
				"SET timestamp = 1000000001", "INSERT INTO h VALUES (1)", "SET timestamp = 1000000002", "DELETE FROM h",
			},
			"insert h\nupdate h\n", // And not a delete.
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, server := range devstack.Databases(t) {
				if test.mariadb && server.Name != "mariadb" {
					continue
				}
				t.Run(server.Name, func(t *testing.T) {
					db, schema := newSchema(t, server)
					db.SetMaxOpenConns(1) // SET is for one session.
					file, offset := endOfLog(t, server)
					run(t, db, test.statements...)
					got := images(t, server, schema, gomysql.Position{Name: file, Pos: offset}, strings.Count(test.want, "\n"), strings.Contains(test.want, "["))
					if got != test.want {
						t.Errorf("the log has\n%swant\n%s", got, test.want)
					}
				})
			}
		})
	}
}

func endOfLog(t *testing.T, server *devstack.Server) (file string, offset uint32) {
	t.Helper()
	db := open(t, server.DSN(""))
	rows, err := db.QueryContext(t.Context(), "SHOW BINARY LOG STATUS")
	if err != nil {
		rows, err = db.QueryContext(t.Context(), "SHOW MASTER STATUS") // Before MySQL 8.2, and on MariaDB.
	}
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("the server has no log: %v", err)
	}
	into := []any{&file, &offset}
	for range columns[2:] {
		into = append(into, new(any))
	}
	if err := errors.Join(rows.Scan(into...), rows.Err()); err != nil {
		t.Fatal(err)
	}
	return file, offset
}

// images gives the next changes of rows in a schema, one a line, with values or without.
func images(t *testing.T, server *devstack.Server, schema string, from gomysql.Position, lines int, values bool) string {
	t.Helper()
	config, err := mysql.ParseDSN(server.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(config.Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	var id [4]byte
	_, _ = rand.Read(id[:])
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: binary.BigEndian.Uint32(id[:]) | 1<<31, Flavor: server.Name, Host: host, Port: uint16(number), User: config.User, Password: config.Passwd,
		Logger: slog.New(slog.DiscardHandler),
	})
	defer syncer.Close()
	stream, err := syncer.StartSync(from)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var b strings.Builder
	for strings.Count(b.String(), "\n") < lines {
		event, err := stream.GetEvent(ctx)
		if err != nil {
			t.Errorf("after\n%s%v", b.String(), err)
			return b.String()
		}
		rows, ok := event.Event.(*replication.RowsEvent)
		if !ok || string(rows.Table.Schema) != schema {
			continue
		}
		b.WriteString(strings.ToLower(rows.Type().String()) + " " + string(rows.Table.Table))
		for _, row := range rows.Rows {
			if values {
				fmt.Fprintf(&b, " %v", row)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
