package demo

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/config"
)

// The commands that copy the demo's files give a project with other addresses and the same database, also below a
// directory whose name a shell would take apart.
func TestCopyIsServedElsewhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a demo")
	const admin = `admin:s|e&c\'r"et@tcp(127.0.0.1:3306)/shop?a=b&c=d`
	s := &shop{dsn: admin, own: "banyan:secret@tcp(127.0.0.1:3306)/shop"}
	if err := s.layOut(Options{Dir: dir, FreePorts: true, Out: io.Discard}, "amqp://banyan:secret@127.0.0.1:5672/"); err != nil {
		t.Fatal(err)
	}
	commands := ready{Config: s.config, LegacyDSN: admin, program: "bin/banyan"}.copying()
	if got := commands[2]; got != "bin/banyan serve -c myshop/banyan.yaml" {
		t.Errorf("serves by %q", got)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(commands[:2], "\n"))
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(cmd.Dir, "myshop", "banyan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, faults := config.Parse("banyan.yaml", text, os.LookupEnv)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Listen.REST != "127.0.0.1:8081" || c.Listen.GRPC != "127.0.0.1:9092" || c.Listen.Admin != "127.0.0.1:9093" {
		t.Errorf("listens on %+v", c.Listen)
	}
	if got := c.Legacy.DSN.Reveal(); got != admin {
		t.Errorf("the database is %q", got)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "myshop", "sql", "orders.sql")); err != nil {
		t.Error(err)
	}
	// The second replica differs in where it listens only.
	first, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(s.second)
	if err != nil {
		t.Fatal(err)
	}
	listen := regexp.MustCompile("(?m)^listen:.*$")
	if string(first) == string(second) || listen.ReplaceAllString(string(first), "") != listen.ReplaceAllString(string(second), "") {
		t.Errorf("the second replica's config is\n%s", second)
	}
}
