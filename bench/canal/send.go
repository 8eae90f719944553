package canal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sender reads orders and sends them.
type sender struct {
	options *OrdersOptions
	out     *outlet
	ready   *statements
}

// run sends what waits until ctx ends: a transaction at a time, or with Batch, as many as there are.
func (s *sender) run(ctx context.Context, waiting <-chan gathered) error {
	defer s.ready.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-waiting:
			if err := s.send(ctx, s.together(first, waiting)); err != nil {
				return ended(ctx, err)
			}
		}
	}
}

// ended gives no error for what came of ctx's end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to stop
	}
	return err
}

// together gives transactions that are sent together: the first, and those that are there already.
func (s *sender) together(first gathered, waiting <-chan gathered) []gathered {
	all, n := []gathered{first}, len(first.orders)+len(first.lines)
	for n < s.options.Batch {
		select {
		case next := <-waiting:
			all, n = append(all, next), n+len(next.orders)+len(next.lines)
			continue
		default:
		}
		break
	}
	return all
}

// change is an order that is to be sent, with the last transaction that has changed it.
type change struct {
	id int64
	by *gathered
}

func (s *sender) send(ctx context.Context, all []gathered) error {
	changes, err := s.changes(ctx, all)
	if err != nil {
		return err
	}
	for len(changes) > 0 {
		n := min(s.options.Batch, len(changes))
		if err := s.some(ctx, changes[:n]); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return s.out.push(ctx, sent{position: all[len(all)-1].position})
}

// changes gives each order once.
func (s *sender) changes(ctx context.Context, all []gathered) (out []change, err error) {
	at := map[int64]int{}
	touch := func(id int64, by *gathered) {
		if i, again := at[id]; again {
			out[i].by = by
			return
		}
		at[id] = len(out)
		out = append(out, change{id, by})
	}
	var lines []int64
	for i := range all {
		lines = append(lines, all[i].lines...)
	}
	orders, err := s.ready.ordersOf(ctx, lines)
	if err != nil {
		return nil, err
	}
	for i := range all {
		for _, id := range all[i].orders {
			touch(id, &all[i])
		}
		for _, line := range all[i].lines {
			if id, there := orders[line]; there { // else it is gone, by a transaction that comes
				touch(id, &all[i])
			}
		}
	}
	return out, nil
}

// once is how long is waited until an order that is not there is looked for again, patience for how long: a server sends its log
// before the engine has committed.
const (
	once     = time.Millisecond
	patience = time.Second
)

// some reads orders, no more than one statement does, and sends them.
func (s *sender) some(ctx context.Context, changes []change) error {
	ids := make([]int64, len(changes))
	for i, c := range changes {
		ids[i] = c.id
	}
	began := time.Now()
	var found map[int64]*order
	for {
		var err error
		if found, err = s.ready.read(ctx, ids); err != nil {
			return err
		}
		early := false
		for _, c := range changes {
			gone, told := c.by.gone[c.id]
			early = early || found[c.id] == nil && told && !gone
		}
		if !early || time.Since(began) > patience {
			break
		}
		timer := time.NewTimer(once)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	for _, c := range changes {
		if err := s.publish(ctx, c, found[c.id]); err != nil {
			return err
		}
	}
	return nil
}

// orderEvent is a message's body.
type orderEvent struct {
	Entity  string `json:"entity"`
	ID      string `json:"id"`
	Key     string `json:"key,omitempty"`
	Version string `json:"version"`
	Deleted bool   `json:"deleted,omitempty"`
	Data    *order `json:"data,omitempty"`
}

func (s *sender) publish(ctx context.Context, c change, o *order) error {
	id := strconv.FormatInt(c.id, 10)
	e := orderEvent{Entity: "orders.v1.Order", ID: id, Version: c.by.gtid, Deleted: o == nil, Data: o}
	route := e.Entity + "/" + id
	if o != nil {
		e.Key = strconv.FormatInt(o.CustomerID, 10)
		route = e.Key
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an order: %w", err)
	}
	if s.options.Sent != nil {
		s.options.Sent(c.id)
	}
	return s.out.publish(ctx, s.options.Route(route), amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: c.by.gtid + ":" + id, Timestamp: c.by.committed, Body: body,
		Headers: amqp.Table{
			"cloudEvents:specversion": "1.0", "cloudEvents:id": c.by.gtid + ":" + id, "cloudEvents:source": "/canal/orders",
			"cloudEvents:type": "com.example.order.v1", "cloudEvents:time": c.by.committed.UTC().Format(time.RFC3339), "cloudEvents:sequence": c.by.gtid,
		},
	})
}
