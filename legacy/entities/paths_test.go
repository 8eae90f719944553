package entities_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
)

const pathProto = `syntax = "proto3"; package lab.v1;
message Box { int64 id = 1; string owner = 2; }
message Named { string name = 1; string owner = 2; }
message GetBoxRequest { int64 id = 1; }
message GetNamedRequest { string name = 1; }
service S {
  rpc GetBox(GetBoxRequest) returns (Box) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetNamed(GetNamedRequest) returns (Named) { option idempotency_level = NO_SIDE_EFFECTS; }
}`

const pathTables = `CREATE TABLE boxes (id BIGINT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE slots (code VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci NOT NULL, box BIGINT ZEROFILL, UNIQUE KEY (code)) ENGINE=InnoDB;
CREATE TABLE bits (id BINARY(4) NOT NULL PRIMARY KEY, slot VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_german1_ci) ENGINE=InnoDB;
CREATE TABLE crumbs (n DECIMAL(30,0) PRIMARY KEY, bit BINARY(4)) ENGINE=InnoDB;
CREATE TABLE dust (id INT AUTO_INCREMENT PRIMARY KEY, crumb DECIMAL(40,0)) ENGINE=InnoDB;
CREATE TABLE names (name VARCHAR(20) PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE tags (id INT UNSIGNED PRIMARY KEY, name VARCHAR(20)) ENGINE=InnoDB;
CREATE TABLE marks (tag BIGINT) ENGINE=InnoDB;
INSERT INTO slots VALUES ('a', 1), ('b', 2), ('é', 3), ('', 4), ('none', NULL);
INSERT INTO bits VALUES (X'00000000', 'A'), (X'FF80FE00', 'É'), (X'01000000', 'gone'), (X'02000000', NULL);
INSERT INTO crumbs VALUES (1, X'00000000'), (123456789012345678901234567890, X'FF80FE00'), (9007199254740993, X'00000000'), (-5, X'01000000'), (6, X'02000000');
INSERT INTO names VALUES ('bob');
INSERT INTO tags VALUES (4294967295, 'Bob'), (1, NULL), (2, 'Eve')`

const pathAnnotations = `-- event: lab.v1.Box id=id on=boxes(id),slots(box),bits(slot>slots.code),crumbs(bit>bits.id),dust(crumb>crumbs.n) via=lab.v1.S.GetBox
-- event: lab.v1.Named id=name on=names(name),tags(name),marks(tag>tags.id) via=lab.v1.S.GetNamed
-- rpc: lab.v1.S.GetBox
-- name: box :one
SELECT id, 'o' AS owner FROM boxes WHERE id = :id;
-- rpc: lab.v1.S.GetNamed
-- name: named :one
SELECT name, 'o' AS owner FROM names WHERE name = :name;
`

// Values lead to ids whatever they are: texts as their collation compares them, bytes, numbers that no integer holds.
func TestFollow(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLabOf(t, server, pathProto, pathTables, pathAnnotations)
			e := l.open()
			if e.Steps() != 3 {
				t.Errorf("%d steps", e.Steps())
			}
			var steps []mirror.Step
			var want []string
			for _, test := range []struct {
				table  string
				values map[string]string
			}{
				{"bits", map[string]string{"a": "1", "A": "1", "B": "2", "É": "3", "é": "3", "": "4", "none": "", "nobody": "", "a ": "1", "Ä": "1"}}, //nolint:gocritic // A key may be padded.
				{"crumbs", map[string]string{"\x00\x00\x00\x00": "1", "\xff\x80\xfe\x00": "3", "\x01\x00\x00\x00": "", "\x02\x00\x00\x00": "", "\xff\xff\xff\xff": ""}},
				{"dust", map[string]string{"1": "1", "123456789012345678901234567890": "3", "123456789012345678901234567891": "", "9007199254740993": "1", "9007199254740992": "", "-5": "", "6": ""}},
				{"marks", map[string]string{"4294967295": "bob", "1": "", "-1": "", "2": ""}},
			} {
				tables := e.Of("shop", test.table)
				if len(tables) != 1 || tables[0].Path == nil || tables[0].Path != e.Of("shop", test.table)[0].Path {
					t.Fatalf("%s: %+v", test.table, tables)
				}
				for value, id := range test.values {
					for range 2 {
						steps, want = append(steps, mirror.Step{Path: tables[0].Path, Value: value}), append(want, id)
					}
				}
			}
			got, err := e.Follow(t.Context(), l.end(t), steps)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v (- want, + got):\n%s", steps, diff)
			}
		})
	}
}

// A large transaction is looked up by the keys' indexes, some hundred rows at once.
func TestFollowMany(t *testing.T) {
	const rows = 20_000
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLabOf(t, server, pathProto, pathTables, pathAnnotations)
			for from := 0; from < rows; from += 2000 {
				var slots, bits, crumbs []string
				for i := from; i < from+2000; i++ {
					slots = append(slots, fmt.Sprintf("('s%d', %d)", i, 1000+i))
					bits = append(bits, fmt.Sprintf("(X'%08X', 'S%d')", 1<<28+i, i))
					crumbs = append(crumbs, fmt.Sprintf("(%d, X'%08X')", 1000+i, 1<<28+i))
				}
				l.exec(t, "INSERT INTO slots VALUES "+strings.Join(slots, ",")+"; INSERT INTO bits VALUES "+strings.Join(bits, ",")+"; INSERT INTO crumbs VALUES "+strings.Join(crumbs, ","))
			}
			e := l.open()
			var steps []mirror.Step
			for i := range rows {
				steps = append(steps, mirror.Step{Path: e.Of("shop", "dust")[0].Path, Value: fmt.Sprint(1000 + i)}, mirror.Step{Path: e.Of("shop", "bits")[0].Path, Value: fmt.Sprint("s", i)})
			}
			began := time.Now()
			got, err := e.Follow(t.Context(), l.end(t), steps)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d values in %s", len(steps), time.Since(began).Round(time.Millisecond))
			for i, id := range got {
				if want := fmt.Sprint(1000 + i/2); id != want {
					t.Fatalf("%v leads to %q, want %s", steps[i], id, want)
				}
			}
		})
	}
}
