package replica

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

const cascade change.Op = "cascade"

// cascade does to children what the log doesn't have, going by what the event says of foreign keys.
func (c *Consumer) cascade(ctx context.Context, e *event) error {
	for i := range e.Children {
		child := &e.Children[i]
		t, err := c.tables.of(ctx, c.conn, child.Schema, child.Table)
		if err != nil {
			return err
		}
		match, err := t.literals(child.Match)
		if err != nil {
			return err
		}
		set, err := t.literals(child.Set)
		if err != nil {
			return err
		}
		if err := c.cascadeInto(ctx, child, t, match, set); err != nil {
			return err
		}
	}
	return nil
}

// literals gives values as SQL, by column.
func (t *table) literals(row values) (map[string]string, error) {
	out := make(map[string]string, len(row))
	for name, raw := range row {
		column, err := t.column(name)
		if err != nil {
			return nil, err
		}
		literal, err := column.appendLiteral(nil, raw)
		if err != nil {
			return nil, err
		}
		out[name] = string(literal)
	}
	return out, nil
}

// cascadeInto deletes or changes the children that match, those that hang on them first.
func (c *Consumer) cascadeInto(ctx context.Context, child *child, t *table, match, set map[string]string) error {
	removes := child.Rule == "CASCADE" && len(set) == 0
	for i := range child.Children {
		next := &child.Children[i]
		under, err := c.tables.of(ctx, c.conn, next.Schema, next.Table)
		if err != nil {
			return err
		}
		parents, err := c.distinct(ctx, t, next.References, match)
		if err != nil {
			return err
		}
		for _, parent := range parents {
			nextMatch, nextSet := map[string]string{}, map[string]string{}
			for j, column := range next.Columns {
				nextMatch[column] = parent[j]
				if removes && next.Rule == "CASCADE" {
					continue
				}
				value, changed := set[next.References[j]]
				switch {
				case next.Rule == "SET NULL":
					value = "NULL"
				case !changed:
					value = parent[j]
				}
				nextSet[column] = value
			}
			if err := c.cascadeInto(ctx, next, under, nextMatch, nextSet); err != nil {
				return err
			}
		}
	}
	switch {
	case removes:
		return c.exec(ctx, "DELETE FROM "+t.name+" WHERE "+pairs(match, " AND "))
	case len(set) > 0:
		return c.exec(ctx, "UPDATE "+t.name+" SET "+pairs(set, ", ")+" WHERE "+pairs(match, " AND "))
	default:
		return fmt.Errorf("the event does not say what %s does to %s", child.Rule, t.name)
	}
}

func pairs(of map[string]string, between string) string {
	var parts []string
	for name, literal := range of {
		parts = append(parts, quoteName(name)+" = "+literal)
	}
	return strings.Join(parts, between)
}

// distinct gives the different values that matching rows have in some columns, as SQL.
func (c *Consumer) distinct(ctx context.Context, t *table, names []string, match map[string]string) ([][]string, error) {
	columns := make([]*column, len(names))
	quoted := make([]string, len(names))
	for i, name := range names {
		var err error
		if columns[i], err = t.column(name); err != nil {
			return nil, err
		}
		quoted[i] = quoteName(name)
	}
	var out [][]string
	query := "SELECT DISTINCT " + strings.Join(quoted, ", ") + " FROM " + t.name + " WHERE " + pairs(match, " AND ")
	err := each(ctx, c.conn, query, nil, func(rows *sql.Rows) error {
		raw := make([]sql.RawBytes, len(names))
		into := make([]any, len(names))
		for i := range raw {
			into[i] = &raw[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		tuple := make([]string, len(names))
		for i := range raw {
			literal, err := columns[i].appendStored(nil, raw[i])
			if err != nil {
				return err
			}
			tuple[i] = string(literal)
		}
		out = append(out, tuple)
		return nil
	})
	return out, err
}
