package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"banyan.dev/banyan/examples/shop/orders"
	"banyan.dev/banyan/internal/devstack"
	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
	"banyan.dev/banyan/protocol"
)

// startOrders is `orders`: serves the example's order service on a broker and a database of its own until the script ends, and sets
// BROKER_URL, ORDERS to its address, and SHOP to the example's directory. Once there is a file `grow`, a second process of it has
// twice the queues.
func startOrders(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		url := devstack.RabbitMQ(t).NewVHost(t)
		ts.Setenv("BROKER_URL", url)
		ready := ts.MkAbs("orders.json")
		ctx, cancel := context.WithCancel(context.Background())
		o := orders.Options{
			Listen: "127.0.0.1:0", Database: filepath.Join(filepath.Dir(ready), "orders.db"), Broker: url, Facade: []string{"127.0.0.1:1"},
			ReadyFile: ready, Logger: slog.New(slog.DiscardHandler),
		}
		service, err := orders.Open(ctx, o)
		if err != nil {
			cancel()
			ts.Fatalf("%v", err)
		}
		served := make(chan error, 1)
		go func() { served <- service.Serve(ctx) }()
		more := make(chan error, 1)
		go func() { more <- oneMore(ctx, ts.MkAbs("grow"), o) }()
		ts.Defer(func() {
			cancel()
			if err := errors.Join(<-served, <-more, service.Close()); err != nil {
				t.Error(err)
			}
		})
		var at struct {
			GRPC string `json:"grpc"`
		}
		poll(ts, func() error {
			text, err := os.ReadFile(ready)
			if err != nil {
				return err
			}
			return json.Unmarshal(text, &at)
		})
		ts.Setenv("ORDERS", at.GRPC)
		shop, err := filepath.Abs("../../examples/shop")
		ts.Check(err)
		ts.Setenv("SHOP", shop)
	}
}

// oneMore serves a second process of the order service, with more queues, once a file is there.
func oneMore(ctx context.Context, file string, o orders.Options) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	o.Queues, o.ReadyFile = 8, ""
	service, err := orders.Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(service.Serve(ctx), service.Close())
}

// tell is `tell FILE…`: sends each file as an entity event to the order service, and waits until it has taken them.
func tell(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := amqp.Dial(ts.Getenv("BROKER_URL"))
	ts.Check(err)
	defer conn.Close()
	channel, err := conn.Channel()
	ts.Check(err)
	ts.Check(channel.Confirm(false))
	before := takenBy(ts)
	for _, name := range args {
		body := []byte(ts.ReadFile(name))
		var e protocol.EntityEvent
		ts.Check(json.Unmarshal(body, &e))
		poll(ts, func() error {
			returned := channel.NotifyReturn(make(chan amqp.Return, 1))
			d, err := channel.PublishWithDeferredConfirm(protocol.ExchangeName("orders"), protocol.RoutingKey(protocol.PartitionOf(e.Entity, e.ID, e.Key)), true, false,
				amqp.Publishing{Headers: amqp.Table{"cloudEvents:type": protocol.TypeEntity}, DeliveryMode: amqp.Persistent, Body: body})
			if err != nil {
				return err
			}
			d.Wait()
			select {
			case <-returned:
				return fmt.Errorf("nobody takes %s", name)
			default:
				return nil
			}
		})
	}
	poll(ts, func() error {
		if n := takenBy(ts) - before; n < len(args) {
			return fmt.Errorf("%d of %d were taken", n, len(args))
		}
		return nil
	})
}

// takenBy gives how many events the order service has taken.
func takenBy(ts *testscript.TestScript) int {
	conn, err := grpc.NewClient(ts.Getenv("ORDERS"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	is, err := consumerv1.NewConsumerServiceClient(conn).GetStatus(context.Background(), &consumerv1.GetStatusRequest{})
	ts.Check(err)
	c := is.GetCounters()
	n, err := strconv.Atoi(strconv.FormatUint(c.GetApplied()+c.GetIgnored()+c.GetKept()+c.GetParked(), 10))
	ts.Check(err)
	return n
}
