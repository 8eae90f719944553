package rabbitmq_test

import (
	"context"
	"strconv"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// cpu is what this process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// event is a message as the mirror makes it, of some 400 bytes.
func event() *change.Message {
	m := message(7)
	m.Body = []byte(`{"schema":"shop","table":"orders","op":"insert","key":{"orders_id":1234567},"transaction":"0-1-4711","index":1,"before":null,` +
		`"after":{"orders_id":1234567,"customers_id":42,"customers_name":"Jana Novákova","customers_street_address":"Dlouhá 12","customers_city":"Praha",` +
		`"orders_status":1,"date_purchased":"2026-01-02 03:04:05","last_modified":null,"currency":"CZK","currency_value":"25.123456","total":"1234.5000"}}`)
	return m
}

// kinds are the queues that the exchange is bound to.
func kinds(b *testing.B, run func(b *testing.B, url string, history rabbitmq.Stream)) {
	for _, kind := range []string{"stream", "classic", "quorum"} {
		b.Run(kind, func(b *testing.B) {
			url := devstack.RabbitMQ(b).NewVHost(b)
			history := rabbitmq.Stream{}
			if kind == "stream" {
				history.Name = stream
			}
			prepare(b, url, kind)
			run(b, url, history)
		})
	}
}

func prepare(b *testing.B, url, kind string) {
	channel := dial(b, url)
	if err := channel.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		b.Fatal(err)
	}
	if kind == "stream" {
		return
	}
	if _, err := channel.QueueDeclare(kind, true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
		b.Fatal(err)
	}
	if err := channel.QueueBind(kind, "#", exchange, false, nil); err != nil {
		b.Fatal(err)
	}
}

func report(b *testing.B, used time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/msg")
}

func BenchmarkFeed(b *testing.B) {
	for _, window := range []int{500, 2000, 8000} {
		b.Run(strconv.Itoa(window), func(b *testing.B) {
			kinds(b, func(b *testing.B, url string, history rabbitmq.Stream) {
				o := options(url)
				o.History, o.Window = history, window
				feed := open(b, o)
				m, ctx := event(), context.Background()
				b.ReportAllocs()
				b.ResetTimer()
				before := cpu()
				for range b.N {
					if err := feed.Send(ctx, m); err != nil {
						b.Fatal(err)
					}
				}
				flush(b, feed)
				report(b, cpu()-before)
			})
		})
	}
}

// BenchmarkPlain is amqp091-go as its users write it: a window of deferred confirms.
func BenchmarkPlain(b *testing.B) {
	kinds(b, func(b *testing.B, url string, history rabbitmq.Stream) {
		open(b, rabbitmq.Options{Connection: rabbitmq.Connection{URL: url}, Exchange: exchange, History: history})
		channel := dial(b, url)
		if err := channel.Confirm(false); err != nil {
			b.Fatal(err)
		}
		m := event()
		const window = 1000
		var waiting []*amqp.DeferredConfirmation
		b.ReportAllocs()
		b.ResetTimer()
		before := cpu()
		for range b.N {
			if len(waiting) == window {
				waiting[0].Wait()
				waiting = waiting[1:]
			}
			confirmation, err := channel.PublishWithDeferredConfirm(exchange, m.Key, true, false, amqp.Publishing{
				ContentType: "application/json", DeliveryMode: amqp.Persistent, Timestamp: m.Time,
				Headers: amqp.Table{
					"cloudEvents:specversion": "1.0", "cloudEvents:id": m.ID, "cloudEvents:source": m.Source, "cloudEvents:type": m.Type,
					"cloudEvents:banyanversion": m.Version, "cloudEvents:banyanterm": m.Term,
				},
				Body: m.Body,
			})
			if err != nil {
				b.Fatal(err)
			}
			waiting = append(waiting, confirmation)
		}
		for _, confirmation := range waiting {
			if !confirmation.Wait() {
				b.Fatal("not confirmed")
			}
		}
		report(b, cpu()-before)
	})
}
