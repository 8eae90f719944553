package shop_test

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
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	shop "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/orders"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/examples/shop/shopv1"
	"banyan.dev/banyan/examples/shop/shopv2"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// Clients of shop.v1 and shop.v2 run one script side by side against the same rows, over gRPC and over REST, while the
// orders are the old shop's, are compared, and are the new service's.
func TestVersionsConform(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker and a service, and shifts")
	}
	s := newShifted(t)
	t.Run("deprecation", s.deprecated)
	for _, stage := range []string{"off", "shadow", "live"} {
		s.reach(t, stage)
		for name, conn := range map[string]grpc.ClientConnInterface{"gRPC": s.facade.Conn, "REST": restConn{s.facade.REST}} {
			t.Run(stage+"/"+name, func(t *testing.T) { newScript(t, s.db, conn, stage+name).run(t) })
		}
		if stage == "shadow" {
			s.compared(t)
		}
	}
	t.Run("callers", s.counted)
}

// counted looks at what is said of the versions after all the calls.
func (s *shifted) counted(t *testing.T) {
	t.Helper()
	get := func(url string) []byte {
		answer, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", url, answer.StatusCode, err)
		}
		return text
	}
	if bytes.Contains(get("http://"+s.facade.REST+"/openapi/shop.v1.json"), []byte("not served")) {
		t.Error("the document of shop.v1 says that something is not served")
	}
	var told struct {
		Versions []struct {
			Package, Translates, State string
			Operations, Watched        int
			Callers                    []struct{ Operation, Agent, Calls string }
		}
	}
	if err := json.Unmarshal(get("http://"+s.facade.Admin+"/admin/v1/versions?limit=1000"), &told); err != nil || len(told.Versions) != 2 {
		t.Fatalf("got %+v, %v", told, err)
	}
	older, newer := told.Versions[0], told.Versions[1]
	if older.Translates != "shop.v2" || older.State != "deprecated" || older.Operations == 0 || older.Watched != older.Operations || newer.Watched != 0 || len(newer.Callers) > 0 {
		t.Errorf("got %+v", told)
	}
	for _, agent := range []string{"grpc-go/", "Go-http-client/"} {
		if !slices.ContainsFunc(older.Callers, func(c struct{ Operation, Agent, Calls string }) bool {
			return c.Operation == "shop.v1.OrderService.PlaceOrder" && strings.HasPrefix(c.Agent, agent)
		}) {
			t.Errorf("nobody has placed orders by %s: %+v", agent, older.Callers)
		}
	}
}

// deprecated looks at what callers of each version are told with every answer: a reply, an error, a stream.
func (s *shifted) deprecated(t *testing.T) {
	t.Helper()
	want := map[string]string{
		"Deprecation": "@1796083200", "Sunset": "Wed, 01 Dec 2027 11:00:00 GMT", "Link": `<https://shop.example/v2>; rel="deprecation sunset"; type="text/html"`,
	}
	check := func(what string, older bool, get func(name string) string) {
		for name, value := range want {
			if !older {
				value = ""
			}
			if got := get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", what, name, got, value)
			}
		}
	}
	for _, path := range []string{"/v1/orders/1", "/v1/orders/99999", "/v1/orders:stream", "/v1/orders/x", "/v2/orders/1"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.facade.REST+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		check(path, path[:4] == "/v1/", answer.Header.Get)
	}
	metadataOf := func(md metadata.MD) func(string) string {
		return func(name string) string { return strings.Join(md.Get(name), ", ") }
	}
	var header metadata.MD
	_, err := shopv1.NewOrderServiceClient(s.facade.Conn).GetOrder(t.Context(), &shopv1.GetOrderRequest{Id: 1}, grpc.Header(&header))
	check(fmt.Sprint("gRPC ", err), true, metadataOf(header))
	_, err = shopv1.NewOrderServiceClient(s.facade.Conn).GetOrder(t.Context(), &shopv1.GetOrderRequest{Id: 99999}, grpc.Header(&header))
	check(fmt.Sprint("gRPC ", err), true, metadataOf(header))
	_, err = shopv2.NewOrderServiceClient(s.facade.Conn).GetOrder(t.Context(), &shopv2.GetOrderRequest{Id: 1}, grpc.Header(&header))
	check(fmt.Sprint("gRPC ", err), false, metadataOf(header))
	stream, err := shopv1.NewOrderServiceClient(s.facade.Conn).StreamOrders(t.Context(), &shopv1.StreamOrdersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if header, err = stream.Header(); err != nil {
		t.Fatal(err)
	}
	check("a gRPC stream", true, metadataOf(header))
}

// shifted is the shop with its new order service beside, and a facade that can shift the orders.
type shifted struct {
	db     *sql.DB
	facade *apptest.Server
}

const shiftedConfig = `contract: {paths: [contract]}
sql: [sql/*.sql]
versions:
  shop.v1: {of: shop.v2, file: versions/shop.v1.yaml, deprecated: 2026-12-01, sunset: 2027-12-01T12:00:00+01:00, link: "https://shop.example/v2"}
auth: {off: true}
legacy: {dsn: "${DSN}"}
ledger: {schema: "${LEDGER}"}
broker: {url: "${BROKER}"}
services:
  orders: {target: "${SERVICE}"}
capabilities:
  orders:
    service: orders
    operations: [shop.v2.OrderService.*]
    entity: shop.v2.Order
    key: customer_id
    keys: {PlaceOrder: order.customer_id, ListOrders: customer_id}
paging: {keys: [0123456789abcdef]}
listen: {rest: "127.0.0.1:0", grpc: "127.0.0.1:0", admin: "127.0.0.1:0"}
`

func newShifted(t *testing.T) *shifted {
	t.Helper()
	dsn, url := devstack.MariaDB(t).NewSchema(t), devstack.RabbitMQ(t).NewVHost(t)
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	s := &shifted{}
	if s.db, err = sql.Open("mysql", dsn); err != nil {
		t.Fatal(err)
	}
	ledger := "l_" + parsed.DBName[:min(len(parsed.DBName), 40)]
	t.Cleanup(func() {
		_, err := s.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+ledger)
		if err := errors.Join(err, s.db.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(schema.Create(t.Context(), s.db), generate.Generate(t.Context(), s.db, small())); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, shop.Files()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "banyan.yaml"), []byte(shiftedConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	s.facade = apptest.StartWith(t, dir, map[string]string{"DSN": dsn, "LEDGER": ledger, "BROKER": url, "SERVICE": listen}, app.Options{})
	config, err := orders.DefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	percents, err := generate.Taxes(small())
	if err != nil {
		t.Fatal(err)
	}
	taxes, err := json.Marshal(percents)
	if err != nil {
		t.Fatal(err)
	}
	if err := config.AddTaxes(taxes); err != nil {
		t.Fatal(err)
	}
	(&beside{}).start(t, orders.Options{
		Listen: listen, Database: filepath.Join(dir, "orders.db"), Broker: url, Facade: []string{s.facade.GRPC}, Config: config,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), ReadyFile: filepath.Join(dir, "ready.json"),
	})
	return s
}

// compared waits until a read was answered alike by both sides. Reads that come right behind a write may differ: events take
// their time.
func (s *shifted) compared(t *testing.T) {
	t.Helper()
	apptest.Poll(t, "shadow reads", func() error {
		status := s.admin(t, http.MethodGet, "capabilities/orders", nil)
		if shadow, ok := status["shadow"].(map[string]any); !ok || shadow["same"] == nil || fmt.Sprint(shadow["same"]) == "0" {
			return fmt.Errorf("%v", status)
		}
		return nil
	})
}

// freeAddress gives an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// reach shifts the orders to a stage.
func (s *shifted) reach(t *testing.T, stage string) {
	t.Helper()
	switch stage {
	case "off":
		return
	case "shadow":
		s.advance(t, "mirrored")
		apptest.Poll(t, "the backfill", func() error {
			if status := s.admin(t, http.MethodGet, "capabilities/orders", nil); status["backfill"] != "done" {
				return fmt.Errorf("%v", status)
			}
			return nil
		})
	}
	s.advance(t, stage)
}

func (s *shifted) advance(t *testing.T, stage string) {
	t.Helper()
	if done := s.admin(t, http.MethodPost, "capabilities/orders:advance", map[string]any{"stage": stage}); done["done"] != true {
		t.Fatalf("%s: %v", stage, done)
	}
}

// admin asks the admin API.
func (s *shifted) admin(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.facade.Admin+"/admin/v1/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Banyan-Who", "test@here")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return out
}
