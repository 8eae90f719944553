package alltypes

import "strings"

// column is a type of columns, with the values at its edges.
type column struct {
	// ddl is the type as CREATE TABLE has it.
	ddl string
	// on is the one server that has the type, mariadb or mysql; empty where both do.
	on string
	// event says in a few words which form the value has in an event.
	event string
	// fields are the kinds of fields that a contract can have it in.
	fields []*field
	cells  []cell
	// given are values from callers that the column would not give back.
	given []given
	// bits is a BIT's width. members are those of an ENUM, by their names in the contract.
	bits    int
	members map[string]string
	// document says that text in it is JSON.
	document bool
	// stored is an expression over v with which two stored values are compared; empty: HEX(v).
	stored string
	// about is what documentation says of the type besides.
	about string
}

// cell is a value in a column.
type cell struct {
	// sql is an expression that stores the value.
	sql string
	// event is the value in an event, as JSON. mysql is the same on MySQL, where it differs.
	event, mysql string
	// on is the one server that can hold it; empty: both.
	on string
	// utc says that it is stored in a session whose zone is UTC.
	utc bool
	// summer says that it is about summer time, so the server needs to know the zone.
	summer bool
	// unread has, by field, a part of the reason why it is not read into that field, or nothing where the field is unset
	// then; unwritten, why the value that was read is not written.
	unread, unwritten map[string]string
	// altered has, by field, what the facade makes of the value without a word: the server does it to every client.
	altered map[string]altered
	// about is what documentation says of the value.
	about string
}

// altered is what a field has instead of the value, as JSON, or nothing where it has the value; and what is stored when it
// is written back, in the form of the column's expression stored, or nothing where that is the value.
type altered struct{ read, stored string }

// given is a value from a caller, as a field's JSON, and a part of the text with which it is refused.
type given struct {
	field  *field
	json   string
	reason string
	on     string
	summer bool
}

// null is the cell that each column has.
var null = cell{sql: "NULL", event: "null"}

// by makes a map for unread and unwritten: field, reason, field, reason.
func by(pairs ...string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// columns is the table.
func columns() []column {
	var all []column
	for _, g := range groups() {
		all = append(all, g.columns...)
	}
	return all
}

// group is a part of the table under a title.
type group struct {
	title   string
	columns []column
}

func groups() []group {
	return []group{
		{"Integers, BIT and YEAR", integers()},
		{"DECIMAL, FLOAT and DOUBLE", decimals()},
		{"Text", texts()},
		{"ENUM and SET", labels()},
		{"Bytes", octets()},
		{"DATE, DATETIME and TIMESTAMP", days()},
		{"TIME", clocks()},
		{"JSON", documents()},
		{"Geometries and vectors", shapes()},
		{"MariaDB's UUID, INET6 and INET4", addresses()},
	}
}

// onServer says whether a column is one of the server's.
func (c *column) onServer(name string) bool { return c.on == "" || c.on == name }

// values gives the cells that a server can hold, NULL the first. known says whether the server knows the zone.
func (c *column) values(name string, known bool) []cell {
	out := []cell{null}
	for _, v := range c.cells {
		if !possible(v.on, v.summer, name, known) {
			continue
		}
		if name == "mysql" && v.mysql != "" {
			v.event = v.mysql
		}
		out = append(out, v)
	}
	return out
}

func possible(on string, summer bool, name string, known bool) bool {
	return (on == "" || on == name) && (known || !summer)
}

// is says whether the type begins with a word.
func (c *column) is(word string) bool {
	first, _, _ := strings.Cut(c.ddl, "(")
	first, _, _ = strings.Cut(first, " ")
	return first == word
}

// textual says that events have the column as text.
func (c *column) textual() bool {
	return c.event == aText || c.members != nil || c.document
}
