package legacy

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/legacy/value"
)

// schema is what the server says of its tables: columns and unique keys. Names are kept in lower case, since MySQL
// compares column names so, and table names at least on some systems.
type schema struct {
	current string // the database that unqualified names mean
	tables  map[string]*table
}

type table struct {
	columns map[string]value.Column
	// collations are those of the columns with text.
	collations map[string]string
	uniques    [][]string // columns of each unique key without NULLs, the primary key first
	engine     string
	keys       []foreignKey // those that change its rows

	transactional bool
}

// table finds a table; nil when there is none.
func (s *schema) table(schemaName, name string) *table {
	if schemaName == "" {
		schemaName = s.current
	}
	return s.tables[strings.ToLower(schemaName+"."+name)]
}

// loadSchema reads the columns and unique keys of the current database and of those named.
func loadSchema(ctx context.Context, conn *pool.Conn, others []string) (*schema, error) {
	s := &schema{tables: map[string]*table{}}
	err := scan(ctx, conn, "SELECT IFNULL(DATABASE(), '')", nil, func(row []driver.Value) {
		s.current = text(row[0])
	})
	if err != nil {
		return nil, err
	}
	if s.current == "" {
		return nil, &mysql.MySQLError{Number: 1046, Message: "No database selected"}
	}
	names := append([]string{s.current}, others...)
	args := make([]driver.Value, len(names))
	for i, n := range names {
		args[i] = n
	}
	in := strings.TrimSuffix(strings.Repeat("?,", len(names)), ",")
	err = scan(ctx, conn, "SELECT table_schema, table_name, column_name, UPPER(data_type), column_type, is_nullable,"+
		" IFNULL(character_maximum_length, 0), IFNULL(numeric_precision, 0), IFNULL(numeric_scale, 0), IFNULL(datetime_precision, 0), IFNULL(collation_name, '')"+
		" FROM information_schema.columns WHERE table_schema IN ("+in+")", args, func(row []driver.Value) {
		key := strings.ToLower(text(row[0]) + "." + text(row[1]))
		t := s.tables[key]
		if t == nil {
			t = &table{columns: map[string]value.Column{}, collations: map[string]string{}}
			s.tables[key] = t
		}
		t.columns[strings.ToLower(text(row[2]))] = schemaColumn(row)
		t.collations[strings.ToLower(text(row[2]))] = text(row[10])
	})
	if err != nil {
		return nil, err
	}
	err = scan(ctx, conn, "SELECT t.table_schema, t.table_name, IFNULL(t.engine, ''), IFNULL(e.transactions, 'NO') FROM information_schema.tables t"+
		" LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE t.table_schema IN ("+in+")", args, func(row []driver.Value) {
		if t := s.tables[strings.ToLower(text(row[0])+"."+text(row[1]))]; t != nil {
			t.engine, t.transactional = text(row[2]), text(row[2]) == "" || text(row[3]) == "YES"
		}
	})
	if err != nil {
		return nil, err
	}
	var last string
	err = scan(ctx, conn, "SELECT s.table_schema, s.table_name, s.index_name, s.column_name FROM information_schema.statistics s"+
		" WHERE s.table_schema IN ("+in+") AND s.non_unique = 0 AND s.column_name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM information_schema.statistics n"+
		" WHERE n.table_schema = s.table_schema AND n.table_name = s.table_name AND n.index_name = s.index_name AND n.nullable = 'YES')"+
		" ORDER BY s.table_schema, s.table_name, s.index_name = 'PRIMARY' DESC, s.index_name, s.seq_in_index", args, func(row []driver.Value) {
		t := s.tables[strings.ToLower(text(row[0])+"."+text(row[1]))]
		if t == nil {
			return
		}
		if key := text(row[0]) + "." + text(row[1]) + "." + text(row[2]); key != last {
			last = key
			t.uniques = append(t.uniques, nil)
		}
		i := len(t.uniques) - 1
		t.uniques[i] = append(t.uniques[i], strings.ToLower(text(row[3])))
	})
	if err != nil {
		return nil, err
	}
	return s, s.loadForeignKeys(ctx, conn, in, args)
}

// schemaColumn describes a table's column as a result's columns are described.
func schemaColumn(row []driver.Value) value.Column {
	kind, full := text(row[3]), text(row[4])
	switch kind {
	case "TINYTEXT", "MEDIUMTEXT", "LONGTEXT":
		kind = "TEXT"
	case "TINYBLOB", "MEDIUMBLOB", "LONGBLOB":
		kind = "BLOB"
	}
	if strings.Contains(strings.ToUpper(full), "UNSIGNED") && strings.HasSuffix(kind, "INT") {
		kind = "UNSIGNED " + kind
	}
	c := value.Column{
		Name: text(row[2]), Type: kind, Nullable: text(row[5]) == "YES",
		Length: number(row[6]), Precision: number(row[7]), Scale: number(row[8]),
	}
	switch kind {
	case "DECIMAL":
		c.Known = true
	case "FLOAT", "DOUBLE":
		c.Known = strings.Contains(full, ",") // FLOAT(M,D) rounds to D decimals
	case "DATETIME", "TIMESTAMP", "TIME":
		c.Scale, c.Known = number(row[9]), true
	case "BIT":
		c.Length = c.Precision
	case "ENUM", "SET":
		c.Members = members(full)
	}
	return c
}

// members reads the values of enum('a','b').
func members(columnType string) []string {
	open, end := strings.IndexByte(columnType, '('), strings.LastIndexByte(columnType, ')')
	if open < 0 || end < open {
		return nil
	}
	var out []string
	var cur strings.Builder
	in := false
	for i := open + 1; i < end; i++ {
		switch c := columnType[i]; {
		case c != '\'' && in:
			cur.WriteByte(c)
		case c != '\'':
		case in && i+1 < end && columnType[i+1] == '\'':
			cur.WriteByte(c)
			i++
		case in:
			out = append(out, cur.String())
			cur.Reset()
			in = false
		default:
			in = true
		}
	}
	return out
}

// scan runs a query and hands each row to fn; the values are the row's only until fn returns.
func scan(ctx context.Context, conn *pool.Conn, sql string, args []driver.Value, fn func([]driver.Value)) error {
	rows, err := conn.Query(ctx, sql, args)
	if err != nil {
		return err
	}
	return eachRow(rows, fn)
}

// eachRow gives all rows of a result, which it ends.
func eachRow(rows *pool.Rows, fn func([]driver.Value)) error {
	row := make([]driver.Value, len(rows.Columns()))
	for {
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return rows.Close()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
		fn(row)
	}
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func number(v driver.Value) int64 {
	n, err := strconv.ParseInt(text(v), 10, 64)
	if err != nil {
		return 0 // a LONGTEXT's length is beyond use as a bound
	}
	return n
}

// parseCode reads an enum's integer code.
func parseCode(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
