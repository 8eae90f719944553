package orders

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/examples/shop/shopv2"
	"banyan.dev/banyan/protocol"
)

// orderName is the entity that the service keeps.
const orderName = "shop.v2.Order"

// apply makes an order equal what the old shop has of it. An order with fields that this build doesn't know is refused, not cut
// down: it waits for a build that does.
func (s *Service) apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	if e.Entity != orderName {
		return fmt.Errorf("this service keeps %s, and no %s", orderName, e.Entity)
	}
	if s.options.Refuse != nil {
		if err := s.options.Refuse(e); err != nil {
			return err
		}
	}
	id, err := strconv.ParseInt(e.ID, 10, 64)
	if err != nil {
		return fmt.Errorf("the id of an order: %w", err)
	}
	if e.Deleted {
		return remove(ctx, tx, id)
	}
	order := &shopv2.Order{}
	if err := consumer.Message(e, order); err != nil {
		return err
	}
	if order.GetId() != id {
		return fmt.Errorf("event of order %d has order %d", id, order.GetId())
	}
	return save(ctx, tx, order)
}
