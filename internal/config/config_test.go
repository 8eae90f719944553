package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/internal/fault"
)

func env(vars map[string]string) Lookup {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

const minimal = `contract: {paths: [contract]}
sql: [sql/*.sql]
legacy: {dsn: "shop:pw@tcp(127.0.0.1:3306)/shop"}
auth: {off: true}
`

func texts(l fault.List) []string {
	var out []string
	for _, f := range l.All() {
		out = append(out, f.String())
	}
	return out
}

func TestDefaults(t *testing.T) {
	cfg, faults := Parse("dir/banyan.yaml", []byte(minimal), env(nil))
	if got := texts(faults); got != nil {
		t.Fatalf("faults: %q", got)
	}
	if want := []string{"dir/contract"}; !cmp.Equal(cfg.Contract.Paths, want) {
		t.Errorf("contract.paths = %q, want %q", cfg.Contract.Paths, want)
	}
	if want := []string{"dir/sql/*.sql"}; !cmp.Equal(cfg.SQL, want) {
		t.Errorf("sql = %q, want %q", cfg.SQL, want)
	}
	if got := cfg.Legacy.DSN.Reveal(); got != "shop:pw@tcp(127.0.0.1:3306)/shop" {
		t.Errorf("legacy.dsn = %q", got)
	}
	if got := cfg.Legacy.Pool; got != (Pool{MaxOpen: 32, MaxQueue: 256, QueueTimeout: time.Second, MaxIdleTime: 5 * time.Minute}) {
		t.Errorf("legacy.pool = %+v", got)
	}
	if cfg.Limits.MaxRequestBytes != 4<<20 || cfg.Limits.MaxReplyBytes != 64<<20 {
		t.Errorf("limits = %+v", cfg.Limits)
	}
	if got := cfg.Pos("legacy.dsn"); got != (fault.Pos{File: "dir/banyan.yaml", Line: 3, Col: 10}) {
		t.Errorf("position of legacy.dsn: %v", got)
	}
	if got := cfg.Pos("log.level"); got != (fault.Pos{File: "dir/banyan.yaml"}) {
		t.Errorf("position of an absent key: %v", got)
	}
}

func TestGivenValues(t *testing.T) {
	const text = `
contract:
  paths: [/abs/contract, more]
  unserved:
    - shop.v2.AdminService.*
sql:
- 'a/*.sql'
legacy:
  dsn: ${USER}:${PASSWORD:-none}@tcp(db:3306)/shop
  time_zone: "-03:30"
  pool:
    max_open: ${OPEN}
    max_queue: 0
    queue_timeout: 250ms
timeouts: # all defaults
paging: {keys: ["0123456789abcdef", '${KEY}']}
limits: {max_request_bytes: 512KiB, max_reply_bytes: 1000}
listen: {rest: ":0", grpc: "[::1]:0", admin: "10.0.0.1:9091", admin_remote: true}
log: {level: debug, format: text}
shutdown:
  drain: 0s
auth: {off: true}
`
	cfg, faults := Parse("banyan.yaml", []byte(text), env(map[string]string{"USER": "u", "PASSWORD": "", "OPEN": "7", "KEY": "${USER}3456789abcdef"}))
	if got := texts(faults); got != nil {
		t.Fatalf("faults: %q", got)
	}
	got := fmt.Sprintln(cfg.Contract.Paths, cfg.Contract.Unserved, cfg.SQL, cfg.Legacy.DSN.Reveal(), cfg.Legacy.TimeZone,
		cfg.Legacy.Pool, cfg.Limits, cfg.Listen, cfg.Log, cfg.Shutdown, cfg.Timeouts)
	want := "[/abs/contract more] [shop.v2.AdminService.*] [a/*.sql] u:none@tcp(db:3306)/shop -03:30 " +
		"{7 0 250ms 5m0s} {512KiB 1000B 512} {:0 [::1]:0 10.0.0.1:9091 true { } {  }} {debug text} {0s} {10s 1m0s 10m0s}\n"
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	if k := cfg.Paging.Keys; len(k) != 2 || k[1].Reveal() != "${USER}3456789abcdef" {
		t.Error("paging.keys: the value of a variable was not taken as it is")
	}
	if _, offset := time.Now().In(cfg.Legacy.TimeZone.Location).Zone(); offset != -(3*3600 + 1800) {
		t.Errorf("offset = %d", offset)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("bad configs: %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, faults := Parse("banyan.yaml", data, env(map[string]string{"SECRET": "hunter2hunter2", "NUMBER": "many"}))
			got := strings.Join(texts(faults), "\n") + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".faults"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("faults (- want, + got):\n%s", diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

// A fault that is between a given key and a default stands at the given one.
func TestAnAddressThatADefaultHasIsFoundInTheFile(t *testing.T) {
	for line, want := range map[string]string{
		"listen: {rest: 127.0.0.1:9090}":                        "banyan.yaml:5:10: listen.rest and listen.grpc are the same address (give each its own port)",
		"listen: {grpc: 127.0.0.1:8080}":                        "banyan.yaml:5:10: listen.rest and listen.grpc are the same address (give each its own port)",
		"listen: {rest: 127.0.0.1:1234, admin: 127.0.0.1:1234}": "banyan.yaml:5:32: listen.rest and listen.admin are the same address (give each its own port)",
	} {
		_, faults := Parse("banyan.yaml", []byte(minimal+line+"\n"), env(nil))
		if diff := cmp.Diff([]string{want}, texts(faults)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	cfg, faults := Parse("banyan.yaml", []byte(strings.ReplaceAll(minimal, "pw", "hunter2")+`paging: {keys: [hunter2hunter2hunter2]}`), env(nil))
	if faults.Failed() {
		t.Fatal(texts(faults))
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "dsn", cfg.Legacy.DSN, "all", *cfg)
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	unexported := struct{ c Config }{*cfg}
	for _, got := range []string{
		log.String(), string(asJSON), cfg.Legacy.DSN.String(), cfg.Legacy.DSN.GoString(),
		fmt.Sprintf("%v %+v %#v %s %q %x", cfg, cfg, cfg, cfg.Legacy.DSN, cfg.Legacy.DSN, cfg.Legacy.DSN),
		fmt.Sprintf("%v %+v %#v", unexported, unexported, unexported),
	} {
		if strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("a secret is shown: %s", got)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := env(map[string]string{"A": "x", "EMPTY": "", "NESTED": "${A}"})
	for _, c := range []struct{ in, want, err string }{
		{"plain $ $$ $A }", "plain $ $$ $A }", ""},
		{"${A}-${A}", "x-x", ""},
		{"${EMPTY}${EMPTY:-d}", "d", ""},
		{"${NOPE:-a:b}", "a:b", ""},
		{"${NOPE:-}", "", ""},
		{"$${A} ${A}", "${A} x", ""},
		{"${NESTED}", "${A}", ""},
		{"${NOPE}${NO}", "", "environment variable NOPE is not set\nenvironment variable NO is not set"},
		{"${A", "", "a reference ${… has no closing }"},
		{"${1A}", "", "a reference names no environment variable: it is ${NAME} or ${NAME:-default}"},
		{"${}", "", "a reference names no environment variable: it is ${NAME} or ${NAME:-default}"},
	} {
		got, _, err := expand(c.in, lookup)
		if msg := fmt.Sprint(err); err == nil && c.err != "" || err != nil && msg != c.err {
			t.Errorf("expand(%q): error %q, want %q", c.in, msg, c.err)
		}
		if err == nil && got != c.want {
			t.Errorf("expand(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSizeRoundTrips(t *testing.T) {
	for _, text := range []string{"0", "1B", "1000B", "512KiB", "4MiB", "3GiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != text {
			t.Errorf("%s reads as %s, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "-1", "4MB", "4 mib", "1.5MiB", "9999999999GiB", "MiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, s)
		}
	}
}

func TestSQLFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.sql", "a.sql", "c.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "banyan.yaml")
	cfg, _ := Parse(file, []byte("sql: ['*.sql', a.sql, 'none/*.sql', '[']\n"), env(nil))
	files, faults := cfg.SQLFiles()
	if want := []string{filepath.Join(dir, "a.sql"), filepath.Join(dir, "b.sql")}; !cmp.Equal(files, want) {
		t.Errorf("files: %q, want %q", files, want)
	}
	got := texts(faults)
	if len(got) != 2 || !strings.Contains(got[0], "banyan.yaml:1:23: no file matches") || !strings.Contains(got[1], "is not a glob") {
		t.Errorf("faults: %q", got)
	}
}

func TestMissingFile(t *testing.T) {
	cfg, faults := Load(filepath.Join(t.TempDir(), "none.yaml"), env(nil))
	if got := texts(faults); len(got) != 1 || !strings.Contains(got[0], "no such file or directory (name the file with -c FILE)") {
		t.Errorf("faults: %q", got)
	}
	if cfg.Legacy.Pool.MaxOpen != 32 {
		t.Error("a config that can't be read has no defaults")
	}
}

func TestLogHandler(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(Log{Level: Level(slog.LevelWarn), Format: Text}.Handler(&out))
	logger.Info("no")
	logger.Warn("yes")
	if got := out.String(); strings.Contains(got, "no") || !strings.Contains(got, "msg=yes") {
		t.Errorf("text log: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	for _, pattern := range []string{"testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, faults := Parse("f.yaml", data, env(map[string]string{"SECRET": "hunter2hunter2", "NUMBER": "9"}))
		if cfg == nil {
			t.Fatal("no config")
		}
		for _, fl := range faults.All() {
			if fl.File != "f.yaml" || fl.Line < 0 || fl.Col < 0 || fl.Message == "" {
				t.Errorf("fault without place or text: %#v", fl)
			}
			if strings.Contains(fl.String(), "hunter2") && !bytes.Contains(data, []byte("hunter2")) {
				t.Errorf("a secret is shown: %s", fl)
			}
		}
		if !faults.Failed() && (cfg.Legacy.DSN.Reveal() == "" || len(cfg.SQL) == 0 || len(cfg.Contract.Paths) == 0) {
			t.Error("a required key is missing, and no fault says so")
		}
	})
}

func TestServicesAndCapabilities(t *testing.T) {
	const text = `
contract: {paths: [c]}
sql: [s]
legacy: {dsn: d}
broker: {url: amqp://h}
services:
  orders: {target: "a:1, b:2"}
  more: {target: "${TARGET}", format: protobuf}
  told: {entities: {shop.v2.Order: {key: customer_id}, shop.v2.Customer: {key: id}}}
capabilities:
  z: {service: more, operations: [a.B.C]}
  orders:
    service: orders
    operations: [shop.v2.OrderService.*]
    entity: shop.v2.Order
    key: customer_id
    keys: {PlaceOrder: order.customer_id}
auth: {off: true}
`
	cfg, faults := Parse("banyan.yaml", []byte(text), env(map[string]string{"TARGET": "dns:///c:3"}))
	if got := texts(faults); got != nil {
		t.Fatalf("faults: %q", got)
	}
	got := fmt.Sprintln(cfg.CapabilityNames(), cfg.ServiceNames(), cfg.Capabilities["orders"], cfg.Services, cfg.Shift)
	want := "[orders z] [more orders told] {orders [shop.v2.OrderService.*] shop.v2.Order customer_id map[PlaceOrder:order.customer_id]} " +
		"map[more:{dns:///c:3 map[] protobuf} orders:{a:1, b:2 map[] json} told:{ map[shop.v2.Customer:{id} shop.v2.Order:{customer_id}] json}] {5s 30s 300ms 25ms 15s}\n"
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	if at := cfg.Pos("capabilities.orders.keys.PlaceOrder"); at.Line != 17 {
		t.Errorf("a key's expression stands at %v", at)
	}
	if at := cfg.Pos("services.told.entities.shop.v2.Order.key"); at.Line != 9 || at.Col != 37 {
		t.Errorf("an entity's key stands at %v", at)
	}
}
