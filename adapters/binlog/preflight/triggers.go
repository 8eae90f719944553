package preflight

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
)

// writes finds the tables that a trigger's text names in statements that write; what it calls is not followed.
var writes = regexp.MustCompile("(?i)\\b(KEY\\s+|FOR\\s+)?(?:INSERT(?:\\s+(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE))*\\s+INTO|INSERT|REPLACE(?:\\s+INTO)?|UPDATE(?:\\s+(?:LOW_PRIORITY|IGNORE))*|DELETE(?:\\s+(?:LOW_PRIORITY|QUICK|IGNORE))*\\s+FROM)\\s+" +
	"((?:`(?:[^`]|``)+`|[\\w$\\x80-\\x{10ffff}]+)(?:\\s*\\.\\s*(?:`(?:[^`]|``)+`|[\\w$\\x80-\\x{10ffff}]+))?)")

// checkTriggers is about what a change sets off. Under binlog_format=ROW the log has the triggers' own changes.
func (c *check) checkTriggers(ctx context.Context) error {
	where, args := c.where("trigger_schema")
	rows, err := c.q.all(ctx, "the triggers", "SELECT trigger_schema AS s, event_object_table AS t, trigger_name AS n, action_statement AS body"+
		" FROM information_schema.triggers WHERE "+where+" ORDER BY 1, 2, 3", args...)
	if err != nil {
		return err
	}
	var texts, mend []string
	outside := 0
	for _, r := range rows {
		if !c.inScope(r["s"], r["t"]) {
			continue
		}
		text := qualified(r["s"], r["t"]) + " by " + bare(r["n"])
		if into, out := c.written(r["s"], r["body"]); len(into) > 0 {
			text += " → " + strings.Join(into, ", ")
			outside += out
		}
		texts = append(texts, text)
		mend = append(mend, "SHOW CREATE TRIGGER "+qualified(r["s"], r["n"])+";")
	}
	if len(texts) == 0 {
		return nil
	}
	what := count(len(texts), "trigger") + " (" + list(texts, c.options.MaxNames) + "): what they change comes as events of its own, in the transaction that set them off"
	if outside > 0 {
		what += ", save in tables out of scope"
	}
	c.add(Note, Triggers, what+"; what a foreign key changes sets none off", "-- nothing has to be done; see what they do:\n"+lines(mend, c.options.MaxNames))
	return nil
}

// written gives the tables that a trigger of a schema writes, and how many of them are out of scope.
func (c *check) written(schema, body string) (names []string, outside int) {
	for _, m := range writes.FindAllStringSubmatch(body, -1) {
		if m[1] != "" {
			continue // ON DUPLICATE KEY UPDATE, or SELECT … FOR UPDATE.
		}
		in, name := cut(m[2], ".")
		if name == "" {
			in, name = schema, in
		}
		in, name = cmp.Or(unquote(strings.TrimSpace(in)), schema), unquote(strings.TrimSpace(name))
		text := qualified(in, name)
		if !c.inScope(in, name) {
			text += " (out of scope)"
		}
		if !slices.Contains(names, text) {
			names = append(names, text)
			if !c.inScope(in, name) {
				outside++
			}
		}
	}
	return names, outside
}
