package devstack

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Server is a MySQL-like server that somebody can connect to with all rights. It may be used concurrently.
type Server struct {
	// Name says what it is, as a part of a test's name: "mariadb" or "mysql".
	Name   string
	config *mysql.Config
}

// DSN gives a go-sql-driver data source name for a database, or for none where dbname is empty. It has no parameters of its own.
func (s *Server) DSN(dbname string) string {
	config := s.config.Clone()
	config.DBName = dbname
	return config.FormatDSN()
}

// NewSchema makes an empty database with a name of its own and gives its DSN.
// It is dropped when the test ends, if the server is there then.
func (s *Server) NewSchema(t TB) string {
	t.Helper()
	name := schemaName(t.Name())
	if err := s.exec(context.Background(), "CREATE DATABASE `"+name+"` CHARACTER SET utf8mb4"); err != nil {
		t.Fatalf("make a database on %s: %v", s.Name, err)
	}
	t.Cleanup(func() {
		if err := s.exec(context.Background(), "DROP DATABASE IF EXISTS `"+name+"`"); err != nil {
			t.Logf("the database %s stays: %v", name, err)
		}
	})
	return s.DSN(name)
}

// exec runs one statement on a connection of its own, within 30 seconds.
func (s *Server) exec(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	connector, err := mysql.NewConnector(s.config)
	if err != nil {
		return fmt.Errorf("use the server's address: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // Its one connection has done what it was for.
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("run %q: %w", statement, err)
	}
	return nil
}

// schemaName makes a name for a test's database: at most 64 bytes, no two the same.
func schemaName(test string) string {
	const most = 40
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, test)
	if len(name) > most {
		name = name[:most]
	}
	return name + "_" + randomHex(6)
}

// randomHex gives n random bytes in hexadecimal.
func randomHex(n int) string {
	bytes := make([]byte, n)
	_, _ = rand.Read(bytes) // Never fails: crypto/rand ends the program before.
	return hex.EncodeToString(bytes)
}
