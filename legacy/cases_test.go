package legacy_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

var update = flag.Bool("update", false, "write what the cases give into their files")

// TestCases runs testdata/cases/*.txtar. A case has *.proto, schema.sql, *.sql and a script of calls:
//
//	> Service.Method {request}
//	reply, or "! CODE REASON message (field: violation)"
//	= SELECT …
//	its rows as JSON
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, server := range devstack.Databases(t) {
		for _, file := range files {
			t.Run(server.Name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				ar := readCase(t, file)
				l := newLab(t, server, ar)
				if err := l.faults.Err(); err != nil {
					t.Fatalf("faults:\n%s", err)
				}
				got := l.script(t, section(ar, "script"))
				compare(t, file, ar, "script", got)
			})
			t.Run(server.Name+"/marked/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				ar := readCase(t, file)
				l := newLab(t, server, ar, newMarks(t, server).use)
				compare(t, file, ar, "script", l.script(t, section(ar, "script"))) // nobody sees a difference
			})
		}
	}
}

// TestFaults runs testdata/faults/*.txtar, whose section "faults" is what is found wrong.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	server := devstack.Databases(t)[0]
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar := readCase(t, file)
			l := newLab(t, server, ar)
			var got strings.Builder
			for _, f := range l.faults.All() {
				got.WriteString(strings.ReplaceAll(f.String(), l.schema+".", "") + "\n")
			}
			compare(t, file, ar, "faults", got.String())
		})
	}
}

func readCase(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return ar
}

func section(ar *txtar.Archive, name string) string {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// compare holds a section against got, or writes it with -update.
func compare(t *testing.T, file string, ar *txtar.Archive, name, got string) {
	t.Helper()
	if *update {
		for i := range ar.Files {
			if ar.Files[i].Name == name {
				ar.Files[i].Data = []byte(got)
			}
		}
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(section(ar, name), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (- want, + got):\n%s", name, diff)
	}
}

// lab is a backend over a schema of its own.
type lab struct {
	contract *contract.Contract
	program  *legacy.Program
	backend  *legacy.Backend
	pool     *pool.Pool
	db       *sql.DB
	schema   string // the database's name
	faults   fault.List
}

func newLab(t *testing.T, server *devstack.Server, ar *txtar.Archive, change ...func(*pool.Options)) *lab {
	t.Helper()
	ctx := t.Context()
	l := &lab{}
	protos := &txtar.Archive{}
	var parsed []*annotated.File
	for _, f := range ar.Files {
		switch {
		case strings.HasSuffix(f.Name, ".proto"):
			protos.Files = append(protos.Files, f)
		case strings.HasSuffix(f.Name, ".sql") && f.Name != "schema.sql":
			file, faults := annotated.Parse(f.Name, f.Data)
			l.faults.Append(faults)
			parsed = append(parsed, file)
		}
	}
	root, err := txtar.FS(protos)
	if err != nil {
		t.Fatal(err)
	}
	var faults fault.List
	l.contract, faults = contract.Load(ctx, []contract.Root{{Name: "", FS: root}})
	l.faults.Append(faults)
	if faults.Failed() {
		t.Fatalf("contract: %v", faults.Err())
	}
	dsn := server.NewSchema(t)
	l.db = openSchema(t, dsn, section(ar, "schema.sql"))
	if err := l.db.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&l.schema); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("UTC")
	if err != nil {
		t.Fatal(err)
	}
	l.program, faults = legacy.Compile(l.contract, parsed, legacy.Options{
		Zone: zone, Paging: legacy.Paging{DefaultSize: 3, MaxSize: 5, Keys: []string{"a secret"}}, Unserved: []string{"lab.v1.Unserved.*"},
	})
	l.faults.Append(faults)
	options := pool.Options{DSN: dsn, TimeZone: "+00:00"}
	for _, c := range change {
		c(&options)
	}
	l.pool, err = pool.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.pool.Close() })
	if !l.faults.Failed() {
		faults, err = l.program.Verify(ctx, l.pool)
		if err != nil {
			t.Fatalf("verify: %v", err)
		}
		l.faults.Append(faults)
	}
	l.backend = legacy.New(l.program, l.pool, 1<<20)
	return l
}

// openSchema runs a script of statements on a fresh schema.
func openSchema(t *testing.T, dsn, script string) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MultiStatements = true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Fatalf("schema.sql: %v", err)
	}
	return db
}

// script runs the commands of a script and gives it with what they gave. $token in a request is the last
// next_page_token.
func (l *lab) script(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	token := ""
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			name, request, _ := strings.Cut(line[2:], " ")
			out.WriteString(line + "\n")
			for _, reply := range l.call(t, name, strings.ReplaceAll(request, "$token", token)) {
				var page struct{ NextPageToken string }
				if json.Unmarshal([]byte(reply), &page) == nil && page.NextPageToken != "" {
					token = page.NextPageToken
					reply = strings.ReplaceAll(reply, token, "$token")
				}
				out.WriteString(reply + "\n")
			}
		case strings.HasPrefix(line, "= "):
			out.WriteString(line + "\n" + l.rows(t, line[2:]) + "\n")
		case strings.HasPrefix(line, "# "):
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// call makes one call and gives its replies as JSON, or its error.
func (l *lab) call(t *testing.T, name, request string) []string {
	t.Helper()
	if rest, isPut := strings.CutPrefix(name, "put:"); isPut {
		md := l.contract.Message(protoreflect.FullName(rest))
		if md == nil {
			t.Fatalf("no message %s", rest)
		}
		msg := dynamicpb.NewMessage(md)
		if err := protojson.Unmarshal([]byte(request), msg); err != nil {
			t.Fatal(err)
		}
		if err := l.backend.Put(t.Context(), contract.FromMessage(msg)); err != nil {
			return []string{errorLine(t, err)}
		}
		return []string{"ok"}
	}
	op := l.contract.Operation(protoreflect.FullName("lab.v1." + name))
	if op == nil {
		t.Fatalf("no operation %s", name)
	}
	msg := dynamicpb.NewMessage(op.Input)
	if request != "" {
		if err := protojson.Unmarshal([]byte(request), msg); err != nil {
			t.Fatalf("%s: %v", request, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out []string
	call := &strangler.Call{Operation: op, Request: contract.FromMessage(msg), Claims: map[string]any{"sub": "u1", "org": map[string]any{"id": "o7"}}}
	err := l.backend.Call(ctx, call, func(r *strangler.Reply) error {
		m, err := r.Message.Message()
		if err != nil {
			return err
		}
		b, err := protojson.Marshal(m.Interface())
		if err != nil {
			return err
		}
		out = append(out, compact(t, b))
		return nil
	})
	if err != nil {
		out = append(out, errorLine(t, err))
	}
	return out
}

// compact undoes protojson's deliberately unsteady blanks.
func compact(t *testing.T, b []byte) string {
	t.Helper()
	var buf bytes.Buffer
	if err := json.Compact(&buf, b); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func errorLine(t *testing.T, err error) string {
	t.Helper()
	var e *strangler.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *Error: %v", err)
	}
	if e.Cause != nil {
		t.Logf("cause: %v", e.Cause)
	}
	line := "! " + e.Code.String() + " " + e.Reason + " " + e.Message
	for _, v := range e.Violations {
		line += " [" + v.Field + "]"
	}
	if e.Domain != strangler.Domain {
		line += " <" + e.Domain + ">"
	}
	return line
}

// rows gives a query's rows as JSON, straight from the server.
func (l *lab) rows(t *testing.T, query string) string {
	t.Helper()
	rows, err := l.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		vals := make([]sql.NullString, len(cols))
		ptrs := make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		parts := make([]string, len(cols))
		for i, v := range vals {
			parts[i] = "NULL"
			if v.Valid {
				parts[i] = v.String
			}
		}
		lines = append(lines, strings.Join(parts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.ToUpper(query), "ORDER BY") {
		sort.Strings(lines)
	}
	if len(lines) == 0 {
		return "(none)"
	}
	return strings.Join(lines, "\n")
}
