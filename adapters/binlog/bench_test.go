package binlog

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// BenchmarkDecode decodes rows of 8 columns out of one event's bytes.
func BenchmarkDecode(b *testing.B) {
	text := &charset{utf8: true, ascii: true}
	t := &table{Table: &change.Table{Columns: make([]change.Column, 8)}, inScope: true, columns: []column{
		{typ: typeLong},
		{typ: typeLongLong, unsigned: true},
		{typ: typeVarchar, length: 200, prefix: 1, text: text},
		{typ: typeVarchar, length: 200, prefix: 1, text: text},
		{typ: typeDecimal, length: 15, decimals: 4},
		{typ: typeDatetime2},
		{typ: typeTimestamp2, decimals: 3},
		{typ: typeTiny},
	}}
	row := []byte{0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}
	row = append(append(row, 24), strings.Repeat("a name, ", 3)...)
	row = append(append(row, 40), strings.Repeat("a street ", 4)+"äöü!"[:4]...)
	row = append(row, 0x80, 0, 0, 12, 0x34, 0x05, 0x06, 0x07, 0x99, 0xb2, 0x5d, 0xc5, 0x30, 0x66, 0, 0, 0, 0, 1)
	row = row[:13+25+41+decimalSize(15, 4)+5+6]
	row = append(row, 1)
	const rows = 64
	r := rowsEvent{op: change.Insert, columns: 8, before: []byte{0xff}, after: []byte{0xff}}
	for range rows {
		r.images = append(r.images, row...)
	}
	var d decoder
	b.ReportAllocs()
	for b.Loop() {
		got, err := d.decode(t, r)
		if err != nil || len(got) != rows {
			b.Fatal(len(got), err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkStream reads a server's log with 200,000 rows of 8 columns, in transactions of 100 rows.
func BenchmarkStream(b *testing.B) {
	server := devstack.MariaDB(b)
	dsn := server.NewSchema(b)
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	if _, err := db.ExecContext(ctx, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n BIGINT, a VARCHAR(100), b VARCHAR(100), d DECIMAL(15,4), at DATETIME, ts TIMESTAMP(3), f TINYINT)"); err != nil {
		b.Fatal(err)
	}
	source, err := New(Options{DSN: dsn, Scope: func(schema, _ string) bool { return schema == config.DBName }})
	if err != nil {
		b.Fatal(err)
	}
	from, err := source.Tail(ctx)
	if err != nil {
		b.Fatal(err)
	}
	const rows, each = 200_000, 100
	insert := "INSERT INTO t (n, a, b, d, at, ts, f) VALUES " + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("(%d, '%s', '%s', 1234.5678, NOW(), NOW(3), 1),", 1<<40, strings.Repeat("n", 24), strings.Repeat("s", 40)), each), ",")
	for range rows / each {
		if _, err := db.ExecContext(ctx, insert); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s, err := source.Open(ctx, from)
		if err != nil {
			b.Fatal(err)
		}
		began, got := time.Now(), 0
		for got < rows {
			event, err := s.Next(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if e, ok := event.(*change.Rows); ok {
				got += len(e.Rows)
			}
		}
		b.ReportMetric(rows/time.Since(began).Seconds(), "rows/s")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
