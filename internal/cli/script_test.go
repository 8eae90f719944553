package cli_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/rogpeppe/go-internal/testscript"

	"banyan.dev/banyan/internal/cli"
	"banyan.dev/banyan/internal/devstack"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"banyan": func() { os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Process("v0.0.0-test"))) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Setup:         func(env *testscript.Env) error { writeCertificates(t, env.WorkDir); return nil },
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"legacy":    makeLegacy(t),
			"freeport":  freePort,
			"get":       get,
			"ready":     ready,
			"broker":    makeBroker(t),
			"leading":   leading,
			"confirmed": confirmed,
			"writing":   writing,
			"sql":       runSQL,
			"admin":     startAdmin,
			"commanded": commanded,
			"account":   makeAccount(t),
			"grant":     runGrants,
			"orders":    startOrders(t),
			"tell":      tell,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "long" {
				return !testing.Short(), nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
	})
}

// makeLegacy is `legacy FILE.sql`: makes an empty database, runs the file in it and sets BANYAN_LEGACY_DSN.
func makeLegacy(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		dsn := devstack.MariaDB(t).NewSchema(t)
		ts.Check(execute(dsn, ts.ReadFile(args[0])))
		ts.Setenv("BANYAN_LEGACY_DSN", dsn)
	}
}

// makeBroker is `broker`: makes an empty virtual host and sets BROKER_URL, STREAM_PORT to where the broker speaks its stream
// protocol, and LEDGER to a schema that is dropped at the end.
func makeBroker(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		ts.Setenv("BROKER_URL", devstack.RabbitMQ(t).NewVHost(t))
		ts.Setenv("STREAM_PORT", strconv.Itoa(devstack.RabbitMQ(t).StreamPort))
		dsn := devstack.MariaDB(t).NewSchema(t)
		parts, err := mysql.ParseDSN(dsn)
		ts.Check(err)
		ts.Setenv("LEDGER", parts.DBName)
	}
}

// leading is `leading URL`: waits until the mirror whose status that is leads.
func leading(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, func() error {
		if status, err := mirrorStatus(args[0]); err != nil || status.Phase != "leading" {
			return fmt.Errorf("the mirror is %s: %w", status.Phase, err)
		}
		return nil
	})
}

// confirmed is `confirmed N URL`: waits until the mirror whose status that is has N confirms.
func confirmed(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, func() error {
		if status, err := mirrorStatus(args[1]); err != nil || strconv.Itoa(status.Confirmed) != args[0] {
			return fmt.Errorf("%d are confirmed: %w", status.Confirmed, err)
		}
		return nil
	})
}

type mirrorState struct {
	Phase     string `json:"phase"`
	Confirmed int    `json:"confirmed"`
}

func mirrorStatus(address string) (mirrorState, error) {
	answer, err := http.Get(address)
	if err != nil {
		return mirrorState{}, err
	}
	defer answer.Body.Close()
	var status struct {
		Mirror mirrorState `json:"mirror"`
	}
	err = json.NewDecoder(answer.Body).Decode(&status)
	return status.Mirror, err
}

// writing is `writing STATEMENT`: runs it again and again until the script ends.
func writing(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("mysql", ts.Getenv("BANYAN_LEGACY_DSN"))
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := db.ExecContext(ctx, args[0]); err != nil && ctx.Err() == nil {
				ts.Logf("%s: %v", args[0], err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	ts.Defer(func() {
		cancel()
		running.Wait()
		_ = db.Close() // it only wrote
	})
}

// runSQL is `sql STATEMENT…`: runs them in the legacy's database.
func runSQL(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(execute(ts.Getenv("BANYAN_LEGACY_DSN"), strings.Join(args, ";\n")+";\n"))
}

// freePort is `freeport NAME…`: sets each to a port that nobody listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		ts.Setenv(name, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
}

// get is `get STATUS URL`: asks until somebody answers, and keeps the body as standard output's.
func get(ts *testscript.TestScript, _ bool, args []string) {
	var body []byte
	var status string
	poll(ts, func() error {
		answer, err := http.Get(args[1])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		status = strconv.Itoa(answer.StatusCode)
		body, err = io.ReadAll(answer.Body)
		return err
	})
	fmt.Fprintf(ts.Stdout(), "%s", body)
	if status != args[0] {
		ts.Fatalf("status %s: %s", status, body)
	}
}

// ready is `ready FILE`: waits for a demo's ready file, and sets the variables READY_rest and so on.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	var fields map[string]string
	poll(ts, func() error {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &fields)
	})
	for name, value := range fields {
		ts.Setenv("READY_"+name, value)
	}
}

// poll tries until it works, for as long as a busy machine may need.
func poll(ts *testscript.TestScript, try func() error) {
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("gave up: %v", err)
		case <-tick.C:
		}
	}
}
