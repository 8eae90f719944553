package app_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/devstack"
)

// TestSakila serves a hand-written contract over the Sakila sample database: real input that nobody here wrote. It
// skips where the data is absent; BANYAN_TEST_DATA names its folder.
func TestSakila(t *testing.T) {
	dir := os.Getenv("BANYAN_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "sakila", "schema.sql")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the Sakila data is not here; BANYAN_TEST_DATA names the folder that holds sakila/schema.sql and sakila/data.sql")
	}
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			dsn := server.NewSchema(t)
			db, err := sql.Open("mysql", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			load(t, db, filepath.Join(dir, "sakila", "schema.sql"))
			load(t, db, filepath.Join(dir, "sakila", "data.sql"))
			at := serveSakila(t, dsn)
			t.Run("a read over seven tables", func(t *testing.T) { sakilaFilm(t, at, db) })
			t.Run("a keyset list over a composite key", func(t *testing.T) { sakilaRoles(t, at, db) })
			t.Run("filters and orders", func(t *testing.T) { sakilaFilters(t, at, db) })
			t.Run("a rental writes two tables or none", func(t *testing.T) { sakilaRental(t, at, db) })
			t.Run("an export streams", func(t *testing.T) { sakilaExport(t, at, db) })
		})
	}
}

// load runs a script as the mysql client would, DELIMITER lines included, in the current schema.
func load(t *testing.T, db *sql.DB, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(text string) {
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v\n%.200s", file, err, text)
		}
	}
	exec("SET autocommit = 0") // one flush instead of one for each INSERT
	delimiter := ";"
	var stmt strings.Builder
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if word, rest, _ := strings.Cut(line, " "); strings.EqualFold(word, "DELIMITER") {
			delimiter = strings.TrimSpace(rest)
			continue
		}
		if stmt.Len() == 0 && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "--")) {
			continue
		}
		stmt.WriteString(line + "\n")
		text := strings.TrimSpace(stmt.String())
		if !strings.HasSuffix(text, delimiter) {
			continue
		}
		stmt.Reset()
		text = strings.ReplaceAll(strings.TrimSuffix(text, delimiter), "sakila.", "")
		switch word, _, _ := strings.Cut(strings.ToUpper(text), " SAKILA"); word {
		case "CREATE SCHEMA", "DROP SCHEMA IF EXISTS", "USE":
			continue
		}
		exec(text)
	}
	exec("COMMIT")
	exec("SET autocommit = 1")
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// serveSakila runs the app over the Sakila project and gives its REST base URL.
func serveSakila(t *testing.T, dsn string) string {
	t.Helper()
	lookup := func(name string) (string, bool) { return dsn, name == "SAKILA_DSN" }
	project, faults := app.Load(t.Context(), filepath.Join("testdata", "sakila", "banyan.yaml"), lookup)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan app.Addresses, 1)
	stopped := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	a := app.New(project, app.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Ready: func(at app.Addresses) { ready <- at }})
	go func() { stopped <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	select {
	case at := <-ready:
		return "http://" + at.REST
	case err := <-stopped:
		stopped <- nil
		t.Fatalf("the app stopped: %v", err)
		return ""
	}
}

// get asks for a path and decodes the JSON reply.
func get[T any](t *testing.T, url string) T {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body := do(t, req, http.StatusOK)
	var out T
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%s: %v\n%s", url, err, body)
	}
	return out
}

func do(t *testing.T, req *http.Request, want int) (http.Header, []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d\n%s", req.Method, req.URL, resp.Status, want, body)
	}
	return resp.Header, body
}

// post sends a JSON body and gives the reply's.
func post(t *testing.T, url, body string, want int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	_, reply := do(t, req, want)
	return reply
}

// strs gives a query's rows, their columns joined by "|".
func strs(t *testing.T, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: nothing to compare with", what)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: row %d is %q, want %q", what, i, got[i], want[i])
		}
	}
}

type film struct {
	ID                                   int
	Title, Description, Language, Rating string
	OriginalLanguage                     *string
	ReleaseYear, RentalDays              int
	RentalRate                           struct{ Value string }
	SpecialFeatures, Categories          []string
	Actors                               []struct {
		ID                  int
		FirstName, LastName string
	}
}

func sakilaFilm(t *testing.T, at string, db *sql.DB) {
	for _, id := range []int{1, 500, 1000} {
		f := get[film](t, fmt.Sprintf("%s/v1/films/%d", at, id))
		got := []string{fmt.Sprintf("%d|%s|%d|%s|%s|%s|%s", f.ID, f.Title, f.ReleaseYear, f.Language, f.RentalRate.Value, strings.Join(f.SpecialFeatures, ","), strings.Join(f.Categories, ","))}
		for _, a := range f.Actors {
			got = append(got, fmt.Sprintf("%d %s %s", a.ID, a.FirstName, a.LastName))
		}
		want := strs(t, db, `SELECT CONCAT_WS('|', film_id, title, release_year, l.name, rental_rate, IFNULL(special_features, ''),
			(SELECT GROUP_CONCAT(c.name ORDER BY c.name) FROM film_category fc JOIN category c USING (category_id) WHERE fc.film_id = f.film_id))
			FROM film f JOIN language l ON l.language_id = f.language_id WHERE film_id = ?`, id)
		want = append(want, strs(t, db, "SELECT CONCAT(actor_id, ' ', first_name, ' ', last_name) FROM film_actor JOIN actor USING (actor_id) WHERE film_id = ? ORDER BY actor_id", id)...)
		equal(t, "film", got, want)
		if f.OriginalLanguage != nil {
			t.Errorf("film %d has the original language %q, and NULL in the table", id, *f.OriginalLanguage)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/v1/films/99999", nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, req, http.StatusNotFound)
}

// sakilaRoles walks the whole list in pages and compares it with the table.
func sakilaRoles(t *testing.T, at string, db *sql.DB) {
	type page struct {
		Roles []struct {
			ActorID, FilmID int
			Actor, Film     string
		}
		NextPageToken string
	}
	want := strs(t, db, "SELECT CONCAT(actor_id, ' ', film_id, ' ', first_name, ' ', last_name, ' ', title) FROM film_actor JOIN actor USING (actor_id) JOIN film USING (film_id) ORDER BY actor_id, film_id")
	var got []string
	token := ""
	for pages := 0; ; pages++ {
		if pages > len(want) {
			t.Fatal("the list never ends")
		}
		p := get[page](t, at+"/v1/roles?pageSize=317&pageToken="+url.QueryEscape(token))
		for _, r := range p.Roles {
			got = append(got, fmt.Sprintf("%d %d %s %s", r.ActorID, r.FilmID, r.Actor, r.Film))
		}
		if token = p.NextPageToken; token == "" {
			break
		}
	}
	equal(t, "roles", got, want)
	one := get[page](t, at+"/v1/actors/7/roles?pageSize=1000")
	if n := strs(t, db, "SELECT COUNT(*) FROM film_actor WHERE actor_id = 7"); fmt.Sprint(len(one.Roles)) != n[0] {
		t.Errorf("actor 7 has %d roles, want %s", len(one.Roles), n[0])
	}
}

func sakilaFilters(t *testing.T, at string, db *sql.DB) {
	type page struct {
		Films         []film
		NextPageToken string
	}
	var got []string
	token := ""
	for {
		p := get[page](t, at+"/v1/films?rating=RATING_PG13&category=Sci-Fi&orderBy="+url.QueryEscape("rental_rate desc")+"&pageSize=4&pageToken="+url.QueryEscape(token))
		for _, f := range p.Films {
			got = append(got, fmt.Sprintf("%d %s %s %d", f.ID, f.Title, f.RentalRate.Value, len(f.Actors)))
		}
		if token = p.NextPageToken; token == "" {
			break
		}
	}
	equal(t, "films", got, strs(t, db, `SELECT CONCAT(f.film_id, ' ', f.title, ' ', f.rental_rate, ' ', (SELECT COUNT(*) FROM film_actor fa WHERE fa.film_id = f.film_id))
		FROM film f JOIN film_category USING (film_id) JOIN category c USING (category_id) WHERE rating = 'PG-13' AND c.name = 'Sci-Fi' ORDER BY rental_rate DESC, f.film_id`))
}

func sakilaRental(t *testing.T, at string, db *sql.DB) {
	count := func() string {
		return strs(t, db, "SELECT CONCAT((SELECT COUNT(*) FROM rental), ' ', (SELECT COUNT(*) FROM payment))")[0]
	}
	before := count()
	const rent = `{"filmId": 1, "storeId": 1, "customerId": %d, "staffId": 1, "amount": {"value": "%s"}}`
	// The rental is written first; the payment fails; nothing stays.
	post(t, at+"/v1/rentals", fmt.Sprintf(rent, 1, "10000.00"), http.StatusBadRequest)
	post(t, at+"/v1/rentals", fmt.Sprintf(rent, 1, "4.999"), http.StatusBadRequest)
	post(t, at+"/v1/rentals", fmt.Sprintf(rent, 60000, "4.99"), http.StatusBadRequest)
	if after := count(); after != before {
		t.Fatalf("rentals and payments are %s after failed rentals, want %s", after, before)
	}
	var r struct {
		ID       int
		Film     string
		RentTime string
		Customer struct {
			Name    string
			Address struct{ City, Country string }
		}
		Payments []struct{ Amount struct{ Value string } }
	}
	if err := json.Unmarshal(post(t, at+"/v1/rentals", fmt.Sprintf(rent, 1, "4.99"), http.StatusOK), &r); err != nil {
		t.Fatal(err)
	}
	if r.Film != "ACADEMY DINOSAUR" || r.Customer.Name != "MARY SMITH" || r.Customer.Address.City != "Sasebo" || len(r.Payments) != 1 || r.Payments[0].Amount.Value != "4.99" {
		t.Fatalf("the rental is %+v", r)
	}
	equal(t, "rental", strs(t, db, "SELECT CONCAT(r.customer_id, ' ', p.amount) FROM rental r JOIN payment p USING (rental_id) WHERE rental_id = ?", r.ID), []string{"1 4.99"})
	post(t, fmt.Sprintf("%s/v1/rentals/%d:return", at, r.ID), "{}", http.StatusOK)
	post(t, fmt.Sprintf("%s/v1/rentals/%d:return", at, r.ID), "{}", http.StatusBadRequest)
}

func sakilaExport(t *testing.T, at string, db *sql.DB) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/v1/films:export", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body := do(t, req, http.StatusOK)
	var got []string
	for line := range strings.Lines(string(body)) {
		var row struct{ Result film }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		got = append(got, fmt.Sprint(row.Result.ID, " ", row.Result.Title))
	}
	equal(t, "export", got, strs(t, db, "SELECT CONCAT(film_id, ' ', title) FROM film ORDER BY film_id"))
}
