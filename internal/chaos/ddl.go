package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// alterable are tables whose columns change in mid-stream.
func alterable() []string { return []string{"chaos_rows", "orders", "customers", "products_texts"} }

// extraColumn finds the column that earlier faults have added.
func extraColumn(ctx context.Context, db *sql.DB, table string) (name, kind string, err error) {
	const query = "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME LIKE 'chaos\\_%'"
	err = db.QueryRowContext(ctx, query, table).Scan(&name, &kind)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("look for columns: %w", err)
	}
	return name, kind, nil
}

// alter changes a table's columns.
func alter(ctx context.Context, db *sql.DB, kind Kind, dice *rand.Rand) error {
	table := alterable()[dice.IntN(len(alterable()))]
	column, was, err := extraColumn(ctx, db, table)
	if err != nil {
		return err
	}
	var change string
	switch {
	case column == "":
		change = "ADD COLUMN chaos_extra int NOT NULL DEFAULT 7" + []string{"", " FIRST"}[dice.IntN(2)]
	case kind == RenameColumn:
		change = fmt.Sprintf("RENAME COLUMN %s TO chaos_%d", column, dice.IntN(1000))
	case kind == MoveColumn:
		change = fmt.Sprintf("MODIFY %s %s NULL %s", column, was, []string{"FIRST", "AFTER " + firstColumn(table)}[dice.IntN(2)])
	case kind == RetypeColumn:
		kinds := []string{"int", "bigint unsigned", "varchar(30) CHARACTER SET latin1", "decimal(20,4)", "double"}
		change = fmt.Sprintf("MODIFY %s %s NULL", column, kinds[dice.IntN(len(kinds))])
	default: // also when a column is to be added that is there: then it goes
		change = "DROP COLUMN " + column
	}
	return execute(ctx, db, "ALTER TABLE "+table+" "+change)
}

// firstColumn is one that the table has had from the beginning.
func firstColumn(table string) string {
	return map[string]string{"chaos_rows": "id", "orders": "orders_id", "customers": "customers_id", "products_texts": "products_id"}[table]
}

// swap puts a copy in a table's place, as tools for online schema changes do at the end.
func swap(ctx context.Context, db *sql.DB, dice *rand.Rand) error {
	alters := []string{"ENGINE=InnoDB", "MODIFY n bigint NOT NULL", "MODIFY n int NOT NULL", "ADD COLUMN chaos_more varchar(9) NULL", "DROP COLUMN IF EXISTS chaos_more"}
	for _, statement := range []string{
		"DROP TABLE IF EXISTS _chaos_swapped_gho, _chaos_swapped_del",
		"CREATE TABLE _chaos_swapped_gho LIKE chaos_swapped",
		"ALTER TABLE _chaos_swapped_gho " + alters[dice.IntN(len(alters))],
		"INSERT INTO _chaos_swapped_gho (id, n) SELECT id, n FROM chaos_swapped",
		"RENAME TABLE chaos_swapped TO _chaos_swapped_del, _chaos_swapped_gho TO chaos_swapped",
		"DROP TABLE _chaos_swapped_del",
	} {
		if err := execute(ctx, db, statement); err != nil {
			return err
		}
	}
	return nil
}

func execute(ctx context.Context, db *sql.DB, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%.120s: %w", statement, err)
	}
	return nil
}
