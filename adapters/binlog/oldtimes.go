package binlog

import (
	"context"
	"fmt"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// checkOldTimes looks at columns of TIME, DATETIME and TIMESTAMP in the form that MariaDB wrote before 10.1, and still does
// with mysql56_temporal_format=OFF. The log has them without the number of their decimals, which their size depends on: it
// can be read only where there are none.
func (t *table) checkOldTimes(ctx context.Context, from *Source) error {
	var old []string
	for i := range t.columns {
		switch t.columns[i].typ {
		case typeTime, typeDatetime, typeTimestamp:
			old = append(old, t.Columns[i].Name)
		}
	}
	if len(old) == 0 {
		return nil
	}
	asked, err := from.connect(ctx)
	if err != nil {
		return passing(err)
	}
	defer asked.close()
	rows, err := asked.QueryContext(ctx, "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND DATETIME_PRECISION > 0", t.Schema, t.Name)
	if err != nil {
		return passing(fmt.Errorf("ask the legacy for the columns of %s.%s: %w", t.Schema, t.Name, err))
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return passing(fmt.Errorf("read the columns of %s.%s: %w", t.Schema, t.Name, err))
		}
		for _, column := range old {
			if strings.EqualFold(column, name) {
				return &change.StopError{
					What: fmt.Sprintf("%s.%s has the column %s with decimals of seconds in MariaDB's old form, which its log does not tell the size of", t.Schema, t.Name, name),
					Fix:  fmt.Sprintf("SET GLOBAL mysql56_temporal_format = ON; then ALTER TABLE `%s`.`%s` FORCE; then `banyan mirror reset`", t.Schema, t.Name),
				}
			}
		}
	}
	if err := rows.Err(); err != nil {
		return passing(fmt.Errorf("read the columns of %s.%s: %w", t.Schema, t.Name, err))
	}
	return nil
}
