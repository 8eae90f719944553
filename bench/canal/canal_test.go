package canal

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
)

// Inserts, updates and deletes arrive with their rows, and the position behind them is kept.
func TestPublisher(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database and a broker")
	}
	database, broker := devstack.OwnMariaDB(t), devstack.OwnRabbitMQ(t)
	config, err := mysql.ParseDSN(database.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	server := Server{Addr: config.Addr, User: config.User, Password: config.Passwd}
	db, err := sql.Open("mysql", database.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := db.ExecContext(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	do("CREATE DATABASE shop", "CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, n INT UNSIGNED, note TEXT)", "CREATE TABLE shop.other (id INT)")
	end := func() (p Position) {
		t.Helper()
		var do, ignore string
		if err := db.QueryRowContext(t.Context(), "SHOW MASTER STATUS").Scan(&p.File, &p.Offset, &do, &ignore); err != nil {
			t.Fatal(err)
		}
		return p
	}
	from := end()
	do("INSERT INTO shop.orders VALUES (1, 4000000000, 'ä'), (2, NULL, NULL)", "INSERT INTO shop.other VALUES (1)",
		"UPDATE shop.orders SET n = 5 WHERE id = 2", "DELETE FROM shop.orders WHERE id = 1")
	until := end()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Decode(ctx, server, "shop", "orders", from, 4); err != nil {
		t.Fatal(err)
	}

	connection, err := amqp.Dial(broker.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.ExchangeDeclare("shop", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Server: server, Schema: "shop", Table: "orders", From: from, Keep: filepath.Join(t.TempDir(), "position"),
		Broker: broker.URL(""), Exchange: "shop", CloudEvents: true,
	}
	if err := New(o).Run(ctx); err == nil || !strings.Contains(err.Error(), "nobody takes row.orders.insert") {
		t.Errorf("without a queue: %v", err)
	}
	if kept, err := os.ReadFile(o.Keep); err == nil {
		t.Errorf("the position %s was kept although nothing was taken", kept)
	}

	if _, err := channel.QueueDeclare("all", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind("all", "#", "shop", false, nil); err != nil {
		t.Fatal(err)
	}
	deliveries, err := channel.ConsumeWithContext(ctx, "all", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(o)
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(running) }()
	for _, want := range []string{
		`row.orders.insert {"schema":"shop","table":"orders","op":"insert","after":{"id":1,"n":4000000000,"note":"ä"}}`,
		`row.orders.insert {"schema":"shop","table":"orders","op":"insert","after":{"id":2,"n":null,"note":null}}`,
		`row.orders.update {"schema":"shop","table":"orders","op":"update","before":{"id":2,"n":null,"note":null},"after":{"id":2,"n":5,"note":null}}`,
		`row.orders.delete {"schema":"shop","table":"orders","op":"delete","before":{"id":1,"n":4000000000,"note":"ä"}}`,
	} {
		d := <-deliveries
		body := string(d.Body)
		before, rest, _ := strings.Cut(body, `,"committed":`)
		_, after, _ := strings.Cut(rest, ",")
		if got := d.RoutingKey + " " + before + "," + after; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if id := d.Headers["cloudEvents:id"]; id == "" || id != d.MessageId || d.Headers["cloudEvents:specversion"] != "1.0" || len(d.Headers) != 7 {
			t.Errorf("the attributes %v", d.Headers)
		}
	}
	// The last position is behind the last message.
	for ctx.Err() == nil {
		text, err := os.ReadFile(o.Keep)
		var kept Position
		if err == nil && json.Unmarshal(text, &kept) == nil && kept == until {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if got := p.Confirmed(); got != 4 || ctx.Err() != nil {
		t.Errorf("%d confirmed, want 4; %v", got, ctx.Err())
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
