package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
)

//go:embed schema/schema.sql
var schema string

// What the schema's data has.
const (
	seededItems      = 20_000
	seededWarehouses = 100
)

const databaseName = "bench"

// startDatabase starts a private, durable MariaDB with the data, and gives its DSN and version.
func startDatabase(ctx context.Context) (db *devstack.Database, dsn, version string, err error) {
	db, err = devstack.StartDatabase(ctx, devstack.DatabaseOptions{})
	if err != nil {
		return nil, "", "", err
	}
	dsn = db.DSN(databaseName)
	if version, err = fill(ctx, db.DSN(""), dsn); err != nil {
		return nil, "", "", errors.Join(err, stopDatabase(db))
	}
	return db, dsn, version, nil
}

func stopDatabase(db *devstack.Database) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return db.Stop(ctx)
}

// fill makes the schema and its data.
func fill(ctx context.Context, server, dsn string) (version string, err error) {
	if err := script(ctx, server, "CREATE DATABASE "+databaseName, "SELECT VERSION()", &version); err != nil {
		return "", fmt.Errorf("make the database: %w", err)
	}
	return version, seed(ctx, dsn)
}

// seed makes tables and data in an empty database.
func seed(ctx context.Context, dsn string) error {
	var items int
	if err := script(ctx, dsn, schema, "SELECT COUNT(*) FROM items", &items); err != nil {
		return fmt.Errorf("make the data: %w", err)
	}
	if items != seededItems {
		return fmt.Errorf("the data has %d items, want %d", items, seededItems)
	}
	return nil
}

// script runs statements, and a query of one value into result.
func script(ctx context.Context, dsn, statements, query string, result any) (err error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, statements); err != nil {
		return err
	}
	return db.QueryRowContext(ctx, query).Scan(result)
}
