package shop_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	shop "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// lab is the example, served from a small shop of its own.
type lab struct {
	contract *contract.Contract
	backend  *legacy.Backend
	db       *sql.DB
	dsn      string
}

// small is what a lab's shop holds.
func small() generate.Options {
	return generate.Options{Seed: 11, Customers: 60, Products: 50, Orders: 120}
}

// eachLab runs a test on every server, each time with a small shop of its own.
func eachLab(t *testing.T, test func(t *testing.T, l *lab)) {
	t.Helper()
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) { test(t, newLab(t, server, small())) })
	}
}

func newLab(t *testing.T, server *devstack.Server, options generate.Options) *lab {
	t.Helper()
	ctx := t.Context()
	dsn := server.NewSchema(t)
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := errors.Join(schema.Create(ctx, db), generate.Generate(ctx, db, options)); err != nil {
		t.Fatal(err)
	}
	l := &lab{contract: loadContract(t), db: db, dsn: dsn}
	program, faults := legacy.Compile(l.contract, files(t), legacy.Options{
		Zone: time.UTC, Paging: legacy.Paging{DefaultSize: 50, MaxSize: 1000, Keys: []string{"a secret"}},
		Unserved: []string{"shop.v1.*"}, // they are translations: conformance_test.go has them
	})
	if err := faults.Err(); err != nil {
		t.Fatalf("compile:\n%v", err)
	}
	conns := openPool(t, leastAccount(t, server, dsn, program))
	faults, err = program.Verify(ctx, conns)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults.All() {
		// Writes to the catalogue are warned of, and rightly so; nothing else is.
		if f.Severity == fault.Error || !strings.Contains(f.Message, "Product") || !strings.Contains(f.Message, "MyISAM") {
			t.Error(f)
		}
	}
	if faults.Failed() {
		t.FailNow()
	}
	l.backend = legacy.New(program, conns, 64<<20)
	return l
}

func openPool(t *testing.T, dsn string) *pool.Pool {
	t.Helper()
	conns, err := pool.Open(pool.Options{DSN: dsn, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conns.Close)
	return conns
}

// leastAccount gives the DSN of an account that has the least rights that the example's SQL needs.
func leastAccount(t *testing.T, server *devstack.Server, dsn string, program *legacy.Program) string {
	t.Helper()
	catalog, err := legacy.ReadCatalog(t.Context(), openPool(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	needs, notes := program.Access(legacy.AccessOptions{Schema: parsed.DBName, MySQL: server.Name == "mysql", Catalog: catalog})
	for _, note := range notes {
		t.Error(note)
	}
	account := devstack.NewAccount(t, dsn)
	for _, n := range needs {
		account.Run(fmt.Sprintf("GRANT %s ON %s `%s`.`%s` TO %s", strings.Join(n.Privileges, ", "), n.Kind, n.Schema, n.Name, account.Name))
	}
	return account.DSN
}

// files parses the example's SQL.
func files(t *testing.T) []*annotated.File {
	t.Helper()
	names, err := fs.Glob(shop.Files(), "sql/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d files: %v", len(names), err)
	}
	var out []*annotated.File
	for _, name := range names {
		text, err := fs.ReadFile(shop.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		file, faults := annotated.Parse(name, text)
		for _, f := range faults.All() {
			t.Error(f)
		}
		out = append(out, file)
	}
	return out
}

// call makes a call with a request as JSON, and gives the replies.
func (l *lab) call(t *testing.T, name, request string) ([]protoreflect.Message, error) {
	t.Helper()
	op := l.contract.Operation(protoreflect.FullName("shop.v2." + name))
	if op == nil {
		t.Fatalf("there is no operation %s", name)
	}
	msg := dynamicpb.NewMessage(op.Input)
	if err := protojson.Unmarshal([]byte(request), msg); err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out []protoreflect.Message
	err := l.backend.Call(ctx, &strangler.Call{Operation: op, Request: contract.FromMessage(msg)}, func(r *strangler.Reply) error {
		m, err := r.Message.Message()
		out = append(out, m)
		return err
	})
	return out, err
}

// one makes a call that must give one reply.
func (l *lab) one(t *testing.T, name, request string) reply {
	t.Helper()
	out, err := l.call(t, name, request)
	if err != nil {
		t.Fatalf("%s %s: %v", name, request, err)
	}
	if len(out) != 1 {
		t.Fatalf("%s %s gave %d replies", name, request, len(out))
	}
	return reply{t, out[0]}
}

// fails makes a call that must fail, and gives the error as "CODE REASON".
func (l *lab) fails(t *testing.T, name, request, want string) {
	t.Helper()
	out, err := l.call(t, name, request)
	var e *strangler.Error
	if !errors.As(err, &e) {
		t.Errorf("%s %s gave %v and %v, want %s", name, request, out, err, want)
		return
	}
	if got := e.Code.String() + " " + e.Reason; got != want {
		t.Errorf("%s %s: %v, want %s", name, request, err, want)
	}
}

// reply is a message that a test looks into.
type reply struct {
	t *testing.T
	protoreflect.Message
}

// json gives the message as JSON of a steady form.
func (r reply) json() string {
	r.t.Helper()
	b, err := protojson.Marshal(r.Interface())
	if err != nil {
		r.t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		r.t.Fatal(err)
	}
	if b, err = json.Marshal(v); err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// at gives what stands at a path of JSON names and indexes, such as "lines.0.sku"; nil where there is nothing.
func (r reply) at(path string) any {
	r.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(r.json()), &v); err != nil {
		r.t.Fatal(err)
	}
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i := int(name[0] - '0')
			if len(name) != 1 || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// text gives what stands at a path as text.
func (r reply) text(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// size gives how many elements stand at a path.
func (r reply) size(path string) int {
	list, _ := r.at(path).([]any)
	return len(list)
}

// number reads one number from the shop's tables.
func (l *lab) number(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	if err := l.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// value reads one text from the shop's tables.
func (l *lab) value(t *testing.T, query string, args ...any) string {
	t.Helper()
	var s string
	if err := l.db.QueryRowContext(t.Context(), query, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

// with gives the message as JSON, with the fields of changes instead of its own. A field that occurs twice in changes
// counts as it stands last.
func (r reply) with(changes string) string {
	r.t.Helper()
	var was map[string]any
	if err := errors.Join(json.Unmarshal([]byte(r.json()), &was), json.Unmarshal([]byte(changes), &was)); err != nil {
		r.t.Fatalf("%s: %v", changes, err)
	}
	b, err := json.Marshal(was)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// parse reads a message from JSON.
func parse(t *testing.T, md protoreflect.MessageDescriptor, text string) protoreflect.Message {
	t.Helper()
	m := dynamicpb.NewMessage(md)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// mixesEngines tells whether the server lets one transaction change MyISAM tables beside InnoDB tables, as writes to the
// catalogue do. A MySQL that enforces GTID consistency does not.
func (l *lab) mixesEngines(t *testing.T) bool {
	t.Helper()
	var name, value string
	err := l.db.QueryRowContext(t.Context(), "SHOW VARIABLES LIKE 'enforce_gtid_consistency'").Scan(&name, &value)
	if errors.Is(err, sql.ErrNoRows) {
		return true // MariaDB, which has no such variable
	}
	if err != nil {
		t.Fatal(err)
	}
	return value == "OFF"
}

// fields gives the message as the JSON object that it is.
func (r reply) fields() map[string]any {
	r.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.json()), &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}
