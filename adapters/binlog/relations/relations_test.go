package relations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
)

// schemaOf gives an open connection to a new schema, and its name.
func schemaOf(t *testing.T, server *devstack.Server) (*sql.DB, string) {
	t.Helper()
	dsn := server.NewSchema(t)
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, config.DBName
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// read gives the graph of a server, also where the server logs cascades.
func read(t *testing.T, db *sql.DB) *graph {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	found, err := readConstraints(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return newGraph(found, false)
}

// text writes relations one a line, children indented: table(columns→parents) delete/update.
func text(relations []mirror.Relation, indent string) string {
	var b strings.Builder
	for _, r := range relations {
		fmt.Fprintf(&b, "%s%s(%s→%s)", indent, r.Table, strings.Join(r.Columns, ","), strings.Join(r.Parents, ","))
		if r.OnDelete != "" {
			b.WriteString(" delete:" + r.OnDelete)
		}
		if r.OnUpdate != "" {
			b.WriteString(" update:" + r.OnUpdate)
		}
		b.WriteString("\n" + text(r.Next, indent+"  "))
	}
	return b.String()
}

func TestRelationsAsTheServerKnowsThem(t *testing.T) {
	for _, test := range []struct {
		name   string
		tables []string
		of     string
		want   string
	}{
		{
			"a table that refers to itself",
			[]string{"CREATE TABLE tree (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE ON UPDATE CASCADE)"},
			"tree",
			"tree(up→id) delete:CASCADE\n  tree(up→id) delete:CASCADE\n",
		},
		{
			"a chain of three",
			[]string{
				"CREATE TABLE a (id INT PRIMARY KEY, code INT UNIQUE)",
				"CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)",
				"CREATE TABLE c (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE)",
				"CREATE TABLE d (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id) ON DELETE SET NULL)",
			},
			"a",
			"b(a→id) delete:CASCADE\n  c(b→id) delete:CASCADE\n    d(c→id) delete:SET NULL\n",
		},
		{
			"rules that only restrict",
			[]string{
				"CREATE TABLE a (id INT PRIMARY KEY)",
				"CREATE TABLE b (a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE RESTRICT ON UPDATE NO ACTION)",
				"CREATE TABLE c (a INT, FOREIGN KEY (a) REFERENCES a (id))",
			},
			"a",
			"",
		},
		{
			"composite keys",
			[]string{
				"CREATE TABLE a (x INT, y INT, PRIMARY KEY (x, y))",
				"CREATE TABLE b (id INT PRIMARY KEY, q INT, p INT, FOREIGN KEY (p, q) REFERENCES a (x, y) ON DELETE CASCADE ON UPDATE CASCADE)",
			},
			"a",
			"b(p,q→x,y) delete:CASCADE update:CASCADE\n",
		},
		{
			"an update goes on only where what it changes is referred to",
			[]string{
				"CREATE TABLE a (x INT UNIQUE, y INT, PRIMARY KEY (x, y))",
				"CREATE TABLE b (id INT PRIMARY KEY, p INT UNIQUE, other INT UNIQUE, FOREIGN KEY (p) REFERENCES a (x) ON UPDATE CASCADE)",
				"CREATE TABLE c1 (p INT UNIQUE, FOREIGN KEY (p) REFERENCES b (p) ON UPDATE CASCADE)",
				"CREATE TABLE c2 (other INT, FOREIGN KEY (other) REFERENCES b (other) ON UPDATE CASCADE)",
				"CREATE TABLE c3 (id INT, FOREIGN KEY (id) REFERENCES b (id) ON DELETE CASCADE ON UPDATE CASCADE)",
				"CREATE TABLE d (p INT, FOREIGN KEY (p) REFERENCES c1 (p) ON UPDATE SET NULL)",
			},
			"a",
			"b(p→x) update:CASCADE\n  c1(p→p) update:CASCADE\n    d(p→p) update:SET NULL\n",
		},
		{
			"what is set NULL goes on as an update",
			[]string{
				"CREATE TABLE a (id INT PRIMARY KEY)",
				"CREATE TABLE b (id INT PRIMARY KEY, a INT UNIQUE, FOREIGN KEY (a) REFERENCES a (id) ON DELETE SET NULL)",
				"CREATE TABLE c (a INT, FOREIGN KEY (a) REFERENCES b (a) ON DELETE CASCADE ON UPDATE SET NULL)",
			},
			"a",
			"b(a→id) delete:SET NULL\n  c(a→a) update:SET NULL\n",
		},
		{
			"a circle of two",
			[]string{
				"CREATE TABLE a (id INT PRIMARY KEY, b INT)",
				"CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)",
				"ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE",
			},
			"a",
			"b(a→id) delete:CASCADE\n  a(b→id) delete:CASCADE\n    b(a→id) delete:CASCADE\n",
		},
		{
			"odd names",
			[]string{
				"CREATE TABLE `2 p.ö` (`the id` INT PRIMARY KEY)",
				"CREATE TABLE `c'``` (`a,b` INT, FOREIGN KEY (`a,b`) REFERENCES `2 p.ö` (`the id`) ON DELETE CASCADE)",
			},
			"2 p.ö",
			"c'`(a,b→the id) delete:CASCADE\n",
		},
		{
			"tables of a monitoring system",
			zabbixLike,
			"hosts",
			`hosts_groups(hostid→hostid) delete:CASCADE
interface(hostid→hostid) delete:CASCADE
items(hostid→hostid) delete:CASCADE
  functions(itemid→itemid) delete:CASCADE
  items(templateid→itemid) delete:CASCADE
    functions(itemid→itemid) delete:CASCADE
    items(templateid→itemid) delete:CASCADE
maintenances_hosts(hostid→hostid) delete:CASCADE
sysmaps(background→hostid) delete:SET NULL
`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, server := range devstack.Databases(t) {
				t.Run(server.Name, func(t *testing.T) {
					db, schema := schemaOf(t, server)
					run(t, db, test.tables...)
					if got := text(read(t, db).of(schema, test.of), ""); got != test.want {
						t.Errorf("got\n%swant\n%s", got, test.want)
					}
				})
			}
		})
	}
}

// zabbixLike has the shape of Zabbix's: one parent with many children, templates that refer to their own table.
var zabbixLike = []string{
	"CREATE TABLE hosts (hostid BIGINT UNSIGNED PRIMARY KEY, host VARCHAR(128))",
	"CREATE TABLE hstgrp (groupid BIGINT UNSIGNED PRIMARY KEY)",
	`CREATE TABLE hosts_groups (id BIGINT UNSIGNED PRIMARY KEY, hostid BIGINT UNSIGNED NOT NULL, groupid BIGINT UNSIGNED NOT NULL,
		CONSTRAINT c1 FOREIGN KEY (hostid) REFERENCES hosts (hostid) ON DELETE CASCADE, CONSTRAINT c2 FOREIGN KEY (groupid) REFERENCES hstgrp (groupid) ON DELETE CASCADE)`,
	"CREATE TABLE interface (interfaceid BIGINT UNSIGNED PRIMARY KEY, hostid BIGINT UNSIGNED NOT NULL, FOREIGN KEY (hostid) REFERENCES hosts (hostid) ON DELETE CASCADE)",
	`CREATE TABLE items (itemid BIGINT UNSIGNED PRIMARY KEY, hostid BIGINT UNSIGNED NOT NULL, templateid BIGINT UNSIGNED, interfaceid BIGINT UNSIGNED,
		CONSTRAINT i1 FOREIGN KEY (hostid) REFERENCES hosts (hostid) ON DELETE CASCADE,
		CONSTRAINT i2 FOREIGN KEY (templateid) REFERENCES items (itemid) ON DELETE CASCADE,
		CONSTRAINT i3 FOREIGN KEY (interfaceid) REFERENCES interface (interfaceid))`,
	"CREATE TABLE functions (functionid BIGINT UNSIGNED PRIMARY KEY, itemid BIGINT UNSIGNED NOT NULL, FOREIGN KEY (itemid) REFERENCES items (itemid) ON DELETE CASCADE)",
	"CREATE TABLE maintenances_hosts (id BIGINT UNSIGNED PRIMARY KEY, hostid BIGINT UNSIGNED NOT NULL, FOREIGN KEY (hostid) REFERENCES hosts (hostid) ON DELETE CASCADE)",
	"CREATE TABLE sysmaps (id BIGINT UNSIGNED PRIMARY KEY, background BIGINT UNSIGNED, FOREIGN KEY (background) REFERENCES hosts (hostid) ON DELETE SET NULL)",
}

func TestChildrenInOtherSchemas(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			parent, parents := schemaOf(t, server)
			child, children := schemaOf(t, server)
			run(t, parent, "CREATE TABLE p (id INT PRIMARY KEY)")
			run(t, child, "CREATE TABLE c (p INT, FOREIGN KEY (p) REFERENCES `"+parents+"`.p (id) ON DELETE CASCADE)")
			t.Cleanup(func() {
				child.ExecContext(context.Background(), "DROP TABLE c")
			})
			got := read(t, parent).of(parents, "p")
			if len(got) != 1 || got[0].Schema != children || got[0].Table != "c" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Whether the server's log has the children tells whether Of has to.
func TestOfIsForWhatTheLogLacks(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db, schema := schemaOf(t, server)
			r, err := New(Options{DSN: server.DSN("")})
			if err != nil {
				t.Fatal(err)
			}
			run(t, db, "CREATE TABLE p (id INT PRIMARY KEY)")
			if err := r.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.Of(schema, "p"); got != nil {
				t.Errorf("a table without children has %v", got)
			}
			run(t, db, "CREATE TABLE c (p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)")
			if got := r.Of(schema, "p"); got != nil {
				t.Errorf("before it was read anew there is %v", got)
			}
			if err := r.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			var name, native string
			err = db.QueryRowContext(t.Context(), "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'").Scan(&name, &native)
			logged := err == nil && native == "OFF"
			if got := r.Of(schema, "p"); (len(got) == 0) != logged {
				t.Errorf("the server logs children: %v; relations: %v", logged, got)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			known := r.Of(schema, "p")
			if err := r.Refresh(cancelled); err == nil || !reflect.DeepEqual(r.Of(schema, "p"), known) {
				t.Errorf("after a failed Refresh (%v) there is %v", err, r.Of(schema, "p"))
			}
		})
	}
}

func TestOfWhileTheyAreReadAnew(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	db, schema := schemaOf(t, server)
	run(t, db, "CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE c (p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)")
	r, err := New(Options{DSN: server.DSN("")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- errors.Join(r.Refresh(t.Context()), r.Refresh(t.Context()))
	}()
	for {
		if got := r.Of(schema, "p"); len(got) != 1 {
			t.Fatalf("meanwhile there is %v", got)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// InnoDB refuses an update that comes back to its own table, so no relation says it would change anything.
func TestAnUpdateThatComesBackIsRefused(t *testing.T) {
	db, _ := schemaOf(t, &devstack.MariaDB(t).Server)
	run(t, db, "CREATE TABLE tree (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES tree (id) ON UPDATE CASCADE)",
		"INSERT INTO tree VALUES (1, NULL), (2, 1)")
	if _, err := db.ExecContext(t.Context(), "UPDATE tree SET id = 5 WHERE id = 1"); err == nil {
		t.Error("the server carries it out")
	}
}

func TestNamesThatDifferInCase(t *testing.T) {
	c := &Constraint{Name: "fk", Child: Table{"s", "Child"}, Parent: Table{"s", "Parent"}, Columns: []string{"a"}, Parents: []string{"id"}, OnDelete: "CASCADE"}
	if got := newGraph([]*Constraint{c}, true).of("S", "parent"); len(got) != 1 {
		t.Errorf("where case is folded: %v", got)
	}
	if got := newGraph([]*Constraint{c}, false).of("S", "parent"); got != nil {
		t.Errorf("where it is not: %v", got)
	}
}

// Thirty tables that each refer to all before them have a billion paths.
func TestManyPathsAreBounded(t *testing.T) {
	var all []*Constraint
	for child := range 30 {
		for parent := range child {
			all = append(all, &Constraint{
				Name: fmt.Sprintf("fk_%d_%d", child, parent), Child: Table{"s", fmt.Sprint(child)}, Parent: Table{"s", fmt.Sprint(parent)},
				Columns: []string{"a"}, Parents: []string{"id"}, OnDelete: "CASCADE",
			})
		}
	}
	var count func(relations []mirror.Relation) int
	named := map[string]bool{}
	count = func(relations []mirror.Relation) int {
		n := len(relations)
		for _, r := range relations {
			named[r.Constraint] = true
			n += count(r.Next)
		}
		return n
	}
	got := count(newGraph(all, false).of("s", "0"))
	if got > 10*mostRelations || len(named) != len(all) {
		t.Errorf("%d relations name %d of %d constraints", got, len(named), len(all))
	}
}

func TestWhatIsNoDSNIsRefused(t *testing.T) {
	if _, err := New(Options{DSN: "nonsense"}); err == nil {
		t.Error("it is taken")
	}
}
