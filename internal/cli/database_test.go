package cli_test

import (
	"database/sql"
	"strings"

	_ "github.com/go-sql-driver/mysql"
)

// execute runs the statements of a file, each of which ends with a line's last semicolon.
func execute(dsn, statements string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for statement := range strings.SplitSeq(statements, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}
