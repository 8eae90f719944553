package binlog_test

import (
	"context"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// Columns of times that MariaDB 5.3 has made have other sizes with decimals than the log says. They stop the reader rather
// than giving other times.
func TestTimesOfMariaDB53(t *testing.T) {
	server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true, Settings: map[string]string{"mysql56_temporal_format": "OFF"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	b := newBench(t, server.NewSchema(t))
	got := b.since("CREATE TABLE plain (id INT PRIMARY KEY, d DATETIME, t TIME, s TIMESTAMP NULL)",
		"INSERT INTO plain VALUES (1, '2024-02-29 23:59:59', '-838:59:59', '2024-02-29 23:59:59'), (2, '9999-12-31 23:59:59', '00:00:01', NULL)")
	want := "insert plain (id=1 d=2024-02-29 23:59:59 t=-838:59:59 s=2024-02-29T23:59:59Z)"
	if text := strings.Join(got, "\n"); !strings.Contains(text, want) {
		t.Errorf("the log gives %s, want %s in it", text, want)
	}
	for _, kind := range []string{"DATETIME(6)", "DATETIME(3)", "TIME(6)", "TIME(1)", "TIMESTAMP(6)"} {
		t.Run(kind, func(t *testing.T) {
			b := b.in(t)
			from := b.tail()
			b.exec("DROP TABLE IF EXISTS old", "CREATE TABLE old (v "+kind+" NULL)", "INSERT INTO old VALUES ('2024-02-29 23:59:59')")
			to := b.tail()
			s := b.open(from)
			_, err := b.readStream(s, to)
			if change.Stops(err) == nil || !strings.Contains(err.Error(), "MariaDB 5.3") {
				t.Errorf("the stream gives %v", err)
			}
		})
	}
	t.Run("mended", func(t *testing.T) {
		b := b.in(t)
		b.exec("CREATE TABLE mended (v DATETIME(6))", "SET GLOBAL mysql56_temporal_format = ON", "ALTER TABLE mended FORCE")
		got := b.since("INSERT INTO mended VALUES ('2024-02-29 23:59:59.5')")
		if text := strings.Join(got, "\n"); !strings.Contains(text, "(v=2024-02-29 23:59:59.500000)") {
			t.Errorf("the log gives %s", text)
		}
	})
}
