package preflight

import (
	"context"
	"slices"
	"strings"
)

// table is one in scope.
type table struct {
	schema, name, kind, engine string
	partitioned, keyed         bool
}

func (t *table) String() string { return qualified(t.schema, t.name) }

// where restricts a column of schemas to those looked at. Scope decides in the end.
func (c *check) where(column string) (string, []any) {
	if len(c.options.Schemas) > 0 && c.server.variables["lower_case_table_names"] == "0" {
		names, args := in(c.options.Schemas)
		return column + " IN " + names, args
	}
	names, args := in(systemSchemas)
	return column + " NOT IN " + names, args
}

// readTables reads what there is in scope. Statistics are not asked for, since servers would have to open each table.
func (c *check) readTables(ctx context.Context) error {
	where, args := c.where("table_schema")
	rows, err := c.q.all(ctx, "the tables", "SELECT table_schema AS s, table_name AS t, table_type AS kind, IFNULL(engine, '') AS engine, IFNULL(create_options, '') AS options"+
		" FROM information_schema.tables WHERE "+where+" AND table_type NOT IN ('VIEW', 'SYSTEM VIEW', 'TEMPORARY') ORDER BY table_schema, table_name", args...)
	if err != nil {
		return err
	}
	type name struct{ schema, table string }
	byName := map[name]*table{}
	for _, r := range rows {
		if !c.inScope(r["s"], r["t"]) {
			continue
		}
		t := &table{schema: r["s"], name: r["t"], kind: r["kind"], engine: r["engine"], partitioned: strings.Contains(strings.ToLower(r["options"]), "partitioned")}
		c.tables, byName[name{t.schema, t.name}] = append(c.tables, t), t
	}
	// Not by column_key, which says PRI of unique keys, too; not by table_constraints, which MariaDB hides from readers.
	rows, err = c.q.all(ctx, "the primary keys", "SELECT DISTINCT table_schema AS s, table_name AS t FROM information_schema.statistics WHERE index_name = 'PRIMARY' AND "+where, args...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if t := byName[name{r["s"], r["t"]}]; t != nil {
			t.keyed = true
		}
	}
	return c.checkScope(ctx)
}

// checkScope is about schemas with nothing in them.
func (c *check) checkScope(ctx context.Context) error {
	if len(c.tables) == 0 {
		c.add(Error, ScopeEmpty, "no table is in scope, as far as "+c.server.account+" sees: there is nothing to mirror", "-- mend the mirror's scope, or grant SELECT on its schemas")
	}
	if len(c.options.Schemas) == 0 {
		return nil
	}
	rows, err := c.q.all(ctx, "the schemas", "SELECT schema_name AS s FROM information_schema.schemata")
	if err != nil {
		return err
	}
	var gone []string
	for _, name := range c.options.Schemas {
		if !slices.ContainsFunc(rows, func(r row) bool { return c.server.sameName(r["s"], name) }) {
			gone = append(gone, name)
		}
	}
	if len(gone) > 0 {
		c.add(Error, ScopeEmpty, "there is no schema "+list(gone, c.options.MaxNames)+", as far as "+c.server.account+" sees", "-- mend the name in the mirror's scope, or grant SELECT on it")
	}
	return nil
}

// The engines that need a word.
var (
	// elsewhere keep rows that others change without this server's binlog, or under another table's name.
	elsewhere = []string{"FEDERATED", "CONNECT", "SPIDER", "MRG_MYISAM", "MERGE", "S3", "NDBCLUSTER", "NDB", "SPHINX", "MROONGA"}
	// transactional engines roll back, and come through a crash together with the binlog.
	transactional = []string{"INNODB", "ROCKSDB", "TOKUDB"}
)

// checkTables groups tables by what is to say of them.
func (c *check) checkTables(context.Context) error {
	var away, memory, plain, keyless, versioned, sequences, parted []*table
	for _, t := range c.tables {
		engine := strings.ToUpper(t.engine)
		switch {
		case t.kind == "SEQUENCE":
			sequences = append(sequences, t)
			continue
		case slices.Contains(elsewhere, engine):
			away = append(away, t)
		case engine == "MEMORY" || engine == "HEAP":
			memory = append(memory, t)
		case engine != "" && !slices.Contains(transactional, engine):
			plain = append(plain, t)
		}
		if t.kind == "SYSTEM VERSIONED" {
			versioned = append(versioned, t)
		}
		if !t.keyed {
			keyless = append(keyless, t)
		}
		if t.partitioned {
			parted = append(parted, t)
		}
	}
	toInnoDB := func(t *table) string { return "ALTER TABLE " + t.String() + " ENGINE = InnoDB;" }
	c.addTables(Error, EngineElsewhere, away, "of an engine that keeps rows elsewhere", "they change without a trace in this binlog, or under another table's name", func(t *table) string {
		return "-- take " + t.String() + " out of the scope, or keep its rows here: " + toInnoDB(t)
	})
	c.addTables(Warning, EngineMemory, memory, "in memory only", "a restart of the server empties them, which the binlog says only when they are next used, as a TRUNCATE", toInnoDB)
	c.addTables(Warning, EnginePlain, plain, "of an engine without transactions", "what a rolled back transaction changed in them stays, and has events, and a crash of the server may leave changes without one", toInnoDB)
	c.addTables(Warning, PrimaryKey, keyless, "without a primary key", "consumers can't tell equal rows apart, nor find the row that an update is about", func(t *table) string {
		return "ALTER TABLE " + t.String() + " ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY;"
	})
	c.addTables(Error, Versioned, versioned, "with system versioning", "a deleted row comes as an update of its row_end, and each update adds an insert of the old row", func(t *table) string {
		return "-- take " + t.String() + " out of the scope, or: ALTER TABLE " + t.String() + " DROP SYSTEM VERSIONING;"
	})
	c.addTables(Note, Sequences, sequences, "of kind SEQUENCE", "now and then an insert tells which numbers are reserved, never of each number", func(t *table) string {
		return "-- take " + t.String() + " out of the scope"
	})
	c.addTables(Note, Partitions, parted, "with partitions", "ALTER TABLE … DROP, TRUNCATE and EXCHANGE PARTITION change rows without an event for each, and come as one partition event", func(t *table) string {
		return "-- delete rows of " + t.String() + " by DELETE where consumers need to know each"
	})
	return nil
}

// addTables adds a finding on tables, if there are any; mend gives a statement for each.
func (c *check) addTables(severity Severity, topic Topic, tables []*table, kind, why string, mend func(*table) string) {
	if len(tables) == 0 {
		return
	}
	var names, statements []string
	for _, t := range tables {
		name := t.String()
		if topic == EngineElsewhere || topic == EnginePlain {
			name += " " + t.engine
		}
		names, statements = append(names, name), append(statements, mend(t))
	}
	c.add(severity, topic, count(len(tables), "table")+" "+kind+" ("+list(names, c.options.MaxNames)+"): "+why, lines(statements, c.options.MaxNames))
}
