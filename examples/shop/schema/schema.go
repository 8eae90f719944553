// Package schema holds the tables of the example's old shop, as twenty years of changes have left them.
//
// It makes them in an empty database. What is in them is package generate's.
package schema

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed schema.sql
var ddl string

// Mode is the sql_mode that the shop's statements need: its NOT NULL columns hold '0000-00-00 00:00:00' for "never",
// which the servers' own defaults refuse.
const Mode = "STRICT_ALL_TABLES"

// Create makes the shop's tables in the database that db is connected to. It fails when one of them is there already.
// It runs on MariaDB 10.5 and later and on MySQL 8.0 and later.
func Create(ctx context.Context, db *sql.DB) error {
	conn, err := Conn(ctx, db)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // All that it did has been answered.
	for _, statement := range Statements() {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			name, _, _ := strings.Cut(statement, "(")
			return fmt.Errorf("%s: %w", strings.TrimSpace(name), err)
		}
	}
	return nil
}

// Conn takes a connection of db and sets it up as the shop's own code does. The caller closes it.
func Conn(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the shop's database: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "SET NAMES utf8mb4, sql_mode = '"+Mode+"', time_zone = '+00:00'"); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set up the connection: %w", err)
	}
	return conn, nil
}

// Statements gives the CREATE TABLE statements, one a table, without their comments.
func Statements() []string {
	var code strings.Builder
	for line := range strings.Lines(ddl) {
		if !strings.HasPrefix(line, "--") {
			code.WriteString(line)
		}
	}
	var out []string
	for statement := range strings.SplitSeq(code.String(), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			out = append(out, statement)
		}
	}
	return out
}
