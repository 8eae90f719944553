package preflight

import (
	"context"
)

// checkColumns is about types of which the log has the server's own form. Generated columns, virtual ones too, and
// invisible ones are in full row images as all others are.
func (c *check) checkColumns(ctx context.Context) error {
	if !c.server.mariadb {
		return nil
	}
	where, args := c.where("table_schema")
	rows, err := c.q.all(ctx, "the columns' types", "SELECT table_schema AS s, table_name AS t, column_name AS c, data_type AS type FROM information_schema.columns"+
		" WHERE "+where+" AND data_type IN ('uuid', 'inet4', 'inet6') ORDER BY 1, 2, ordinal_position", args...)
	if err != nil {
		return err
	}
	var names, mend []string
	for _, r := range rows {
		if c.inScope(r["s"], r["t"]) {
			names = append(names, qualified(r["s"], r["t"])+"."+bare(r["c"])+" "+r["type"])
			mend = append(mend, "ALTER TABLE "+qualified(r["s"], r["t"])+" MODIFY "+bare(r["c"])+" VARCHAR(39) CHARACTER SET ascii;")
		}
	}
	if len(names) > 0 {
		c.add(Note, StoredBytes, count(len(names), "column")+" of a type that the binlog has as stored bytes only ("+list(names, c.options.MaxNames)+"): events have these bytes, not the text",
			"-- let consumers read the bytes, or make it text:\n"+lines(mend, c.options.MaxNames))
	}
	return nil
}
