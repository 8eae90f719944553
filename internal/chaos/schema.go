package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/schema"
)

// shopSchema is the legacy's schema.
const shopSchema = "shop"

// ownTables are those that the shop doesn't have: each is written in a way of its own.
func ownTables() []string {
	return []string{
		"CREATE TABLE chaos_rows (id bigint unsigned PRIMARY KEY, n int NOT NULL, name varchar(40) CHARACTER SET latin1 NOT NULL, raw varbinary(16), at timestamp(6) NULL, amount decimal(20,6), note text) ENGINE=InnoDB",
		"CREATE TABLE chaos_loose (name varchar(20) NOT NULL, n int NOT NULL) ENGINE=InnoDB",
		"CREATE TABLE chaos_parents (id int PRIMARY KEY) ENGINE=InnoDB",
		"CREATE TABLE chaos_children (id int AUTO_INCREMENT PRIMARY KEY, parent int NOT NULL, CONSTRAINT chaos_of_parent FOREIGN KEY (parent) REFERENCES chaos_parents (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB",
		"CREATE TABLE chaos_toys (id int AUTO_INCREMENT PRIMARY KEY, child int NULL, CONSTRAINT chaos_of_child FOREIGN KEY (child) REFERENCES chaos_children (id) ON DELETE SET NULL) ENGINE=InnoDB",
		"CREATE TABLE chaos_trail (id int AUTO_INCREMENT PRIMARY KEY, of bigint unsigned NOT NULL, was int, is_now int) ENGINE=InnoDB",
		"CREATE TRIGGER chaos_rows_changed AFTER UPDATE ON chaos_rows FOR EACH ROW INSERT INTO chaos_trail (of, was, is_now) VALUES (NEW.id, OLD.n, NEW.n)",
		"CREATE TABLE chaos_swapped (id int PRIMARY KEY, n int NOT NULL) ENGINE=InnoDB",
		"CREATE TABLE chaos_small (id int PRIMARY KEY, n int NOT NULL) ENGINE=InnoDB",
		"CREATE TABLE chaos_isam (id int PRIMARY KEY, n int NOT NULL) ENGINE=MyISAM",
	}
}

// makeShop makes and fills all tables. The shop's own are InnoDB here: what a MyISAM table has after a kill of MariaDB
// and what the binlog has are two things, and no fault of the mirror's.
func makeShop(ctx context.Context, db *sql.DB, seed uint64) error {
	conn, err := schema.Conn(ctx, db)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // All that it did has been answered.
	for _, statement := range append(schema.Statements(), ownTables()...) {
		if !strings.Contains(statement, "chaos_isam") {
			statement = strings.ReplaceAll(statement, "ENGINE=MyISAM", "ENGINE=InnoDB")
		}
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return generate.Generate(ctx, db, generate.Options{Seed: seed, Customers: 60, Products: 40, Orders: 80})
}
