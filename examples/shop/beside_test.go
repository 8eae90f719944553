package shop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	shop "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/orders"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// beside is the new order service beside a lab's old shop, and Banyan's facade before both for it to ask.
type beside struct {
	*lab
	conn    *grpc.ClientConn
	channel *amqp.Channel
	told    int // events sent
}

func newBeside(t *testing.T, l *lab) *beside {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, shop.Files()); err != nil {
		t.Fatal(err)
	}
	yaml, err := fs.ReadFile(shop.Files(), "banyan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(yaml), "${BANYAN_LEGACY_DSN}", "${DSN}")
	for _, port := range []string{"${BANYAN_REST:-127.0.0.1:8080}", "${BANYAN_GRPC:-127.0.0.1:9090}", "${BANYAN_ADMIN:-127.0.0.1:9091}"} {
		text = strings.ReplaceAll(text, port, "127.0.0.1:0")
	}
	if err := os.WriteFile(filepath.Join(dir, "banyan.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	facade := apptest.Start(t, dir, l.dsn)

	config, err := orders.DefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	percents, err := generate.Taxes(small())
	if err != nil {
		t.Fatal(err)
	}
	taxes, err := json.Marshal(percents)
	if err != nil {
		t.Fatal(err)
	}
	if err := config.AddTaxes(taxes); err != nil {
		t.Fatal(err)
	}
	b := &beside{lab: l}
	url := devstack.RabbitMQ(t).NewVHost(t)
	b.start(t, orders.Options{
		Listen: "127.0.0.1:0", Database: filepath.Join(dir, "orders.db"), Broker: url, Facade: []string{facade.GRPC}, Config: config,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), AskWithin: 30 * time.Second, ReadyFile: filepath.Join(dir, "ready.json"),
	})
	mq, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mq.Close() })
	if b.channel, err = mq.Channel(); err != nil {
		t.Fatal(err)
	}
	// What is sent before the queue is bound is lost.
	returned := b.channel.NotifyReturn(make(chan amqp.Return, 1))
	if err := b.channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if err := b.channel.ExchangeDeclare("banyan.service.orders", "direct", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	apptest.Poll(t, "the service's queue", func() error {
		c, err := b.channel.PublishWithDeferredConfirm("banyan.service.orders", protocol.RoutingKey(0), true, false,
			amqp.Publishing{Headers: amqp.Table{"cloudEvents:type": protocol.TypeFence}, Body: []byte(`{"id": "bound"}`)})
		if err != nil {
			t.Fatal(err)
		}
		c.Wait()
		select {
		case r := <-returned:
			return errors.New(r.ReplyText)
		default:
			return nil
		}
	})
	go func() {
		for r := range returned {
			t.Errorf("nobody takes %s", r.Body)
		}
	}()
	return b
}

// start serves until the test ends.
func (b *beside) start(t *testing.T, o orders.Options) {
	t.Helper()
	service, err := orders.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, service.Close()); err != nil {
			t.Error(err)
		}
	})
	var ready struct {
		GRPC string `json:"grpc"`
	}
	apptest.Poll(t, "the ready file", func() error {
		text, err := os.ReadFile(o.ReadyFile)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &ready)
	})
	if b.conn, err = grpc.NewClient(ready.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.conn.Close() })
}

// tell sends the old shop's state of orders, and waits until they are applied.
func (b *beside) tell(t *testing.T, ids ...int) {
	t.Helper()
	for _, id := range ids {
		b.told++
		o := b.one(t, "OrderService.GetOrder", fmt.Sprintf(`{"id": %d}`, id))
		b.publish(t, protocol.TypeEntity, "", protocol.EntityEvent{
			Entity: "shop.v2.Order", ID: strconv.Itoa(id), Key: o.text("customerId"), Origin: protocol.OriginLegacy,
			Version: fmt.Sprintf("0001-00000001-%012x-00000001", b.told), Data: []byte(o.json()),
		})
	}
	q, err := b.channel.QueueDeclare("", false, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := b.channel.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.publish(t, protocol.TypeFence, q.Name, protocol.Fence{ID: "told", Service: "orders", Capability: "orders"})
	select {
	case m := <-answers:
		var a protocol.Answer
		if err := json.Unmarshal(m.Body, &a); err != nil || a.Error != "" || len(a.Parked) > 0 {
			t.Fatalf("the service answers %s", m.Body)
		}
	case <-time.After(time.Minute):
		t.Fatal("the service does not answer")
	}
}

func (b *beside) publish(t *testing.T, kind, replyTo string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.channel.Publish("banyan.service.orders", protocol.RoutingKey(0), true, false, amqp.Publishing{
		Headers: amqp.Table{"cloudEvents:type": kind}, DeliveryMode: amqp.Persistent, ReplyTo: replyTo, Body: text,
	}); err != nil {
		t.Fatal(err)
	}
}

// fresh makes a call to the new service, with a request as JSON, and gives the replies.
func (b *beside) fresh(t *testing.T, name, request string) ([]protoreflect.Message, error) {
	t.Helper()
	op := b.contract.Operation(protoreflect.FullName("shop.v2." + name))
	in := dynamicpb.NewMessage(op.Input)
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	method := "/shop.v2." + strings.Replace(name, ".", "/", 1)
	if !op.Descriptor.IsStreamingServer() {
		out := dynamicpb.NewMessage(op.Output)
		err := b.conn.Invoke(ctx, method, in, out)
		return []protoreflect.Message{out}, err
	}
	stream, err := b.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(stream.SendMsg(in), stream.CloseSend()); err != nil {
		return nil, err
	}
	var replies []protoreflect.Message
	for {
		out := dynamicpb.NewMessage(op.Output)
		if err := stream.RecvMsg(out); err != nil {
			if err.Error() == "EOF" {
				return replies, nil
			}
			return replies, err
		}
		replies = append(replies, out)
	}
}
