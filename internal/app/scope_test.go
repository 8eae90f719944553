package app

import (
	"fmt"
	"testing"

	"banyan.dev/banyan/internal/config"
)

func TestScope(t *testing.T) {
	parse := func(mirror string) scope {
		t.Helper()
		text := "contract: {paths: [c]}\nsql: [s]\nlegacy: {dsn: 'u@tcp(h)/shop'}\nauth: {off: true}\n" + mirror
		cfg, faults := config.Parse("banyan.yaml", []byte(text), func(string) (string, bool) { return "", false })
		if faults.Failed() {
			t.Fatal(faults.Err())
		}
		return newScope(cfg)
	}
	for _, test := range []struct {
		mirror, schema, table string
		want                  bool
	}{
		{"", "shop", "orders", true},
		{"", "shop", "a.b/c", true},
		{"", "shop", "", true},
		{"", "crm", "orders", false},
		{"", "banyan", "writers", false},
		{"mirror: {tables: [orders, 'crm.*']}", "shop", "orders", true},
		{"mirror: {tables: [orders, 'crm.*']}", "shop", "orders2", false},
		{"mirror: {tables: [orders, 'crm.*']}", "crm", "x", true},
		{"mirror: {tables: ['*.*']}", "banyan", "heartbeat", false},
		{"mirror: {tables: ['*.*'], except: ['*.cache_*', sessions]}", "crm", "cache_1", false},
		{"mirror: {tables: ['*.*'], except: ['*.cache_*', sessions]}", "shop", "sessions", false},
		{"mirror: {tables: ['*.*'], except: ['*.cache_*', sessions]}", "crm", "sessions", true},
		{"mirror: {except: ['*']}", "shop", "orders", false},
		{"mirror: {except: ['*']}", "shop", "", true},
	} {
		s := parse(test.mirror)
		if got := s.has(test.schema, test.table); got != test.want {
			t.Errorf("%q has %s.%s: %v", test.mirror, test.schema, test.table, got)
		}
		if !s.reads("banyan", "writers") {
			t.Errorf("%q does not read the ledger", test.mirror)
		}
	}
	for _, test := range []struct{ mirror, want string }{
		{"", "[shop]"},
		{"mirror: {tables: [orders, 'crm.*', '*']}", "[shop crm]"},
		{"mirror: {tables: ['a\\*b.*', orders]}", "[a*b shop]"},
		{"mirror: {tables: ['s?p.*', orders]}", "[]"},
	} {
		if got := fmt.Sprint(parse(test.mirror).schemas()); got != test.want {
			t.Errorf("%q has the schemas %s, want %s", test.mirror, got, test.want)
		}
	}
	s := parse("mirror: {omit_columns: [customers.password, '*.*.card_*']}")
	for _, test := range []struct {
		schema, table, column string
		want                  bool
	}{
		{"shop", "customers", "password", true},
		{"crm", "customers", "password", false},
		{"crm", "orders", "card_number", true},
		{"shop", "orders", "id", false},
		{"shop", "customers", "Password", true},
		{"crm", "orders", "CARD_NUMBER", true},
		{"shop", "Customers", "password", false},
	} {
		if got := s.omits(test.schema, test.table, test.column); got != test.want {
			t.Errorf("%v is left out: %v", test, got)
		}
	}
}
