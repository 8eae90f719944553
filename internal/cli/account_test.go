package cli_test

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"banyan.dev/banyan/internal/devstack"
)

// makeAccount is `account NAME`: makes an account without rights, and sets NAME_NAME, as GRANT wants it, and NAME_DSN.
func makeAccount(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		account := devstack.NewAccount(t, ts.Getenv("BANYAN_LEGACY_DSN"))
		ts.Setenv(args[0]+"_NAME", account.Name)
		ts.Setenv(args[0]+"_DSN", account.DSN)
	}
}

// runGrants is `grant FILE`: runs the statements of a file, such as stdout, a line each, without its comments.
func runGrants(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if !strings.HasPrefix(line, "--") {
			statement, _, _ := strings.Cut(line, "; --")
			ts.Check(execute(ts.Getenv("BANYAN_LEGACY_DSN"), statement))
		}
	}
}
