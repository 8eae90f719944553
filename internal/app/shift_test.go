package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// boxes is the project of testdata/boxes.txtar with its new service, on two replicas.
type boxes struct {
	db       *sql.DB // legacy
	service  *boxService
	replicas []*apptest.Server
}

const mostBoxes = 20

func newBoxes(t *testing.T) *boxes {
	t.Helper()
	server, broker := devstack.Databases(t)[0], devstack.RabbitMQ(t)
	noLeaks(t)
	archive, err := os.ReadFile("testdata/boxes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dsn, url := server.NewSchema(t), broker.NewVHost(t)
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	ledger := "l_" + parsed.DBName[:min(len(parsed.DBName), 40)]
	dir := apptest.Files(t, string(archive))
	c, faults := contract.Load(t.Context(), []contract.Root{contract.Dir(filepath.Join(dir, "contract"), "")})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	b := &boxes{}
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
	b.service = newBoxService(t, c, url)
	config := filepath.Join(dir, "banyan.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.NewReplacer("BROKER", url, "LEDGER", ledger, "TARGET", b.service.at).Replace(string(text))
	if err := os.WriteFile(config, []byte(said), 0o600); err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(dsn, string(schema)); err != nil {
		t.Fatal(err)
	}
	for id := 1; id <= mostBoxes; id++ {
		if _, err := b.db.ExecContext(t.Context(), "INSERT INTO boxes VALUES (?, ?, 0)", id, 100+id); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		b.replicas = append(b.replicas, apptest.Start(t, dir, dsn))
	}
	return b
}

// admin asks the admin API of a replica.
func (b *boxes) admin(t *testing.T, replica int, method, path string, body any) (map[string]any, error) {
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
func (b *boxes) shift(t *testing.T, replica int, command string, body any) map[string]any {
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
func (b *boxes) filled(t *testing.T) {
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

// add puts one thing into a box, through a replica.
func (b *boxes) add(ctx context.Context, replica int, id int64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s/v1/boxes/%d:add", b.replicas[replica].REST, id), strings.NewReader(`{"things": "1"}`))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return err
}

// get reads how many things a box has.
func (b *boxes) get(ctx context.Context, replica int, id int64) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/v1/boxes/%d", b.replicas[replica].REST, id), nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var box struct {
		Things int64 `json:"things,string"`
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		return 0, errors.New(string(text))
	}
	if err == nil {
		err = json.Unmarshal(text, &box)
	}
	return box.Things, err
}

// One capability goes to a new service and back under load, through two replicas: no client sees an error, each
// acknowledged write is on both sides, once, and a read sees what was acknowledged before it began.
func TestACapabilityMovesAndComesBack(t *testing.T) {
	b := newBoxes(t)
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
func (b *boxes) equal(t *testing.T, acked *[mostBoxes + 1]atomic.Int64) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		legacy, modern := thingsIn(t, b.db), b.service.things(t)
		if maps.Equal(legacy, modern) {
			for id := int64(1); id <= mostBoxes; id++ {
				if legacy[id] != acked[id].Load() {
					t.Errorf("box %d has %d things, and %d were acknowledged", id, legacy[id], acked[id].Load())
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
