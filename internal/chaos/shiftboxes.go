package chaos

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the new service's database

	"banyan.dev/banyan/internal/chaos/boxes"
)

// boxSystem are boxes that clients put things into, many of them into one box at once.
type boxSystem struct{ *promises }

// Boxes is the system of package boxes.
func Boxes() System { return &boxSystem{newPromises()} }

const (
	// mostBoxes are those that clients use; otherBox is the first of those of the old application.
	mostBoxes = 40
	otherBox  = 1_000_000
)

func (*boxSystem) name() string { return "boxes" }

func (*boxSystem) layOut(dir string) error { return boxes.LayOut(dir) }

func (*boxSystem) fill(ctx context.Context, r *shiftRun) error {
	schema, err := os.ReadFile(filepath.Join(r.Dir, "schema.sql"))
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	for statement := range strings.SplitSeq(string(schema), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := execute(ctx, r.db, statement); err != nil {
			return err
		}
	}
	for id := 1; id <= mostBoxes; id++ {
		if _, err := r.db.ExecContext(ctx, "INSERT INTO boxes VALUES (?, ?)", id, 500+id/2); err != nil {
			return fmt.Errorf("make boxes: %w", err)
		}
	}
	return nil
}

func (*boxSystem) service(r *shiftRun, listen string) ([]string, error) {
	return []string{"--listen", listen, "--db", filepath.Join(r.Dir, "boxes.db"), "--broker", r.broker.URL("/"), "--queues", "4", "--delay", "5ms", "--ill", r.illness()}, nil
}

// oldApplication writes other boxes behind Banyan's back.
func (*boxSystem) oldApplication(ctx context.Context, r *shiftRun) {
	for n := 0; ctx.Err() == nil; n++ {
		box := otherBox + n%50
		_, err := r.db.ExecContext(ctx, "INSERT IGNORE INTO boxes VALUES (?, ?)", box, 500+n%30)
		if err == nil {
			_, err = r.db.ExecContext(ctx, "INSERT INTO things (box, thing) VALUES (?, ?)", box, "old-"+strconv.Itoa(n))
		}
		if err == nil {
			r.report.old()
		}
		pause(ctx, 20*time.Millisecond)
		r.ease(ctx)
	}
}

// act puts a thing into a box, or looks into one.
func (s *boxSystem) act(ctx context.Context, r *shiftRun, random *rand.Rand, client, n int) {
	whole := context.WithoutCancel(ctx)
	box, b := strconv.Itoa(1+random.IntN(mostBoxes)), r.replicas[random.IntN(2)]
	if random.IntN(3) == 0 {
		before := s.before(box)
		code, answer, err := b.call(whole, http.MethodGet, "http://"+b.rest+"/v1/boxes/"+box, "")
		r.report.read(missing(before, code, answer, err))
		return
	}
	thing := fmt.Sprintf("%d-%d", client, n)
	began := time.Now()
	code, answer, err := b.call(whole, http.MethodPost, "http://"+b.rest+"/v1/boxes/"+box+":put", `{"thing": "`+thing+`"}`)
	what := heard(code, answer, err)
	s.note(box, thing, what)
	r.report.write(what, time.Since(began))
	if what == nothingSaid {
		pause(ctx, 50*time.Millisecond) // who answers nothing is down
	}
}

// missing says which things a read should have given and did not; ok is false when there was no answer.
func missing(before []string, code int, answer string, err error) (what string, ok bool) {
	if err == nil && code == http.StatusNotFound {
		return "a box that is there is not found", true
	}
	if err != nil || code != http.StatusOK {
		return "", false
	}
	var box struct {
		Things []string `json:"things"`
	}
	if err := json.Unmarshal([]byte(answer), &box); err != nil {
		return "no JSON: " + answer, true
	}
	for _, thing := range before {
		if !slices.Contains(box.Things, thing) {
			return fmt.Sprintf("a read has not %s, which was acknowledged before it began", thing), true
		}
	}
	return "", true
}

func (*boxSystem) entity() string { return "boxes.v1.Box" }

func (*boxSystem) damage(ctx context.Context, r *shiftRun) (int, error) {
	return takeAway(ctx, filepath.Join(r.Dir, "boxes.db"), "DELETE FROM boxes WHERE id % 3 = 0", "DELETE FROM things WHERE box % 3 = 0")
}

// takeAway deletes from a service's file, and says how much the first statement has.
func takeAway(ctx context.Context, file string, statements ...string) (int, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=rw&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // what it did is committed
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var taken int64
	for i, statement := range statements {
		result, err := tx.ExecContext(ctx, statement)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			if taken, err = result.RowsAffected(); err != nil {
				return 0, err
			}
		}
	}
	return int(taken), tx.Commit()
}

// compare reads every box from both sides, through the contract: from legacy by the facade, after the last rollback, and from
// the new service itself. Which boxes there are, each side's own table says.
func (*boxSystem) compare(ctx context.Context, r *shiftRun) error {
	modern, err := sql.Open("sqlite", "file:"+filepath.Join(r.Dir, "boxes.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return fmt.Errorf("look into the new service: %w", err)
	}
	defer modern.Close() //nolint:errcheck // it was read only
	var sides [2]map[int64][]string
	for i, side := range []struct {
		db *sql.DB
		at string
	}{{r.db, r.replicas[0].grpc}, {modern, r.at}} {
		ids, err := boxes.Column[int64](ctx, side.db, "SELECT id FROM boxes")
		if err != nil {
			return fmt.Errorf("look for the boxes: %w", err)
		}
		if sides[i], err = boxes.Read(ctx, side.at, ids); err != nil {
			return err
		}
	}
	for box, things := range sides[0] {
		if theirs, ok := sides[1][box]; !ok || !slices.Equal(things, theirs) {
			return fmt.Errorf("box %d differs: legacy has %d things, the new service %d", box, len(things), len(theirs))
		}
	}
	if len(sides[0]) != len(sides[1]) {
		return fmt.Errorf("legacy has %d boxes, the new service %d", len(sides[0]), len(sides[1]))
	}
	return nil
}

func (s *boxSystem) judge(ctx context.Context, r *shiftRun) error {
	legacy, err := boxes.Contents(ctx, r.db)
	if err != nil {
		return err
	}
	there := map[string]int{}
	for box, things := range legacy {
		for _, thing := range things {
			if box < otherBox {
				there[thing]++
			}
		}
	}
	s.promises.judge(r.report, there)
	return nil
}
