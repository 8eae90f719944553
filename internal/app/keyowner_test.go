package app_test

import (
	"strings"
	"testing"
)

// Many people may use one client. A key is of one of them: what another is told is the outcome of his own write.
func TestAKeyIsOfOneSubjectOfAClient(t *testing.T) {
	s := startTills(t)
	add := func(sub any, key, body string) (int, string) {
		c := s.caller(t, s.token(t, "berlin", map[string]any{"sub": sub, "scope": "sales.write", "limit": 500}), nil)
		c.key = key
		return s.overREST(t, c, "POST", "/v1/sales", body)
	}
	const body = `{"id":20,"cents":1}`
	for _, test := range []struct {
		name string
		sub  any
		body string
		want int
		part string
	}{
		{"the first", "ada", body, 200, "{"},
		{"again", "ada", body, 200, "{"},
		{"another's of the same client", "bob", body, 409, "ALREADY_EXISTS"},
		{"a number's", 7, body, 409, "ALREADY_EXISTS"},
		{"another's own write", "bob", `{"id":21,"cents":1}`, 200, "{"},
		{"nobody's in particular", nil, `{"id":22,"cents":1}`, 200, "{"},
		{"the first with another request", "ada", `{"id":23,"cents":1}`, 400, "IDEMPOTENCY_KEY_REUSED"},
	} {
		if code, text := add(test.sub, "k1", test.body); code != test.want || !strings.Contains(text, test.part) {
			t.Errorf("%s: %d %s, want %d %s", test.name, code, text, test.want, test.part)
		}
	}
}
