package schema_test

import (
	"database/sql"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/internal/devstack"
)

// What DESIGN.md's section on the old shop names has to be in the schema, so that the rest is tried on it.
func TestCreateMakesTheOddities(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db, err := sql.Open("mysql", server.NewSchema(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			if err := schema.Create(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			for what, c := range oddities {
				var n int
				if err := db.QueryRowContext(t.Context(), c.query).Scan(&n); err != nil {
					t.Errorf("%s: %v", what, err)
				} else if n < c.least || c.most >= 0 && n > c.most {
					t.Errorf("%s: found %d, want %d to %d", what, n, c.least, c.most)
				}
			}
			if err := schema.Create(t.Context(), db); err == nil {
				t.Error("making the tables twice did not fail")
			}
		})
	}
}

const (
	tables  = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
	columns = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() "
)

var oddities = map[string]struct {
	query       string
	least, most int // most < 0: any number
}{
	"tables":                     {tables, 20, -1},
	"foreign keys":               {"SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()", 0, 0},
	"MyISAM catalogue":           {tables + "AND ENGINE = 'MyISAM' AND TABLE_NAME IN ('products', 'products_texts', 'categories', 'makers')", 4, 4},
	"InnoDB orders and stock":    {tables + "AND ENGINE = 'InnoDB' AND TABLE_NAME IN ('orders', 'orders_positions', 'orders_total', 'orders_log', 'products_stock', 'customers', 'counters')", 7, 7},
	"latin1 tables":              {tables + "AND TABLE_COLLATION LIKE 'latin1%'", 10, -1},
	"utf8mb4 tables":             {tables + "AND TABLE_COLLATION LIKE 'utf8mb4%'", 3, -1},
	"tables without any key":     {tables + "AND TABLE_NAME NOT IN (SELECT TABLE_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'PRIMARY')", 5, -1},
	"zero dates":                 {columns + "AND IS_NULLABLE = 'NO' AND COLUMN_DEFAULT LIKE '%0000-00-00 00:00:00%'", 8, -1},
	"booleans as tinyint(1)":     {columns + "AND COLUMN_NAME IN ('customers_locked', 'log_mailed') AND DATA_TYPE = 'tinyint'", 2, 2},
	"booleans as int":            {columns + "AND COLUMN_NAME = 'products_download' AND DATA_TYPE = 'int'", 1, 1},
	"booleans as char(1)":        {columns + "AND COLUMN_NAME IN ('products_active', 'orders_gift') AND COLUMN_TYPE = 'char(1)'", 2, 2},
	"booleans as enum":           {columns + "AND COLUMN_TYPE = 'enum(''Y'',''N'')'", 3, -1},
	"epoch times as text":        {columns + "AND COLUMN_TYPE = 'varchar(14)'", 6, -1},
	"awkward names":              {columns + "AND COLUMN_NAME IN ('key', 'group', 'order_') AND TABLE_NAME = 'configuration'", 3, 3},
	"money":                      {columns + "AND COLUMN_TYPE = 'decimal(15,4)'", 4, -1},
	"rate snapshot":              {columns + "AND COLUMN_TYPE = 'decimal(14,6)' AND TABLE_NAME = 'orders'", 1, 1},
	"three addresses":            {columns + "AND TABLE_NAME = 'orders' AND COLUMN_NAME LIKE 'orders\\_%\\_country'", 3, 3},
	"status without a counter":   {columns + "AND TABLE_NAME = 'orders_status' AND COLUMN_KEY = 'PRI' AND EXTRA = ''", 2, 2},
	"types of customers_id":      {"SELECT COUNT(DISTINCT DATA_TYPE) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME IN ('customers_id', 'points_customer')", 3, 3},
	"hash and card are in there": {columns + "AND COLUMN_NAME IN ('customers_password', 'orders_card_number')", 2, 2},
}
