package binlog_test

import (
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/devstack"
)

func TestServersWithOtherSettings(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("SET GLOBAL mysql56_temporal_format = OFF", "CREATE TABLE old (id INT, a TIME, b DATETIME, c TIMESTAMP NULL, d DATE)", "CREATE TABLE old_decimals (id INT, e DATETIME(6))", "SET GLOBAL mysql56_temporal_format = ON")
	got := b.since("INSERT INTO old (id, a, b, c, d) VALUES (1, '-838:59:59', '2024-02-29 12:34:56', '2024-02-29 12:34:56', '0000-00-00'), (2, '00:00:01', '0000-00-00', NULL, '2024-12-31')")
	b.want(got,
		"insert old (id=1 a=-838:59:59 b=2024-02-29 12:34:56 c=2024-02-29T12:34:56Z d=0000-00-00)",
		"insert old (id=2 a=00:00:01 b=0000-00-00 00:00:00 c=NULL d=2024-12-31)")
	from := b.tail()
	b.session("INSERT INTO old_decimals VALUES (1, '2024-02-29 12:34:56.78')")
	// The log does not have how many decimals they have.
	wantStop(t, fails(t, b.open(from)), "mysql56_temporal_format = ON", "FORCE")

	b.exec("CREATE TABLE z (a TIMESTAMP(3) NULL, b YEAR)")
	b.want(b.since("SET sql_mode = ''", "INSERT INTO z VALUES ('0000-00-00 00:00:00', '0000')"), "insert z (a=0000-00-00 00:00:00.000 b=0)")

	b.exec("SET GLOBAL binlog_row_metadata = MINIMAL")
	from = b.tail()
	b.session("INSERT INTO z VALUES (NULL, 2000)")
	wantStop(t, fails(t, b.open(from)), "binlog_row_metadata = FULL")
}

func TestEncryptedLinks(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.exec("CREATE TABLE t (id INT)")
		for _, mode := range []string{"skip-verify", "preferred"} {
			if mariadb && mode == "skip-verify" {
				continue // It has no certificate.
			}
			config, err := mysql.ParseDSN(b.dsn)
			if err != nil {
				t.Fatal(err)
			}
			config.TLSConfig = mode
			if b.source, err = binlog.New(binlog.Options{DSN: config.FormatDSN()}); err != nil {
				t.Fatal(err)
			}
			from := b.tail()
			b.session("INSERT INTO t VALUES (1)")
			var mine []string
			for _, line := range lines(b.read(from, b.tail())) {
				if strings.HasPrefix(line, "insert t (id=1)") {
					mine = append(mine, line)
				}
			}
			if len(mine) == 0 {
				t.Errorf("tls=%s: nothing came", mode)
			}
		}
	})
}
