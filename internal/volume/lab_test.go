package volume_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the legacy's driver
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// lab is a legacy, a broker, Banyan and the service.
type lab struct {
	t       *testing.T
	db      *sql.DB
	broker  *devstack.Broker
	url     string // the broker's
	queues  int
	dir     string
	banyan  *child
	service *child
	admin   string
}

// options say what a lab is like. The zero value is right for most.
type options struct {
	format  string // json
	queues  int    // one
	broker  *devstack.Broker
	service []string   // further arguments
	before  func(*lab) // is called before Banyan runs, which tells nothing of what is there by then
}

// newLab starts the servers, Banyan with the service's stream, and the service, until it answers a fence.
func newLab(t *testing.T, o options) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("what is large is not short")
	}
	if o.broker == nil {
		o.broker = devstack.RabbitMQ(t)
	}
	l := &lab{t: t, broker: o.broker, url: o.broker.NewVHost(t), queues: max(o.queues, 1), dir: apptest.Files(t, project)}
	dsn := devstack.MariaDB(t).NewSchema(t)
	var err error
	if l.db, err = sql.Open("mysql", dsn); err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`/([^/?]+)(\?|$)`).FindStringSubmatch(dsn)[1]
	ledger := "l_" + name[:min(len(name), 40)]
	t.Cleanup(func() {
		_, _ = l.db.Exec("DROP DATABASE IF EXISTS " + ledger)
		l.db.Close()
	})
	made, err := os.ReadFile(filepath.Join(l.dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(strings.TrimSpace(string(made)), ";\n") {
		l.exec(strings.TrimSuffix(statement, ";"))
	}
	if o.before != nil {
		o.before(l)
	}
	l.service = &child{t: t, log: filepath.Join(l.dir, "service.log"), args: append([]string{
		asService, "--db", l.path(), "--broker", l.url, "--queues", strconv.Itoa(l.queues),
	}, o.service...)}
	l.banyan = &child{t: t, log: filepath.Join(l.dir, "banyan.log"), args: []string{"serve", "-c", "banyan.yaml"}, env: []string{
		"BANYAN_LEGACY_DSN=" + dsn, "BANYAN_BROKER_URL=" + l.url, "BANYAN_LEDGER=" + ledger, "BANYAN_FORMAT=" + cmp.Or(o.format, "json"), "BANYAN_ADMIN=127.0.0.1:0",
	}}
	for _, c := range []*child{l.service, l.banyan} {
		c.start()
		t.Cleanup(func() {
			if err := c.check(); err != nil {
				t.Error(err)
			}
			c.kill()
		})
	}
	l.banyan.logged("Banyan serves", "msg=serving ")
	l.banyan.logged("the stream begins", `msg="the mirror leads" stream=store`) // nothing from before it is told, no fence either
	log, err := os.ReadFile(l.banyan.log)
	if err != nil {
		t.Fatal(err)
	}
	l.admin = regexp.MustCompile(` admin=(\S+)`).FindStringSubmatch(string(log))[1]
	l.fence()
	return l
}

func (l *lab) path() string { return filepath.Join(l.dir, "service.db") }

func (l *lab) exec(statement string, args ...any) {
	l.t.Helper()
	if _, err := l.db.ExecContext(l.t.Context(), statement, args...); err != nil {
		l.t.Fatalf("%.200s: %v", statement, err)
	}
}

// transaction runs statements in one.
func (l *lab) transaction(statements ...string) {
	l.t.Helper()
	tx, err := l.db.BeginTx(l.t.Context(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Rollback()
	for _, s := range statements {
		if _, err := tx.ExecContext(l.t.Context(), s); err != nil {
			l.t.Fatalf("%.200s: %v", s, err)
		}
	}
	if err := tx.Commit(); err != nil {
		l.t.Fatal(err)
	}
}

// fence asks the service for a sign that it has all that was committed before, and gives how long that took.
func (l *lab) fence() time.Duration {
	l.t.Helper()
	began := time.Now()
	apptest.Poll(l.t, "a fence", func() error { return l.ask(l.t.Context()) }) // one that was taken may take longer
	return time.Since(began)
}

// waiting counts the messages in the service's queues.
func (l *lab) waiting() (n int) {
	l.t.Helper()
	conn, err := amqp.Dial(l.url)
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range l.queues {
		queue, err := channel.QueueDeclarePassive(protocol.QueueName("store", l.queues, i), true, false, false, false, nil)
		if err != nil {
			l.t.Fatal(err)
		}
		n += queue.Messages
	}
	return n
}

// brokerMemory is what the broker's own program has, in bytes.
func (l *lab) brokerMemory() int64 {
	l.t.Helper()
	out, err := l.broker.Control(l.t.Context(), "eval", "erlang:memory(total).")
	if err != nil {
		l.t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// patience bounds how long nothing may change.
const patience = time.Minute

// wait polls for as long as it gets on, which its error shows: how long is right depends on how much there is.
func wait(t *testing.T, what string, try func() error) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last string
	var since time.Time
	for {
		err := try()
		if err == nil {
			return
		}
		if now := time.Now(); err.Error() != last {
			last, since = err.Error(), now
		} else if now.Sub(since) > patience {
			t.Fatalf("%s: nothing has changed for %s: %v", what, patience, err)
		}
		<-tick.C
	}
}

func (l *lab) ask(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.admin+"/admin/v1/services/store:fence", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Grpc-Timeout", "30M")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", answer.StatusCode, body)
	}
	var told struct{ Parked []string }
	if err == nil {
		err = json.Unmarshal(body, &told)
	}
	return err
}

// store opens the service's database to look into it.
func (l *lab) store() *sql.DB {
	l.t.Helper()
	db, err := sql.Open("sqlite", "file:"+l.path()+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		l.t.Fatal(err)
	}
	return db
}

// look asks the service's database for one number.
func (l *lab) look(question string, args ...any) (n int64) {
	l.t.Helper()
	db := l.store()
	defer db.Close()
	if err := db.QueryRow(question, args...).Scan(&n); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// compare holds the service's orders against the legacy's, save those that are named, and looks for what went back.
func (l *lab) compare(except ...int64) {
	l.t.Helper()
	db := l.store()
	defer db.Close()
	var broken int
	var what sql.NullString
	if err := db.QueryRow("SELECT COUNT(*), MIN(what) FROM broken").Scan(&broken, &what); err != nil || broken > 0 {
		l.t.Errorf("%d events were applied in a wrong order, such as: %s; %v", broken, what.String, err)
	}
	theirs, err := db.Query("SELECT id, customer, n, body, lines FROM orders ORDER BY id")
	if err != nil {
		l.t.Fatal(err)
	}
	defer theirs.Close()
	tx, err := l.db.BeginTx(l.t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("SET SESSION group_concat_max_len = 100000000"); err != nil {
		l.t.Fatal(err)
	}
	ours, err := tx.Query(`SELECT o.id, o.customer, o.n, o.body, COALESCE((SELECT GROUP_CONCAT(l.sku, ':', l.quantity ORDER BY l.id) FROM order_lines l WHERE l.order_id = o.id), '') FROM orders o ORDER BY o.id`)
	if err != nil {
		l.t.Fatal(err)
	}
	defer ours.Close()
	scan := func(rows *sql.Rows) (one [5]string, there bool) {
		l.t.Helper()
		for rows.Next() {
			if err := rows.Scan(&one[0], &one[1], &one[2], &one[3], &one[4]); err != nil {
				l.t.Fatal(err)
			}
			skip := false
			for _, id := range except {
				skip = skip || one[0] == fmt.Sprint(id)
			}
			if !skip {
				return one, true
			}
		}
		return one, false
	}
	for n, wrong := 0, 0; wrong < 5; n++ {
		have, there := scan(theirs)
		want, more := scan(ours)
		if !there && !more {
			if err := errors.Join(theirs.Err(), ours.Err()); err != nil {
				l.t.Fatal(err)
			}
			if n == 0 {
				l.t.Error("there is nothing to compare")
			}
			return
		}
		if have != want {
			wrong++
			l.t.Errorf("the service has %.300q, the legacy %.300q", have, want)
		}
	}
}
