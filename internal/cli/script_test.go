package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

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
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"legacy":   makeLegacy(t),
			"freeport": freePort,
			"get":      get,
			"ready":    ready,
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
