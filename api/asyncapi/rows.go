package asyncapi

// rows describes the events of changed rows and tables, as docs/events.md has them, and where they are to be had.
func (b *builder) rows() {
	b.schemas["Row"] = object{"type": "object", "additionalProperties": true, "description": "A row's columns by name; docs/types.md says how each type looks."}
	row := ref("schemas", "Row")
	common := func(ops []any, more object, required ...string) object {
		properties := object{
			"op": object{"enum": ops}, "schema": text("The database."), "table": text("The table, as it was called then; empty where a whole schema is concerned."),
			"version": object{"type": "string", "pattern": versionPattern}, "origin": object{"enum": []any{"banyan", "foreign"}, "description": "Whether it came through Banyan."},
			"writer":    text("The replica of Banyan that it came through."),
			"writeback": object{"type": "boolean", "description": "Banyan brings to legacy what a new service has written."},
			"committed": object{"type": "string", "format": "date-time"},
			"transaction": object{
				"type": "object", "properties": object{"id": text("Its GTID."), "row": object{"type": "integer", "minimum": 1, "description": "The change's number in it."}}, "required": []string{"id", "row"},
			},
		}
		for name, schema := range more {
			properties[name] = schema
		}
		return object{"type": "object", "properties": properties, "required": append([]string{"op", "schema", "table", "version", "origin", "committed", "transaction"}, required...)}
	}
	key := object{"allOf": []any{row}, "description": "The primary key's columns; absent in a table without one."}
	names := []string{}
	add := func(name, title, summary string, payload object) {
		b.message(name, name, title, summary, rowHeaders, payload)
		names = append(names, name)
	}
	add("dev.banyan.row.insert.v1", "Insert", "A row is there.", common([]any{"insert"}, object{"key": key, "after": row}, "after"))
	add("dev.banyan.row.update.v1", "Update", "A row is another; where its key is, before has the old one.", common([]any{"update"}, object{"key": key, "before": row, "after": row}, "before", "after"))
	add("dev.banyan.row.delete.v1", "Delete", "A row is gone.", common([]any{"delete"}, object{"key": key, "before": row}, "before"))
	add("dev.banyan.row.read.v1", "Read", "A row as it was, sent by a backfill: take it if its version is greater than what there is of its key.", object{
		"type": "object", "properties": object{
			"op": object{"enum": []any{"read"}}, "schema": text("The database."), "table": text("The table."), "key": key, "after": row,
			"version": object{"type": "string", "pattern": versionPattern, "description": "Of the snapshot that it was read in."},
			"read":    object{"type": "string", "format": "date-time", "description": "When it was read, by the mirror's clock."},
			"backfill": object{
				"type": "object", "properties": object{
					"id": object{"type": "integer", "minimum": 1, "description": "The backfill's number."}, "row": object{"type": "integer", "minimum": 1, "description": "The row's number in it."},
				}, "required": []string{"id", "row"},
			},
		}, "required": []string{"op", "schema", "table", "after", "version", "read", "backfill"},
	})
	b.schemas["Child"] = object{
		"type": "object", "description": "What a foreign key did to a child table.",
		"properties": object{
			"constraint": text("The foreign key."), "schema": text("The child's database."), "table": text("The child."), "rule": text("CASCADE, SET NULL or SET DEFAULT."),
			"match": row, "set": row, "columns": list(object{"type": "string"}, "The child's columns, below the first level."),
			"references": list(object{"type": "string"}, "The columns that they refer to."), "children": list(ref("schemas", "Child"), "Those of the child."),
		},
	}
	add("dev.banyan.row.cascade.v1", "Cascade", "What foreign keys did below the log: the rows that match are gone, or have what set says.",
		common([]any{"cascade"}, object{"key": key, "cause": object{"enum": []any{"delete", "update"}}, "children": list(ref("schemas", "Child"), "")}, "cause", "children"))
	add("dev.banyan.row.opaque.v1", "Opaque", "Rows changed, and nobody can tell which: a copy of the table has to be taken anew.", common([]any{"opaque"}, object{"statement": text("SQL.")}))
	for _, op := range []string{"create", "alter", "drop", "rename", "truncate", "partition"} {
		more := object{"statement": text("SQL.")}
		if op == "rename" {
			more["to"] = object{"type": "object", "properties": object{"schema": text("The new database."), "table": text("The new name.")}, "required": []string{"schema", "table"}}
		}
		add("dev.banyan.table."+op+".v1", "Table: "+op, "What happened to a whole table.", common([]any{op}, more, "statement"))
	}
	if b.o.Exchange != "" {
		b.add("rows", object{
			"address": "row.{table}.{op}", "title": "Events of rows and tables", "servers": b.on("amqp"), "bindings": b.exchange(b.o.Exchange, "topic"),
			"description": "The topic exchange. Bind a durable queue to it; * stands for one word of a routing key, # for any number.",
			"parameters": object{
				"table": object{"description": "The table's name; dots, blanks and whatever else could be mistaken are percent-encoded."},
				"op":    object{"description": "What happened."},
			},
		}, names, "send.rows", object{"summary": "In the order of commits."})
	}
	if b.o.History != "" {
		servers := b.on("amqp")
		if b.o.Native {
			servers = append(servers, b.on("rabbitmq-stream")...)
		}
		b.add("history", object{
			"address": b.o.History, "title": "The history", "servers": servers, "bindings": b.queue(b.o.History),
			"description": "The stream that keeps all events of rows and tables for a while. Any number may read it, each from where it likes.",
		}, names, "keep.rows", object{"summary": "Every event."})
	}
}
