package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/internal/devstack"
)

const spellingProto = `syntax = "proto3"; package shop.v2;
message Part { string code = 1; int64 n = 2; repeated string texts = 3; }
message GetPartRequest { string code = 1; }
service S {
  rpc GetPart(GetPartRequest) returns (Part) { option idempotency_level = NO_SIDE_EFFECTS; }
}`

const spellingSQL = `-- event: shop.v2.Part id=code on=parts(code),texts(part),marks(text>texts.id) via=shop.v2.S.GetPart
-- rpc: shop.v2.S.GetPart
-- name: part :one
SELECT code, n FROM parts WHERE code = :code;
-- name: texts :many into=texts
SELECT CONCAT(t.id, ' ', t.text, COALESCE(m.mark, '')) AS texts FROM texts t LEFT JOIN marks m ON m.text = t.id WHERE t.part = :code ORDER BY t.id;
`

// The same text in other letters, or with blanks behind it, is the same key for the server: an entity is told by the one id that it has,
// as its first table has it, and the id that it had is told to be gone.
func TestAnEntityIsToldByOneID(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			r := newServiceRig(t, server, devstack.RabbitMQ(t).NewVHost(t))
			const code = " VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
			r.exec(t, "CREATE TABLE parts (code"+code+" PRIMARY KEY, n INT NOT NULL)", "CREATE TABLE texts (id INT PRIMARY KEY, part"+code+", text INT NOT NULL)",
				"CREATE TABLE marks (text INT PRIMARY KEY, mark VARCHAR(5) NOT NULL)")
			r.useEntities(t, spellingProto, spellingSQL)
			r.consume(t)
			m, _ := r.start(t)
			leads(t, m)
			for i, test := range []struct {
				statements []string
				want       []string
			}{
				{[]string{"INSERT INTO texts VALUES (1, 'AB', 1), (2, 'ab ', 1)"}, nil},
				{[]string{"INSERT INTO parts VALUES ('Ab', 1)"}, []string{"Ab 1 [1 1 2 1]"}},
				{[]string{"UPDATE texts SET text = 2 WHERE id = 2"}, []string{"Ab 1 [1 1 2 2]"}},
				{[]string{"INSERT INTO marks VALUES (1, 'x')"}, []string{"Ab 1 [1 1x 2 2]"}},
				{[]string{"UPDATE parts SET code = 'aB' WHERE code = 'ab'", "UPDATE texts SET text = 3"}, []string{"Ab gone", "aB 1 [1 3x 2 3]"}},
				{[]string{"UPDATE texts SET part = 'C'", "INSERT INTO parts VALUES ('c', 1)"}, []string{"Ab gone", "aB 1 []", "c 1 [1 3x 2 3]"}},
				{[]string{"DELETE FROM parts WHERE code = 'C'", "INSERT INTO parts VALUES ('C', 2)"}, []string{"Ab gone", "C 2 [1 3x 2 3]", "aB 1 []", "c gone"}},
				{[]string{"DELETE FROM parts", "UPDATE texts SET text = 4"}, []string{"Ab gone", "C gone", "aB gone", "c gone"}},
			} {
				tx, err := r.db.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, statement := range test.statements {
					if _, err := tx.ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
				if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
				fence := fmt.Sprint("f", i)
				r.fence(t, fence, 0)
				r.fenced(t, fence)
				if diff := cmp.Diff(test.want, r.parts(t)); diff != "" {
					t.Errorf("after %q (- want, + told):\n%s", test.statements, diff)
				}
			}
			if s := m.Status(); s.Restarts > 0 || s.Stop != nil || s.Unreadable > 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// parts gives what was told of parts.
func (r *serviceRig) parts(t *testing.T) (all []string) {
	t.Helper()
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	for id, e := range r.told.have {
		if e.Deleted {
			all = append(all, id+" gone")
			continue
		}
		var part struct {
			Code, N string
			Texts   []string
		}
		if err := json.Unmarshal(e.Data, &part); err != nil || part.Code != id {
			t.Errorf("%s is told of as %s, %v", id, e.Data, err)
		}
		all = append(all, fmt.Sprint(id, " ", part.N, " ", part.Texts))
	}
	slices.Sort(all)
	return all
}
