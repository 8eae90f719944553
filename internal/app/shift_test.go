package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/uuid"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/internal/devstack"
)

// shiftLab is the project of package boxes with its new service, on two replicas.
type shiftLab struct {
	db      *sql.DB // legacy
	dsn     string
	ledger  string // the schema
	dir     string // of the project
	options boxes.Options
	// variables are those that banyan.yaml has of its environment.
	variables map[string]string
	service   *boxes.Service
	running   context.CancelFunc
	ended     sync.WaitGroup
	replicas  []*apptest.Server
}

const mostBoxes = 20

// newShiftLab starts all of it. of are options of the new service, grace is how long a rollback waits for open writes, replace
// has faults for each replica.
func newShiftLab(t *testing.T, of boxes.Options, grace string, replace ...func(*app.Parts)) *shiftLab {
	t.Helper()
	return newEditedShiftLab(t, nil, of, grace, replace...)
}

// edit changes a file of the project: what is behind a line is put there.
type edit struct{ file, line, behind string }

// newEditedShiftLab is newShiftLab with a project that is not quite that of package boxes.
func newEditedShiftLab(t *testing.T, edits []edit, of boxes.Options, grace string, replace ...func(*app.Parts)) *shiftLab {
	t.Helper()
	server, broker := devstack.Databases(t)[0], devstack.RabbitMQ(t)
	noLeaks(t)
	dsn, url := server.NewSchema(t), broker.NewVHost(t)
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	ledger := "l_" + parsed.DBName[:min(len(parsed.DBName), 40)]
	dir := t.TempDir()
	if err := boxes.LayOut(dir); err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		e.apply(t, dir)
	}
	of.Listen, of.Database, of.Broker, of.Logger = freeAddress(t), filepath.Join(dir, "boxes.db"), url, slog.New(slog.DiscardHandler)
	b := &shiftLab{options: of, dsn: dsn, ledger: ledger, dir: dir}
	if b.db, err = sql.Open("mysql", dsn); err != nil {
		t.Fatal(err)
	}
	b.db.SetMaxIdleConns(0) // leaks are looked for while it is open
	t.Cleanup(func() {
		if _, err := b.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+ledger); err != nil {
			t.Log(err)
		}
		b.db.Close()
	})
	b.start(t)
	t.Cleanup(b.stop)
	schema, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(dsn, string(schema)); err != nil {
		t.Fatal(err)
	}
	for id := 1; id <= mostBoxes; id++ {
		if _, err := b.db.ExecContext(t.Context(), "INSERT INTO boxes VALUES (?, ?)", id, 100+id); err != nil {
			t.Fatal(err)
		}
	}
	b.variables = map[string]string{
		"BANYAN_LEGACY_DSN": dsn, "BANYAN_BROKER_URL": url, "BANYAN_LEDGER": ledger, "SERVICE": b.options.Listen, "BANYAN_GRACE": grace,
		"BANYAN_HOLD": "5s", "BANYAN_TIMEOUT": "10s",
		"BANYAN_REST": "127.0.0.1:0", "BANYAN_GRPC": "127.0.0.1:0", "BANYAN_ADMIN": "127.0.0.1:0",
	}
	if grace == "20s" { // who may take long to finish may take long to hold, and to be answered
		b.variables["BANYAN_HOLD"], b.variables["BANYAN_TIMEOUT"] = "30s", "60s"
	}
	for i := range 2 {
		var options app.Options
		if i < len(replace) {
			options.Replace = replace[i]
		}
		b.replicas = append(b.replicas, apptest.StartWith(t, dir, b.variables, options))
	}
	return b
}

func (e edit) apply(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, e.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(text), e.line+"\n")
	if !ok {
		t.Fatalf("%s has no line %q", e.file, e.line)
	}
	if err := os.WriteFile(path, []byte(before+e.line+"\n"+e.behind+"\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress gives an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start lets the new service take calls and events.
func (b *shiftLab) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.running = cancel
	service, err := boxes.Open(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	b.service = service
	b.ended.Go(func() {
		if err := errors.Join(service.Serve(ctx), service.Close()); err != nil {
			t.Errorf("the new service ended with: %v", err)
		}
	})
}

// stop ends the new service, but for what its database has committed.
func (b *shiftLab) stop() {
	b.running()
	b.ended.Wait()
}

// admin asks the admin API of a replica.
func (b *shiftLab) admin(t *testing.T, replica int, method, path string, body any) (map[string]any, error) {
	t.Helper()
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.replicas[replica].Admin+"/admin/v1/"+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Banyan-Who", "test@here")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	if answer.StatusCode != http.StatusOK {
		return out, fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return out, nil
}

// shift commands and wants it done.
func (b *shiftLab) shift(t *testing.T, replica int, command string, body any) map[string]any {
	t.Helper()
	out, err := b.admin(t, replica, http.MethodPost, "capabilities/boxes:"+command, body)
	if err != nil {
		t.Fatalf("%s %v: %v", command, body, err)
	}
	if out["done"] != true {
		t.Fatalf("%s %v: %v", command, body, out)
	}
	return out
}

// filled waits until the new service has what was there before.
func (b *shiftLab) filled(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := b.admin(t, 0, http.MethodGet, "capabilities/boxes", nil)
		if err == nil && out["backfill"] == "done" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new service is not filled: %v, %v\n%s", out, err, b.replicas[0].Logs())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// add puts a thing into a box, through a replica.
func (b *shiftLab) add(ctx context.Context, replica int, id int64) error {
	_, err := b.call(ctx, http.MethodPost, replica, fmt.Sprintf("%d:put", id), `{"thing": "`+uuid.NewString()[:30]+`"}`)
	return err
}

// get gives how many things a box has.
func (b *shiftLab) get(ctx context.Context, replica int, id int64) (int64, error) {
	return b.call(ctx, http.MethodGet, replica, fmt.Sprint(id), "")
}

// call gives how many things the box of the answer has.
func (b *shiftLab) call(ctx context.Context, method string, replica int, path, body string) (things int64, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+b.replicas[replica].REST+"/v1/boxes/"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var box struct {
		Things []string `json:"things"`
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		return 0, errors.New(string(text))
	}
	if err == nil {
		err = json.Unmarshal(text, &box)
	}
	return int64(len(box.Things)), err
}

// One capability goes to a new service and back under load, through two replicas: no client sees an error, each
// acknowledged write is on both sides, once, and a read sees what was acknowledged before it began.
func TestACapabilityMovesAndComesBack(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "20s") // healthy sides need no more than they need, on a busy machine too
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var acked [mostBoxes + 1]atomic.Int64
	var failures, reads atomic.Int64
	for client := range 6 {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := int64((client*7+i)%mostBoxes + 1)
				before := acked[id].Load()
				seen, err := b.get(context.WithoutCancel(ctx), i%2, id)
				if err != nil || seen < before {
					failures.Add(1)
					t.Errorf("a read of box %d gives %d of %d things, %v", id, seen, before, err)
				}
				reads.Add(1)
				if err := b.add(context.WithoutCancel(ctx), (i+client)%2, id); err != nil {
					failures.Add(1)
					t.Errorf("a write: %v", err)
					continue
				}
				acked[id].Add(1)
			}
		})
	}
	b.shift(t, 0, "advance", map[string]any{"stage": "mirrored"})
	b.filled(t)
	b.shift(t, 1, "advance", map[string]any{"stage": "shadow"})
	for round := range 3 {
		t.Log("live at 40%", b.shift(t, round%2, "advance", map[string]any{"stage": "live", "percent": 40, "reason": "a first share"}))
		t.Log("live at 75%", b.shift(t, 0, "advance", map[string]any{"stage": "live", "percent": 75}))
		t.Log("live", b.shift(t, 1, "advance", map[string]any{"stage": "live"}))
		t.Log("rollback", b.shift(t, round%2, "rollback", map[string]any{"reason": "it was a drill"}))
	}
	stop()
	clients.Wait()
	b.equal(t, &acked)
	t.Logf("%d reads", reads.Load())
	if t.Failed() {
		t.Logf("the replicas said:\n%s\n%s", warnings(b.replicas[0]), warnings(b.replicas[1]))
	}
}

// equal waits until both sides have the same, and holds them to what was acknowledged.
func (b *shiftLab) equal(t *testing.T, acked *[mostBoxes + 1]atomic.Int64) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		legacy, err := boxes.Contents(t.Context(), b.db)
		if err != nil {
			t.Fatal(err)
		}
		modern, err := b.service.Contents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(legacy, modern) {
			for id := int64(1); id <= mostBoxes; id++ {
				if got := int64(len(legacy[id])); got != acked[id].Load() || len(slices.Compact(slices.Sorted(slices.Values(legacy[id])))) != len(legacy[id]) {
					t.Errorf("box %d has %v, and %d things were acknowledged", id, legacy[id], acked[id].Load())
				}
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the sides differ:\n%v\n%v", legacy, modern)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// warnings gives what a replica has warned of.
func warnings(s *apptest.Server) string {
	var out []string
	for line := range strings.Lines(s.Logs()) {
		if !strings.Contains(line, `"level":"DEBUG"`) && !strings.Contains(line, `"level":"INFO"`) {
			out = append(out, line)
		}
	}
	return strings.Join(out[:min(len(out), 40)], "")
}
