package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/orders"
	"banyan.dev/banyan/examples/shop/shopv2"
)

// openOrders opens the new order service, with a database of its own.
func (s *shop) openOrders(ctx context.Context, o Options, broker string, logger *slog.Logger) (*orders.Service, error) {
	config, err := orders.DefaultConfig()
	if err != nil {
		return nil, err
	}
	taxes, err := generate.Taxes(generate.Options{Customers: o.Customers, Orders: o.Orders})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(taxes)
	if err != nil {
		return nil, err
	}
	if err := config.AddTaxes(text); err != nil {
		return nil, err
	}
	return orders.Open(ctx, orders.Options{
		Listen: s.service, Database: filepath.Join(o.Dir, "orders.db"), Broker: broker, Facade: s.facades, Config: config, Logger: logger,
	})
}

// clientPause is the time between two things that a client does.
const clientPause = 300 * time.Millisecond

// clients read and place orders through both replicas, until ctx ends, and tell how it went.
func (s *shop) clients(ctx context.Context, out io.Writer) {
	var conns []*grpc.ClientConn
	for _, at := range s.facades {
		conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			fmt.Fprintf(out, "There are no clients: %v\n", err)
			return
		}
		defer conn.Close() //nolint:errcheck // nobody uses it any more
		conns = append(conns, conn)
	}
	c := &client{conns: conns}
	tick := time.NewTicker(clientPause)
	defer tick.Stop()
	var told time.Time
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			fmt.Fprintf(out, "Clients placed %d orders and read %d; %d calls failed.\n", c.placed, c.read, c.failed)
			return
		case <-tick.C:
		}
		if err := c.act(ctx, n); err != nil && ctx.Err() == nil {
			c.failed++
			if time.Since(told) > 10*time.Second {
				told = time.Now()
				fmt.Fprintf(out, "A client's call failed (%d so far): %v\n", c.failed, err)
			}
		}
	}
}

// client places orders of whatever is on stock.
type client struct {
	conns                []*grpc.ClientConn
	articles             []string
	last                 int64 // the last order that it placed
	placed, read, failed int
}

// act does one thing, through one replica and then the other.
func (c *client) act(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn := c.conns[n%len(c.conns)]
	if len(c.articles) == 0 {
		list, err := shopv2.NewProductServiceClient(conn).ListProducts(ctx, &shopv2.ListProductsRequest{PageSize: 100})
		if err != nil {
			return err
		}
		for _, p := range list.GetProducts() {
			if p.GetAvailableQuantity() > 20 && p.GetBuyable() {
				c.articles = append(c.articles, p.GetSku())
			}
		}
		if len(c.articles) == 0 {
			return fmt.Errorf("nothing is on stock")
		}
	}
	shop := shopv2.NewOrderServiceClient(conn)
	if n%3 != 0 && c.last != 0 {
		order, err := shop.GetOrder(ctx, &shopv2.GetOrderRequest{Id: c.last})
		if err == nil && order.GetId() != c.last {
			err = fmt.Errorf("order %d has become %d", c.last, order.GetId())
		}
		c.read++
		return err
	}
	order, err := shop.PlaceOrder(ctx, &shopv2.PlaceOrderRequest{Order: &shopv2.Order{
		CustomerId:      1 + rand.Int64N(20), //nolint:gosec // any customer
		ShippingMethod:  shopv2.ShippingMethod_SHIPPING_METHOD_STANDARD,
		ShippingAddress: &shopv2.Address{Recipient: "A client", Street: "Weg 1", PostalCode: "10115", City: "Berlin", CountryCode: "DE"},
		Lines:           []*shopv2.OrderLine{{Sku: c.articles[rand.IntN(len(c.articles))], Quantity: 1}}, //nolint:gosec // any article
	}})
	if status.Code(err) == codes.FailedPrecondition {
		return nil // a barred customer, or the last piece is gone: that is an answer
	}
	if err != nil {
		return err
	}
	c.placed, c.last = c.placed+1, order.GetId()
	return nil
}
