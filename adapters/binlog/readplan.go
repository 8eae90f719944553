package binlog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// Errors of tables that can't be read.
const (
	errNoTable      = 1146
	errNoSchema     = 1049
	errColumnAccess = 1143
)

// readPlan is how one table is read, as long as its definition stays the same.
type readPlan struct {
	definition string // of SHOW CREATE TABLE, without what changes with its rows
	table      *change.Table
	columns    []readColumn
	keyName    string
	key        []keyColumn
	shape      string   // of the key, so that a place in another key is told
	list       []string // what is selected
}

// quote writes a name in SQL.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

var autoIncrement = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// prepare makes the plan. The definition is locked until the snapshot ends; reading a table that was changed since it began is
// an error of the server's.
func (t *Tables) prepare(ctx context.Context, schema, table string) error {
	name := quote(schema) + "." + quote(table)
	if _, err := allRows(ctx, t.session.Conn, "SELECT 1 FROM "+name+" LIMIT 0"); err != nil {
		return err
	}
	created, err := allRows(ctx, t.session.Conn, "SHOW CREATE TABLE "+name)
	if err != nil {
		return err
	}
	if len(created) != 1 || len(created[0]) != 2 {
		return &mirror.UnreadableError{What: fmt.Sprintf("%s.%s is a view, or no table", schema, table), Fix: "name the tables that it shows"}
	}
	definition := autoIncrement.ReplaceAllString(created[0][1], "")
	if p := t.plan; p != nil && p.definition == definition && p.table.Schema == schema && p.table.Name == table {
		return nil
	}
	p := &readPlan{definition: definition, table: &change.Table{Schema: schema, Name: table}}
	if err := p.readColumns(ctx, t.session.Conn, t.known); err != nil {
		return err
	}
	if err := p.readKey(ctx, t.session.Conn); err != nil {
		return err
	}
	for i := range p.columns {
		if err := p.columns[i].text.load(ctx, t.source); err != nil {
			return err
		}
	}
	t.plan = p
	return nil
}

// readColumns asks for the columns.
func (p *readPlan) readColumns(ctx context.Context, conn *sql.Conn, known *charsets) error {
	const query = "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, ''), COALESCE(NUMERIC_PRECISION, 0), COALESCE(DATETIME_PRECISION, 0), COALESCE(CHARACTER_OCTET_LENGTH, 0) " +
		"FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION"
	rows, err := conn.QueryContext(ctx, query, p.table.Schema, p.table.Name)
	if err != nil {
		return fmt.Errorf("ask for the columns of %s.%s: %w", p.table.Schema, p.table.Name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var c readColumn
		var charset string
		if err := rows.Scan(&c.name, &c.dataType, &c.columnType, &charset, &c.collation, &c.precision, &c.decimals, &c.octets); err != nil {
			return fmt.Errorf("read the columns of %s.%s: %w", p.table.Schema, p.table.Name, err)
		}
		if charset != "" {
			c.text = known.named(charset)
		}
		if err := c.settle(); err != nil {
			return &mirror.UnreadableError{What: fmt.Sprintf("the column %s of %s.%s can't be read", c.name, p.table.Schema, p.table.Name), Cause: err}
		}
		p.columns = append(p.columns, c)
		p.table.Columns = append(p.table.Columns, change.Column{Name: c.name, Type: c.columnType})
		p.list = append(p.list, quote(c.name))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the columns of %s.%s: %w", p.table.Schema, p.table.Name, err)
	}
	for i := range p.columns {
		if p.columns[i].numbered {
			p.columns[i].number = len(p.list)
			p.list = append(p.list, quote(p.columns[i].name)+" + 0")
		}
	}
	return nil
}

// named gives a charset. An unknown one can't decode anything.
func (c *charsets) named(name string) *charset {
	if name == "binary" {
		return nil
	}
	for _, one := range c.collations {
		if one.name == name {
			return one
		}
	}
	return &charset{name: name, most: 1}
}

// keyColumn is a column of the key that rows are read by.
type keyColumn struct {
	column     int
	descending bool
}

// candidate is a unique key.
type candidate struct {
	name    string
	columns []keyColumn
	why     string // it can't be used
}

// readKey finds the key: the primary one, or the shortest unique one without NULLs.
func (p *readPlan) readKey(ctx context.Context, conn *sql.Conn) error {
	const query = "SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), COALESCE(SUB_PART, 0), COALESCE(NULLABLE, ''), COALESCE(COLLATION, ''), INDEX_TYPE " +
		"FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX"
	rows, err := conn.QueryContext(ctx, query, p.table.Schema, p.table.Name)
	if err != nil {
		return fmt.Errorf("ask for the keys of %s.%s: %w", p.table.Schema, p.table.Name, err)
	}
	defer rows.Close()
	var all []candidate
	for rows.Next() {
		var name, column, nullable, order, kind string
		var part int
		if err := rows.Scan(&name, &column, &part, &nullable, &order, &kind); err != nil {
			return fmt.Errorf("read the keys of %s.%s: %w", p.table.Schema, p.table.Name, err)
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, candidate{name: name})
		}
		k := &all[len(all)-1]
		at := slices.IndexFunc(p.columns, func(c readColumn) bool { return strings.EqualFold(c.name, column) })
		switch {
		case column == "" || at < 0:
			k.why = "it has an expression"
		case part > 0:
			k.why = "it has the first " + strconv.Itoa(part) + " characters of " + column + " only"
		case nullable == "YES":
			k.why = column + " may be NULL"
		case kind != "BTREE":
			k.why = "it is a " + kind
		case !p.columns[at].ordered():
			k.why = "values of " + column + " can't be compared"
		}
		if at >= 0 && name == "PRIMARY" {
			p.table.Key = append(p.table.Key, at)
		}
		k.columns = append(k.columns, keyColumn{at, order == "D"})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the keys of %s.%s: %w", p.table.Schema, p.table.Name, err)
	}
	return p.choose(all)
}

func (p *readPlan) choose(all []candidate) error {
	var best *candidate
	var why []string
	for i := range all {
		k := &all[i]
		if k.why == "" && p.unused(k.name) {
			k.why = "the server is told not to use it"
		}
		switch {
		case k.why != "":
			why = append(why, k.name+": "+k.why)
		case best == nil, k.name == "PRIMARY", best.name != "PRIMARY" && len(k.columns) < len(best.columns):
			best = k
		}
	}
	if best == nil {
		e := &mirror.UnreadableError{
			What: fmt.Sprintf("%s.%s has no primary key, nor a unique one without NULLs, by which its rows could be read in chunks", p.table.Schema, p.table.Name),
			Fix:  "give it one, or take a copy of it by other means: docs/events.md says how",
		}
		if len(why) > 0 {
			e.Cause = errors.New(strings.Join(why, "; "))
		}
		return e
	}
	p.keyName, p.key = best.name, best.columns
	var shape strings.Builder
	for _, k := range p.key {
		c := &p.columns[k.column]
		fmt.Fprintf(&shape, "%s %s %s %t,", c.name, c.columnType, c.collation, k.descending)
		if c.keyNumber() && c.number == 0 {
			c.number = len(p.list)
			p.list = append(p.list, quote(c.name)+" + 0")
		}
	}
	p.shape = shape.String()
	return nil
}

// unused says whether the definition keeps the server from using a key: IGNORED on MariaDB, INVISIBLE on MySQL. It can't be forced to.
func (p *readPlan) unused(key string) bool {
	for line := range strings.Lines(p.definition) {
		if strings.Contains(line, "KEY "+quote(key)+" (") {
			return strings.Contains(line, " IGNORED") || strings.Contains(line, " INVISIBLE")
		}
	}
	return false
}

// keyPlace is how far reading has come, as mirror.ChunkRead.Reached has it.
type keyPlace struct {
	// Key says of what key At has the values.
	Key string   `json:"key"`
	At  []string `json:"at"`
}

// lastRow has the key of the row that was read last, which outlives the next one's coming.
type lastRow struct {
	key []driver.Value
	own [][]byte
	any bool
}

func (l *lastRow) take(raw []driver.Value, p *readPlan) {
	l.any = true
	for _, k := range p.key {
		at := p.keyAt(k)
		l.key[at] = raw[at]
		if text, ok := raw[at].([]byte); ok {
			l.own[at] = append(l.own[at][:0], text...)
			l.key[at] = l.own[at]
		}
	}
}

// reached notes the place of the row, if there was one.
func (l *lastRow) reached(p *readPlan, read *mirror.ChunkRead) (err error) {
	if l.any {
		read.Reached, err = p.reached(l.key)
	}
	return err
}

// keyAt is where a column of the key is selected.
func (p *readPlan) keyAt(k keyColumn) int {
	if c := &p.columns[k.column]; c.keyNumber() {
		return c.number
	}
	return k.column
}

// reached gives the place of a row.
func (p *readPlan) reached(raw []driver.Value) (string, error) {
	at := keyPlace{Key: p.shape, At: make([]string, len(p.key))}
	for i, k := range p.key {
		c := &p.columns[k.column]
		text, err := c.keep(raw[p.keyAt(k)])
		if err != nil {
			return "", fmt.Errorf("a row of %s.%s: its key's column %s: %w", p.table.Schema, p.table.Name, c.name, err)
		}
		at.At[i] = text
	}
	text, err := json.Marshal(at)
	return string(text), err
}

// after gives the values of a place, which literal takes; none begins. It does not fit when it is of another key.
func (p *readPlan) after(text string) (kept []string, fits bool) {
	if text == "" {
		return nil, true
	}
	var at keyPlace
	if json.Unmarshal([]byte(text), &at) != nil || at.Key != p.shape || len(at.At) != len(p.key) {
		return nil, false
	}
	for i, k := range p.key {
		if _, err := p.columns[k.column].literal(at.At[i]); err != nil {
			return nil, false
		}
	}
	return at.At, true
}

// statement reads rows behind a key. Servers compare rows, (a, b) > (1, 2), without an index; spelled out, they have a range of it
// for each line.
func (p *readPlan) statement(after []string, limit int) string {
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(p.list, ", ") + " FROM " + quote(p.table.Schema) + "." + quote(p.table.Name) + " FORCE INDEX (" + quote(p.keyName) + ")")
	for n := range after {
		b.WriteString(map[bool]string{true: " WHERE (", false: " OR ("}[n == 0])
		for i := range len(after) - n {
			k := p.key[i]
			sign := "="
			switch {
			case i < len(after)-n-1:
			case k.descending:
				sign = "<"
			default:
				sign = ">"
			}
			if i > 0 {
				b.WriteString(" AND ")
			}
			b.WriteString(p.columns[k.column].compare(sign, after[i]))
		}
		b.WriteString(")")
	}
	for i, k := range p.key {
		b.WriteString(map[bool]string{true: " ORDER BY ", false: ", "}[i == 0] + quote(p.columns[k.column].name))
		if k.descending {
			b.WriteString(" DESC")
		}
	}
	b.WriteString(" LIMIT " + strconv.Itoa(limit))
	return b.String()
}
