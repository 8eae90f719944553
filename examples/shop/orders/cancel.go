package orders

import (
	"context"
	"database/sql"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/examples/shop/shopv2"
)

// CancelOrder cancels an order that has not left the house. Its goods are on stock again once Banyan has brought it back to the
// old shop, which is before the caller has the reply.
func (s *Service) CancelOrder(ctx context.Context, in *shopv2.CancelOrderRequest) (*shopv2.Order, error) {
	tag, err := consumer.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	reply := &shopv2.Order{}
	_, err = s.store.Write(ctx, s.capability, tag, reply, func(tx *sql.Tx) ([]consumer.EntityRef, error) {
		o, err := load(ctx, tx, in.GetId())
		if err != nil {
			return nil, err
		}
		if o == nil {
			return nil, noOrder(in.GetId())
		}
		if o.GetState() != shopv2.OrderState_ORDER_STATE_PENDING && o.GetState() != shopv2.OrderState_ORDER_STATE_PROCESSING {
			return nil, fail(codes.FailedPrecondition, "NOT_CANCELLABLE", "order %d has left the house, or was cancelled before", in.GetId())
		}
		if err := (limit{"", escape(in.GetReason()), mostText}).check(); err != nil {
			return nil, err
		}
		now := s.now()
		o.State, o.UpdateTime = shopv2.OrderState_ORDER_STATE_CANCELLED, now
		o.History = append(o.History, &shopv2.OrderEvent{State: o.GetState(), CreateTime: now, Note: in.GetReason()})
		proto.Merge(reply, o)
		return refs(o), save(ctx, tx, o)
	})
	if err != nil {
		return nil, s.seen(ctx, err)
	}
	return reply, nil
}
