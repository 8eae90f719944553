package legacy

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/pool"
)

// ThereError says that the Get of an entity doesn't find what legacy has: something beside it is missing, or its id is none that
// the contract can say. It is no deletion.
type ThereError struct {
	// Table has the entity's row.
	Table string
	// Err is what the Get said.
	Err error
}

func (e *ThereError) Error() string {
	return fmt.Sprintf("%s has it, and its Get says that it is not there: %v", e.Table, e.Err)
}
func (e *ThereError) Unwrap() error { return e.Err }

// tells says whether a statement of the Get that finds nothing says that there is no such entity: it is the first, and reads
// the entity's first table alone. What else is missing may have been left out, or be somebody's mistake.
func (e *Event) tells(s *statement, current string) bool {
	if s == nil || s.index != 0 || !s.isQuery() {
		return false
	}
	root, variants := e.Tables[0], s.checked()
	for _, v := range variants {
		for _, t := range v.outline.Tables {
			if !strings.EqualFold(t.Name, root.Table) || !strings.EqualFold(cmp.Or(t.Schema, current), cmp.Or(root.Schema, current)) {
				return false
			}
		}
		if len(v.outline.Tables) != 1 {
			return false
		}
	}
	return len(variants) > 0
}

// there looks into an entity's first table for its row, in the transaction that is open on a connection.
func (e *Event) there(ctx context.Context, conn *pool.Conn, id string) (is bool, err error) {
	var arg driver.Value = id
	if e.GetID.Kind() != protoreflect.StringKind {
		// A number is compared as one: as a text it would be compared as a double.
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			arg = n
		} else if n, err := strconv.ParseUint(id, 10, 64); err == nil {
			arg = n
		} else if strings.Trim(id, "-0123456789") != "" || id == "" {
			return false, nil // no column of numbers has that
		}
	}
	table, column := e.root()
	err = scan(ctx, conn, "SELECT 1 FROM "+table+" WHERE "+column+" = ? LIMIT 1", []driver.Value{arg}, func([]driver.Value) { is = true })
	if err != nil {
		return false, asError(err)
	}
	return is, nil
}

// unlessThere gives nil where legacy doesn't have an entity, and a *ThereError of what was said where it does.
func (e *Event) unlessThere(ctx context.Context, conn *pool.Conn, id string, said error) error {
	is, err := e.there(ctx, conn, id)
	if err == nil && is {
		err = &ThereError{Table: e.Tables[0].name(), Err: said}
	}
	return err
}

// root gives the entity's first table and its column with the id, quoted.
func (e *Event) root() (table, column string) {
	return e.Tables[0].quoted(), quoted(e.Tables[0].Column)
}

// quoted gives the table's name, quoted.
func (t *EventTable) quoted() string {
	if t.Schema == "" {
		return quoted(t.Table)
	}
	return quoted(t.Schema) + "." + quoted(t.Table)
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
