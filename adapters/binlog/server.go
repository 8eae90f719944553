package binlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"banyan.dev/banyan/mirror/change"
)

// server is what is known of the server that answers.
type server struct {
	mariadb  bool
	version  string
	id       uint32 // server_id
	identity string // as in change.Position.Server
	lower    bool   // it makes table names lower case
	tls      bool   // whether the connection that asked was encrypted
}

// session is a connection for questions. A source keeps none.
type session struct {
	*sql.Conn
	db *sql.DB
}

// connect opens a session, which is the caller's to close.
func (s *Source) connect(ctx context.Context) (*session, error) {
	db := sql.OpenDB(s.connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the legacy: %w", err), db.Close())
	}
	return &session{Conn: conn, db: db}, nil
}

func (s *session) close() {
	_ = s.Conn.Close()
	_ = s.db.Close()
}

// ask opens a session and finds out who answers.
func (s *Source) ask(ctx context.Context) (*session, server, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, server{}, err
	}
	found, err := identify(ctx, conn.Conn)
	if err != nil {
		conn.close()
		return nil, server{}, err
	}
	return conn, found, nil
}

func identify(ctx context.Context, conn *sql.Conn) (server, error) {
	var found server
	var host string
	var port, lower int
	err := conn.QueryRowContext(ctx, "SELECT VERSION(), @@global.server_id, @@global.hostname, @@global.port, @@global.lower_case_table_names").
		Scan(&found.version, &found.id, &host, &port, &lower)
	if err != nil {
		return found, fmt.Errorf("ask the legacy who it is: %w", err)
	}
	found.lower = lower == 1
	found.mariadb = strings.Contains(strings.ToLower(found.version), "mariadb")
	if found.mariadb {
		found.identity = change.MariaDBServer(uint64(found.id), host, uint64(port))
	} else if err := conn.QueryRowContext(ctx, "SELECT @@global.server_uuid").Scan(&found.identity); err != nil {
		return found, fmt.Errorf("ask the legacy for its UUID: %w", err)
	}
	var name, cipher string
	if err := conn.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return found, fmt.Errorf("ask the legacy whether the link is encrypted: %w", err)
	}
	found.tls = cipher != ""
	return found, nil
}

// errMoved says that one address leads to more than one server, as while a failover moves it.
var errMoved = errors.New("the address now leads to another server")

// sameServer asks a link's own connection who answers.
func sameServer(conn *client.Conn, found server) error {
	statement := "SELECT @@global.server_uuid"
	if found.mariadb {
		statement = "SELECT @@global.server_id, @@global.hostname, @@global.port"
	}
	result, err := conn.Execute(statement)
	if err != nil {
		return fmt.Errorf("ask the legacy who it is: %w", err)
	}
	defer result.Close()
	identity, err := result.GetString(0, 0)
	if err == nil && found.mariadb {
		id, err1 := result.GetUint(0, 0)
		host, err2 := result.GetString(0, 1)
		port, err3 := result.GetUint(0, 2)
		identity, err = change.MariaDBServer(id, host, port), errors.Join(err1, err2, err3)
	}
	if err != nil {
		return fmt.Errorf("ask the legacy who it is: %w", err)
	}
	if identity != found.identity {
		return fmt.Errorf("%w: %s, and not %s", errMoved, identity, found.identity)
	}
	return nil
}

// askSame opens a session with a server that is known.
func (s *Source) askSame(ctx context.Context, found server) (*session, error) {
	conn, now, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	if now.identity != found.identity {
		conn.close()
		return nil, fmt.Errorf("%w: %s, and not %s", errMoved, now.identity, found.identity)
	}
	return conn, nil
}

// Tail gives the end of the log.
func (s *Source) Tail(ctx context.Context) (change.Position, error) {
	conn, found, err := s.ask(ctx)
	if err != nil {
		return change.Position{}, judge(err)
	}
	defer conn.close()
	p, err := tail(ctx, conn.Conn, found)
	if err == nil && !found.mariadb && p.GTIDs != "" {
		var passed *gtids
		if passed, err = parseGTIDs(false, p.GTIDs); err == nil {
			p, err = s.findPassed(ctx, found, p, passed)
			p.GTIDs = passed.String()
		}
	}
	if err != nil {
		return change.Position{}, judge(fmt.Errorf("ask the legacy for the end of its log: %w", err))
	}
	return p, nil
}

func tail(ctx context.Context, conn *sql.Conn, found server) (change.Position, error) {
	p := change.Position{Server: found.identity}
	statements := []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"}
	if found.mariadb {
		statements = []string{"SHOW MASTER STATUS"}
	}
	row, err := firstRow(ctx, conn, statements...)
	if err != nil {
		return p, err
	}
	if row == nil {
		return p, &change.StopError{What: "the legacy writes no binary log", Fix: "set log_bin in its configuration and restart it"}
	}
	if len(row) < 2 {
		return p, fmt.Errorf("the end of the log has %d columns", len(row))
	}
	p.File = row[0]
	if _, err := fmt.Sscan(row[1], &p.Offset); err != nil {
		return p, fmt.Errorf("read the log's offset %q: %w", row[1], err)
	}
	if !found.mariadb {
		if len(row) > 4 {
			p.GTIDs = strings.ReplaceAll(row[4], "\n", "")
		}
		return p, nil
	}
	p.GTIDs, err = gtidsAt(ctx, conn, p)
	return p, err
}

// gtidsAt gives the GTIDs before a position in a MariaDB's log, by the server itself.
func gtidsAt(ctx context.Context, conn *sql.Conn, p change.Position) (string, error) {
	var gtids sql.NullString
	if err := conn.QueryRowContext(ctx, "SELECT BINLOG_GTID_POS(?, ?)", p.File, p.Offset).Scan(&gtids); err != nil {
		return "", fmt.Errorf("ask for the GTIDs before %s: %w", p, err)
	}
	return gtids.String, nil
}

// firstRow gives the first row of the first statement that the server understands; nil when it has none.
func firstRow(ctx context.Context, conn *sql.Conn, statements ...string) ([]string, error) {
	var first error
	for _, statement := range statements {
		rows, err := allRows(ctx, conn, statement)
		if err == nil {
			if len(rows) == 0 {
				return nil, nil
			}
			return rows[0], nil
		}
		if !isCode(err, errParse) {
			return nil, err
		}
		first = err
	}
	return nil, first
}

// allRows gives a short result as texts.
func allRows(ctx context.Context, conn *sql.Conn, statement string) ([][]string, error) {
	rows, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	var all [][]string
	for rows.Next() {
		cells, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
		row := make([]string, len(columns))
		for i := range cells {
			row[i] = cells[i].String
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	return all, nil
}

// replicaID gives an id that neither the server nor one of its replicas has.
func (s *Source) replicaID(ctx context.Context, conn *sql.Conn, found server) (uint32, error) {
	if s.opt.ServerID != 0 {
		if s.opt.ServerID == found.id {
			return 0, &change.StopError{What: fmt.Sprintf("the mirror's server id %d is the legacy's own", found.id), Fix: "give the mirror another, or none"}
		}
		return s.opt.ServerID, nil
	}
	taken := map[string]bool{fmt.Sprint(found.id): true}
	for _, statement := range []string{"SHOW REPLICAS", "SHOW SLAVE HOSTS"} {
		rows, err := allRows(ctx, conn, statement)
		if err != nil {
			// It may need a privilege that reading doesn't. Of four billion ids, a random one is free.
			s.log.Debug("the legacy's replicas are unknown", "error", err)
			continue
		}
		for _, row := range rows {
			taken[row[0]] = true
		}
		break
	}
	for {
		// High, where people don't number their servers.
		if id := rand.Uint32() | 1<<30; !taken[fmt.Sprint(id)] { //nolint:gosec // It is no secret.
			return id, nil
		}
	}
}
