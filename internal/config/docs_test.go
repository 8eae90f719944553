package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocs holds docs/config.md to the structs: every key with its type and default, no other key, and examples that
// can be read.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ kind, fallback string }
	documented := map[string]row{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.]+|[a-z_.]+\\.NAME\\.[a-z_]+(?:\\.NAME\\.[a-z_]+)?)` \\| ([A-Za-z ]+) \\| (.*?) \\|").FindAllStringSubmatch(string(data), -1) {
		documented[m[1]] = row{m[2], strings.Trim(m[3], "`")}
	}
	declared := map[string]row{}
	var walk func(section reflect.Value, path string)
	walk = func(section reflect.Value, path string) {
		for _, k := range keys(section, path) {
			if k.section() {
				walk(k.field, k.path)
				continue
			}
			if k.field.Kind() == reflect.Map && k.field.Type().Elem().Kind() == reflect.Struct {
				walk(reflect.New(k.field.Type().Elem()).Elem(), k.path+".NAME")
				continue
			}
			r := row{kindName(k.field), k.fallback}
			if k.required {
				r.fallback = "required"
			} else if r.fallback == "" {
				r.fallback = "none"
			}
			declared[k.path] = r
		}
	}
	walk(reflect.ValueOf(&Config{}).Elem(), "")
	if diff := cmp.Diff(declared, documented, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("docs/config.md (+) and the config structs (-) differ:\n%s", diff)
	}

	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(examples) != 4 {
		t.Fatalf("%d examples", len(examples))
	}
	vars := env(map[string]string{"BANYAN_LEGACY_DSN": "u@tcp(h)/s", "BANYAN_PAGE_KEY": "0123456789abcdef", "BANYAN_BROKER_URL": "amqp://u:p@h/v"})
	for _, m := range examples {
		if _, faults := Parse("banyan.yaml", []byte(m[1]), vars); len(faults.All()) > 0 {
			t.Errorf("an example of docs/config.md: %q", texts(faults))
		}
	}
}
