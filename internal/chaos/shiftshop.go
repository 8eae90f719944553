package chaos

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/oldshop"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/examples/shop/shopv2"
	"banyan.dev/banyan/internal/chaos/boxes"
)

// shopSystem is the example: clients place, cancel and read orders. The name of a write stands in the order's comment.
type shopSystem struct {
	*promises
	articles []string
	buyers   []int64 // customers who may buy

	mu     sync.Mutex
	placed []placedOrder
	// cancelled are orders whose cancelling was acknowledged.
	cancelled map[int64]bool
	// goods are those on stock and those in orders, by article: their sum stays the same.
	goods map[string]int64
}

// placedOrder is one that was acknowledged.
type placedOrder struct {
	id   int64
	name string
}

// Shop is the example's shop, with its orders.
func Shop() System {
	return &shopSystem{promises: newPromises(), cancelled: map[int64]bool{}}
}

// shopData is what the shop has at first: enough stock for every run.
var shopData = generate.Options{Customers: 60, Products: 40, Orders: 80}

func (*shopSystem) name() string { return "orders" }

// shiftConfig is added to the shop's config.
const shiftConfig = `services:
  orders: {target: "${SERVICE}"}
capabilities:
  orders:
    service: orders
    operations: [shop.v2.OrderService.*]
    entity: shop.v2.Order
    key: customer_id
    keys: {PlaceOrder: order.customer_id, ListOrders: customer_id}
shift: {sweep_after: 14s}
`

func (*shopSystem) layOut(dir string) error {
	if err := layOut(dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "banyan.yaml"), []byte(config+shiftConfig), 0o600)
}

func (s *shopSystem) fill(ctx context.Context, r *shiftRun) error {
	if err := schema.Create(ctx, r.db); err != nil {
		return err
	}
	if err := generate.Generate(ctx, r.db, shopData); err != nil {
		return err
	}
	if err := execute(ctx, r.db, "UPDATE products_stock SET stock_count = 1000000"); err != nil {
		return err
	}
	var err error
	if s.articles, err = boxes.Column[string](ctx, r.db, "SELECT products_sku FROM products p JOIN products_stock s ON s.stock_sku = p.products_sku WHERE products_active = 'J' AND products_removed = '0000-00-00 00:00:00'"); err != nil {
		return fmt.Errorf("look for articles: %w", err)
	}
	if s.buyers, err = boxes.Column[int64](ctx, r.db, "SELECT customers_id FROM customers WHERE customers_locked = 0"); err != nil {
		return fmt.Errorf("look for customers: %w", err)
	}
	s.goods, err = goods(ctx, r.db)
	return err
}

// goods counts, for each article, what is on stock and what was sold.
func goods(ctx context.Context, db *sql.DB) (map[string]int64, error) {
	rows, err := db.QueryContext(ctx, "SELECT s.stock_sku, s.stock_count + COALESCE((SELECT SUM(p.positions_quantity) FROM orders_positions p JOIN orders o ON o.orders_id = p.orders_id"+
		" WHERE p.positions_sku = s.stock_sku AND o.orders_status <> 9), 0) FROM products_stock s")
	if err != nil {
		return nil, fmt.Errorf("count the goods: %w", err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var sku string
		var n int64
		if err := rows.Scan(&sku, &n); err != nil {
			return nil, fmt.Errorf("count the goods: %w", err)
		}
		out[sku] = n
	}
	return out, rows.Err()
}

func (*shopSystem) service(r *shiftRun, listen string) ([]string, error) {
	taxes, err := generate.Taxes(shopData)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(taxes)
	if err != nil {
		return nil, fmt.Errorf("write the taxes: %w", err)
	}
	file := filepath.Join(r.Dir, "taxes.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("write the taxes: %w", err)
	}
	return []string{
		"--listen", listen, "--db", filepath.Join(r.Dir, "orders.db"), "--broker", r.broker.URL("/"), "--taxes", file, "--ill", r.illness(),
		"--banyan", r.replicas[0].grpc + "," + r.replicas[1].grpc,
	}, nil
}

// oldApplication is the old shop, which places orders of its own, and goes on with all that are not the new service's.
func (*shopSystem) oldApplication(ctx context.Context, r *shiftRun) {
	for ctx.Err() == nil {
		if err := oldshop.Run(ctx, r.db, oldshop.Options{Seed: r.Seed, Rate: 10, Without: []oldshop.Action{oldshop.Restock}, Done: func(_ oldshop.Action, err error) {
			if err == nil {
				r.report.old()
			}
		}}); err != nil {
			pause(ctx, time.Second)
		}
	}
}

// refusals are the reasons by which the shop itself refuses.
var refusals = []string{"CUSTOMER_BLOCKED", "NOT_BUYABLE", "OUT_OF_STOCK", "UNKNOWN_CUSTOMER", "NOT_CANCELLABLE"}

func (s *shopSystem) act(ctx context.Context, r *shiftRun, random *rand.Rand, client, n int) {
	whole := context.WithoutCancel(ctx)
	b := r.replicas[random.IntN(2)]
	order, cancelled, any := s.some(random)
	began := time.Now()
	switch what := random.IntN(8); {
	case any && what < 3:
		code, answer, err := b.call(whole, http.MethodGet, fmt.Sprintf("http://%s/v2/orders/%d", b.rest, order.id), "")
		r.report.read(wrongOrder(order, cancelled, code, answer, err))
	case any && what == 3:
		code, answer, err := b.call(whole, http.MethodPost, fmt.Sprintf("http://%s/v2/orders/%d:cancel", b.rest, order.id), `{"reason": "chaos"}`)
		told := heard(code, answer, err, refusals...)
		r.report.write(told, time.Since(began))
		if told == itIsDone {
			s.mu.Lock()
			s.cancelled[order.id] = true
			s.mu.Unlock()
		}
	default:
		name := fmt.Sprintf("chaos %d-%d", client, n)
		code, answer, err := b.call(whole, http.MethodPost, "http://"+b.rest+"/v2/orders:place", fmt.Sprintf(`{"customerId": "%d", "shippingMethod": "SHIPPING_METHOD_STANDARD", "comment": %q,
			"shippingAddress": {"recipient": "A client", "street": "Weg 1", "postalCode": "10115", "city": "Berlin", "countryCode": "DE"}, "lines": [{"sku": %q, "quantity": 1}]}`,
			1+random.IntN(shopData.Customers), name, s.articles[random.IntN(len(s.articles))]))
		told := heard(code, answer, err, refusals...)
		r.report.write(told, time.Since(began))
		s.note("orders", name, told)
		if told == itIsDone {
			s.keep(answer, name)
		} else {
			pause(ctx, 30*time.Millisecond)
		}
	}
}

// some gives an order that was acknowledged, and whether its cancelling was.
func (s *shopSystem) some(random *rand.Rand) (o placedOrder, cancelled, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.placed) == 0 {
		return o, false, false
	}
	o = s.placed[random.IntN(len(s.placed))]
	return o, s.cancelled[o.id], true
}

func (s *shopSystem) keep(answer, name string) {
	var order struct {
		ID int64 `json:"id,string"`
	}
	if err := json.Unmarshal([]byte(answer), &order); err != nil || order.ID == 0 {
		return // the judge finds the order by its comment
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = append(s.placed, placedOrder{order.ID, name})
}

// wrongOrder says what a read should not have given; ok is false when there was no answer.
func wrongOrder(want placedOrder, cancelled bool, code int, answer string, err error) (what string, ok bool) {
	if err == nil && code == http.StatusNotFound {
		return fmt.Sprintf("the order %d, which was acknowledged, is not found", want.id), true
	}
	if err != nil || code != http.StatusOK {
		return "", false
	}
	var order struct{ Comment, State string }
	if err := json.Unmarshal([]byte(answer), &order); err != nil {
		return "no JSON: " + answer, true
	}
	switch {
	case order.Comment != want.name:
		return fmt.Sprintf("the order %d is %q, and was acknowledged as %q", want.id, order.Comment, want.name), true
	case cancelled && order.State != "ORDER_STATE_CANCELLED":
		return fmt.Sprintf("the order %d is in %s, and its cancelling was acknowledged", want.id, order.State), true
	}
	return "", true
}

func (*shopSystem) entity() string { return "shop.v2.Order" }

func (*shopSystem) damage(ctx context.Context, r *shiftRun) (int, error) {
	return takeAway(ctx, filepath.Join(r.Dir, "orders.db"), "DELETE FROM orders WHERE id % 3 = 0", "DELETE FROM articles WHERE id % 3 = 0")
}

// compare reads every order from both sides, through the contract: from legacy by the facade, after the last rollback, and
// from the new service itself.
func (*shopSystem) compare(ctx context.Context, r *shiftRun) error {
	legacy, err := allOrders(ctx, r.replicas[0].grpc)
	if err != nil {
		return fmt.Errorf("read the orders of legacy: %w", err)
	}
	modern, err := allOrders(ctx, r.at)
	if err != nil {
		return fmt.Errorf("read the orders of the new service: %w", err)
	}
	var differ []string
	for id, order := range legacy {
		if !proto.Equal(order, modern[id]) {
			differ = append(differ, fmt.Sprintf("order %d is\n%s\nin legacy, and in the new service\n%s", id, protojson.Format(order), protojson.Format(modern[id])))
		}
	}
	for id := range modern {
		if legacy[id] == nil {
			differ = append(differ, fmt.Sprintf("order %d is in the new service only", id))
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return fmt.Errorf("%d of %d orders differ, such as: %s", len(differ), len(legacy), differ[0])
	}
	return nil
}

// allOrders gives all orders, whole.
func allOrders(ctx context.Context, at string) (map[int64]*shopv2.Order, error) {
	conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	service := shopv2.NewOrderServiceClient(conn)
	stream, err := service.StreamOrders(ctx, &shopv2.StreamOrdersRequest{})
	if err != nil {
		return nil, err
	}
	var ids []int64
	for {
		one, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, one.GetOrder().GetId())
	}
	out := make(map[int64]*shopv2.Order, len(ids))
	for _, id := range ids {
		if out[id], err = service.GetOrder(ctx, &shopv2.GetOrderRequest{Id: id}); err != nil {
			return nil, fmt.Errorf("order %d: %w", id, err)
		}
	}
	return out, nil
}

func (s *shopSystem) judge(ctx context.Context, r *shiftRun) error {
	rows, err := r.db.QueryContext(ctx, "SELECT orders_id, orders_comment, orders_status FROM orders WHERE orders_comment LIKE 'chaos %'")
	if err != nil {
		return fmt.Errorf("look for the clients' orders: %w", err)
	}
	defer rows.Close()
	there := map[string]int{}
	for rows.Next() {
		var id int64
		var name, status string
		if err := rows.Scan(&id, &name, &status); err != nil {
			return fmt.Errorf("look for the clients' orders: %w", err)
		}
		there[name]++
		if s.cancelled[id] && strings.TrimSpace(status) != "9" {
			r.report.lost("the cancelling of order " + strconv.FormatInt(id, 10))
		}
	}
	s.promises.judge(r.report, there)
	if err := rows.Err(); err != nil {
		return err
	}
	now, err := goods(ctx, r.db)
	if err != nil {
		return err
	}
	for sku, n := range s.goods {
		if now[sku] != n {
			return fmt.Errorf("of article %s %d are on stock or sold, and were %d before: an order has been counted twice, or not at all", sku, now[sku], n)
		}
	}
	return nil
}
