package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type fillEvent struct {
	Op, Table, Version string
	Key, Before, After map[string]any
	Children           []struct {
		Table, Rule string
		Match       map[string]any
	}
}

// keyText gives a row's key: the columns of key, in the order of their names.
func keyText(key, row map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(key)) {
		parts = append(parts, fmt.Sprint(row[name]))
	}
	return strings.Join(parts, "/")
}

func (r *fillRig) apply(body []byte) error {
	var e fillEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := r.copies[e.Table]
	if rows == nil {
		rows = map[string]copied{}
		r.copies[e.Table] = rows
	}
	put := func(key string, row map[string]any) {
		if have, there := rows[key]; !there || e.Version > have.version {
			rows[key] = copied{e.Version, row}
		}
	}
	switch e.Op {
	case "read":
		if r.reads++; e.Version < r.floors[e.Table] {
			r.late = append(r.late, fmt.Sprintf("%s came behind a truncation of %s", body, r.floors[e.Table]))
		}
		put(keyText(e.Key, e.After), e.After)
	case "insert":
		put(keyText(e.Key, e.After), e.After)
	case "update":
		if was := keyText(e.Key, e.Before); was != keyText(e.Key, e.After) {
			put(was, nil)
		}
		put(keyText(e.Key, e.After), e.After)
	case "delete":
		put(keyText(e.Key, e.Before), nil)
	case "truncate":
		r.floors[e.Table] = max(r.floors[e.Table], e.Version)
		r.removeOlder(e.Table, e.Version, nil)
	case "cascade":
		for _, c := range e.Children {
			r.removeOlder(c.Table, e.Version, c.Match)
		}
	}
	return nil
}

// removeOlder removes rows of lower versions, those that match only.
func (r *fillRig) removeOlder(table, version string, match map[string]any) {
	for key, have := range r.copies[table] {
		matches := have.row != nil && have.version < version
		for name, v := range match {
			matches = matches && fmt.Sprint(have.row[name]) == fmt.Sprint(v)
		}
		if matches {
			r.copies[table][key] = copied{version, nil}
		}
	}
}

// differs says how the copy of a table differs from it.
func (r *fillRig) differs(ctx context.Context, table string, columns ...string) error {
	rows, err := r.db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	want := map[string]bool{}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		var parts []string
		for i := range values {
			parts = append(parts, values[i].String)
		}
		want[strings.Join(parts, "|")] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var extra []string
	for _, have := range r.copies[table] {
		if have.row == nil {
			continue
		}
		var parts []string
		for _, name := range columns {
			parts = append(parts, fmt.Sprint(have.row[name]))
		}
		text := strings.Join(parts, "|")
		if !want[text] {
			extra = append(extra, text+" of "+have.version)
		}
		delete(want, text)
	}
	if len(want)+len(extra) > 0 {
		missing := slices.Collect(maps.Keys(want))
		return fmt.Errorf("%s: %d rows are missing, such as %q, and %d are there that should not be, such as %q", table, len(want), missing[:min(3, len(missing))], len(extra), extra[:min(3, len(extra))])
	}
	return nil
}
