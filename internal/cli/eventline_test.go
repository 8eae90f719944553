package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"banyan.dev/banyan/mirror/change"
)

func TestEventLines(t *testing.T) {
	for _, test := range []struct {
		name, key, body, want string
		w                     eventWriter
	}{
		{"insert", `{"id":"7"}`, `{"op":"insert","table":"orders","after":{"id":"7","z":1,"a":null}}`, `2026-01-02 03:04:05.678  insert    orders/7  foreign  id="7"  z=1`, eventWriter{}},
		{"update", `{"id":"7"}`, `{"op":"update","table":"orders","before":{"id":"7","n":1},"after":{"id":"7","n":2}}`, `2026-01-02 03:04:05.678  update    orders/7  foreign  n: 1 → 2`, eventWriter{}},
		{"in full", `{"id":"7"}`, `{"op":"update","table":"orders","before":{"id":"7","n":1},"after":{"id":"7","n":2}}`, `2026-01-02 03:04:05.678  update    orders/7  foreign  id=0-1-2:3  id="7"  n: 1 → 2`, eventWriter{full: true}},
		{
			"no key", "", `{"op":"delete","table":"log","before":{"x":"` + "ééééééééééééééééééééééééééééééééééééééééééééé" + `"}}`,
			`2026-01-02 03:04:05.678  delete    log  foreign  x="ééééééééééééééééééééééééééééééééééééééé…`,
			eventWriter{},
		},
		{"statement", "", `{"op":"alter","table":"orders","statement":"ALTER TABLE\n orders \u001b[2J"}`, `2026-01-02 03:04:05.678  alter     orders  foreign  ALTER TABLE  orders �[2J`, eventWriter{}},
		{"cascade", `{"id":1}`, `{"op":"cascade","table":"p","children":[{"table":"c","rule":"CASCADE","children":[{"table":"g","rule":"SET NULL"}]}]}`, `2026-01-02 03:04:05.678  cascade   p/1  foreign  c (CASCADE) > g (SET NULL)`, eventWriter{}},
		{"colour", `{"id":1,"c":"x"}`, `{"op":"insert","table":"o","after":{}}`, "\x1b[2m2026-01-02 03:04:05.678\x1b[0m  \x1b[32minsert  \x1b[0m  \x1b[1mo/1,x\x1b[0m  \x1b[2mforeign\x1b[0m", eventWriter{colour: true}},
		{"steering", "", `{"op":"a\u001b[2J","table":"t\u001b","statement":"x"}`, "2026-01-02 03:04:05.678  a�[2J     t�  foreign  x", eventWriter{}},
		{"foreign", "", "no\x1bJSON", "row.x.insert  no�JSON", eventWriter{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := test.body
			if rest, ok := strings.CutPrefix(body, "{"); ok {
				body = `{"origin":"foreign","committed":"2026-01-02T03:04:05.678Z",` + rest
				if test.key != "" {
					body = `{"key":` + test.key + "," + body[1:]
				}
			}
			m := &change.Message{Key: "row.x.insert", ID: "0-1-2:3", Body: []byte(body)}
			if got := test.w.line(m); got != test.want {
				t.Errorf("got\n%q, want\n%q", got, test.want)
			}
		})
	}
}

func FuzzEventLine(f *testing.F) {
	f.Add([]byte(`{"op":"update","before":{"a":1},"after":{"a":[2]}}`))
	f.Add([]byte(`{"op":"x","after":[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := &change.Message{Body: body}
		_ = eventWriter{full: true}.line(m)
		if _, err := json.Marshal(newEventJSON(m, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestPatternsOfEvents(t *testing.T) {
	for text, want := range map[string]string{
		"orders": "row.orders.*", "row.*.delete": "row.*.delete", "#": "#", "row.orders.#": "row.orders.#", "row.#": "row.#",
		"": "", "row.orders": "", "ord*": "", "row.**.x": "", "row..x": "",
	} {
		got, err := parsePattern([]string{text})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}
