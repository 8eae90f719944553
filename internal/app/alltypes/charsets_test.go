package alltypes

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"banyan.dev/banyan/internal/devstack"
)

// TestEveryCharacter stores each character of each charset of the server, by its bytes, and compares what events have
// with what the server itself shows.
func TestEveryCharacter(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			dsn := server.NewSchema(t)
			db, err := sql.Open("mysql", dsn+"?charset=utf8mb4&sql_mode=''&group_concat_max_len=100000")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			r := &repertoire{t: t, db: db}
			var schema string
			r.scan("SELECT DATABASE()", &schema)
			source := openSource(t, dsn, schema)
			from, err := source.Tail(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.fill()
			r.exec("CREATE TABLE " + endTable + " (id BIGINT PRIMARY KEY, v INT)")
			r.exec("INSERT INTO " + endTable + " VALUES (1, 1)")
			seen := events(t, source, from)
			for _, charset := range r.charsets {
				t.Run(charset, func(t *testing.T) { r.compare(t, charset, seen) })
			}
		})
	}
}

// repertoire has a table for each charset, with a row for each character.
type repertoire struct {
	t        *testing.T
	db       *sql.DB
	charsets []string
}

func (r *repertoire) exec(query string) {
	r.t.Helper()
	if _, err := r.db.ExecContext(r.t.Context(), query); err != nil {
		r.t.Fatalf("%.300s: %v", query, err)
	}
}

func (r *repertoire) scan(query string, into ...any) {
	r.t.Helper()
	if err := r.db.QueryRowContext(r.t.Context(), query).Scan(into...); err != nil {
		r.t.Fatalf("%.300s: %v", query, err)
	}
}

// codes are the bytes that are tried. Those of UTF-8, UTF-16 and UTF-32 are made of code points instead.
func codes() []string {
	var all []string
	for a := range 256 {
		all = append(all, fmt.Sprintf("%02X", a))
	}
	for a := 0x81; a < 0x100; a++ {
		for b := 0x30; b < 0x100; b++ {
			all = append(all, fmt.Sprintf("%02X%02X", a, b))
		}
	}
	for b := 0xa1; b < 0xff; b++ { // of EUC-JP
		for c := 0xa1; c < 0xff; c++ {
			all = append(all, fmt.Sprintf("8F%02X%02X", b, c))
		}
	}
	for a := 0x81; a < 0x85; a++ { // of GB18030
		for c := 0x81; c < 0xff; c++ {
			all = append(all, fmt.Sprintf("%02X31%02X35", a, c))
		}
	}
	return append(all, "95328236", "E3329A35")
}

func (r *repertoire) fill() {
	r.t.Helper()
	r.exec("CREATE TABLE codes (id BIGINT AUTO_INCREMENT PRIMARY KEY, raw VARBINARY(4))")
	insert(r, "codes (raw)", codes(), func(code string) string { return "(x'" + code + "')" })
	rows, err := r.db.QueryContext(r.t.Context(), "SELECT character_set_name FROM information_schema.character_sets WHERE character_set_name <> 'binary' ORDER BY maxlen, 1")
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			r.t.Fatal(err)
		}
		r.charsets = append(r.charsets, name)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	for _, charset := range r.charsets {
		r.exec("CREATE TABLE s_" + charset + " (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(300) CHARACTER SET " + charset + ")")
		if ofUnicode(charset) {
			insert(r, "s_"+charset+" (v)", planes(charset), func(text string) string {
				return "('" + strings.NewReplacer(`\`, `\\`, "'", "''", "\x00", `\0`).Replace(text) + "')"
			})
			continue
		}
		// What is no text in the charset at all, the server does not store. Of the rest, those with a character make one text
		// for each byte that they begin with.
		shown := "HEX(CONVERT(CONVERT(raw USING " + charset + ") USING utf8mb4))"
		known := "(raw = x'3F' OR " + shown + " NOT IN ('3F', '3F3F', 'EFBFBD'))"
		stored := " FROM codes WHERE LENGTH(raw) <= (SELECT maxlen FROM information_schema.character_sets WHERE character_set_name = '" + charset + "')" +
			" AND HEX(CONVERT(raw USING " + charset + ")) = HEX(raw) AND "
		lead := " GROUP BY LEFT(raw, LENGTH(raw) - 1)"
		r.exec("INSERT INTO s_" + charset + " (v) SELECT GROUP_CONCAT(raw ORDER BY raw SEPARATOR '')" + stored + known + lead)
		r.exec("INSERT INTO s_" + charset + " (v) SELECT MIN(raw)" + stored + "NOT " + known + lead + ", IF(LENGTH(raw) = 1, raw, '')")
	}
}

func ofUnicode(charset string) bool { return strings.HasPrefix(charset, "utf") || charset == "ucs2" }

// planes gives all code points that the charset has, 256 at once.
func planes(charset string) []string {
	last := rune(0x1ffff)
	if charset == "ucs2" || charset == "utf8mb3" || charset == "utf8" {
		last = 0xffff
	}
	var all []string
	for first := rune(0); first <= last; first += 256 {
		if first >= 0xd800 && first < 0xe000 {
			continue
		}
		var b strings.Builder
		for c := range rune(256) {
			b.WriteRune(first + c)
		}
		all = append(all, b.String())
	}
	return append(all, "")
}

// insert stores values in few statements.
func insert(r *repertoire, into string, values []string, row func(string) string) {
	r.t.Helper()
	for len(values) > 0 {
		n := min(len(values), 1000)
		parts := make([]string, n)
		for i := range parts {
			parts[i] = row(values[i])
		}
		r.exec("INSERT INTO " + into + " VALUES " + strings.Join(parts, ","))
		values = values[n:]
	}
}

func (r *repertoire) compare(t *testing.T, charset string, seen map[rowOf]*seen) {
	t.Helper()
	rows, err := r.db.QueryContext(context.Background(), "SELECT id, v, CAST(v AS BINARY) FROM s_"+charset)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	characters, garbled, wrong := 0, 0, 0
	for rows.Next() {
		var id int64
		var text string
		var raw []byte
		if err := rows.Scan(&id, &text, &raw); err != nil {
			t.Fatal(err)
		}
		got := seen[rowOf{"s_" + charset, id}]
		if got == nil {
			t.Fatalf("row %d has no event", id)
		}
		want := show(text)
		if len(raw) <= 4 && (strings.Trim(text, "?") == "" && text != string(raw) || text == "\ufffd" && !ofUnicode(charset)) { // The server has no character for it.
			want = `{"$bytes":"` + base64.StdEncoding.EncodeToString(raw) + `"}`
			garbled++
		} else {
			characters += utf8.RuneCountInString(text)
		}
		event, err := parse(got.inserted)
		if err != nil {
			t.Fatal(err)
		}
		if show(event) != want {
			if wrong++; wrong < 10 {
				t.Errorf("%X is %s in the event, want %s", raw, got.inserted, want)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if characters < 120 {
		t.Errorf("only %d characters were compared", characters)
	}
	t.Logf("%d characters, %d texts that are none, %d wrong", characters, garbled, wrong)
}
