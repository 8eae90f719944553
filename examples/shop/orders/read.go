package orders

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/examples/shop/shopv2"
)

const invalidArgument = codes.InvalidArgument

// GetOrder gives one order.
func (s *Service) GetOrder(ctx context.Context, in *shopv2.GetOrderRequest) (*shopv2.Order, error) {
	o, err := load(ctx, s.db.read, in.GetId())
	if err != nil {
		return nil, s.seen(ctx, err)
	}
	if o == nil {
		return nil, noOrder(in.GetId())
	}
	return o, nil
}

// ListOrderEvents gives what happened to one order.
func (s *Service) ListOrderEvents(ctx context.Context, in *shopv2.ListOrderEventsRequest) (*shopv2.ListOrderEventsResponse, error) {
	o, err := s.GetOrder(ctx, &shopv2.GetOrderRequest{Id: in.GetId()})
	if err != nil {
		return nil, err
	}
	return &shopv2.ListOrderEventsResponse{Events: o.GetHistory()}, nil
}

// ListOrders gives orders page by page.
func (s *Service) ListOrders(ctx context.Context, in *shopv2.ListOrdersRequest) (*shopv2.ListOrdersResponse, error) {
	q := &query{}
	if in.GetCustomerId() != 0 {
		q.and("customer = ?", in.GetCustomerId())
	}
	if in.GetState() != shopv2.OrderState_ORDER_STATE_UNSPECIFIED {
		if err := q.states("state", in.GetState()); err != nil {
			return nil, err
		}
	}
	if err := q.between(in.GetCreatedAfter(), in.GetCreatedBefore()); err != nil {
		return nil, err
	}
	bare := proto.CloneOf(in)
	bare.PageSize, bare.PageToken = 0, ""
	found, next, err := s.list(ctx, q, bare, in, []order{{}, {"create_time", "placed", false}, {"create_time desc", "placed", true}})
	return &shopv2.ListOrdersResponse{Orders: found, NextPageToken: next}, err
}

// SearchOrders finds orders by what is known of them.
func (s *Service) SearchOrders(ctx context.Context, in *shopv2.SearchOrdersRequest) (*shopv2.SearchOrdersResponse, error) {
	q := &query{}
	if in.GetRecipientPrefix() != "" {
		q.prefix(in.GetRecipientPrefix(), "shipping_name", "customer_name", "billing_name")
	}
	if in.GetEmail() != "" {
		q.and("email = ?", []byte(equal(in.GetEmail())))
	}
	if in.GetPostalCodePrefix() != "" {
		q.prefix(in.GetPostalCodePrefix(), "postal_code")
	}
	if in.GetCountryCode() != "" {
		q.and("country = ?", []byte(equal(in.GetCountryCode())))
	}
	if in.GetSku() != "" {
		q.and("id IN (SELECT id FROM articles WHERE sku = ?)", []byte(equal(in.GetSku())))
	}
	if in.Gift != nil {
		q.and("gift = ?", in.GetGift())
	}
	if in.GetCommentContains() != "" {
		q.and("instr(comment, ?) > 0", fold(escape(in.GetCommentContains())))
	}
	if err := q.atLeast(in.GetMinTotal()); err != nil {
		return nil, err
	}
	if err := q.states("states", in.GetStates()...); err != nil {
		return nil, err
	}
	if err := q.between(in.GetCreatedAfter(), in.GetCreatedBefore()); err != nil {
		return nil, err
	}
	bare := proto.CloneOf(in)
	bare.PageSize, bare.PageToken = 0, ""
	found, next, err := s.list(ctx, q, bare, in, []order{{"create_time desc", "placed", true}, {"create_time", "placed", false}, {"grand_total desc", "worth", true}})
	for _, o := range found {
		o.Lines, o.Totals, o.History = nil, nil, nil
	}
	return &shopv2.SearchOrdersResponse{Orders: found, NextPageToken: next}, err
}

// paged is a request for a page.
type paged interface {
	GetPageSize() int32
	GetPageToken() string
	GetOrderBy() string
}

// list gives the page that a request asks for; bare is the request without its page.
func (s *Service) list(ctx context.Context, q *query, bare proto.Message, in paged, offered []order) ([]*shopv2.Order, string, error) {
	size, err := pageSize(in.GetPageSize())
	if err != nil {
		return nil, "", err
	}
	by, err := orderOf(in.GetOrderBy(), offered)
	if err != nil {
		return nil, "", err
	}
	print := fingerprint(bare)
	from, err := s.db.place(print, in.GetPageToken())
	if err != nil {
		return nil, "", err
	}
	found, end, err := s.db.page(ctx, q, by, from, size)
	if err != nil {
		return nil, "", s.seen(ctx, err)
	}
	next := ""
	if end.set {
		next = s.db.token(print, end)
	}
	return found, next, nil
}

// StreamOrders exports orders, one by one. It reads them in one snapshot.
func (s *Service) StreamOrders(in *shopv2.StreamOrdersRequest, out grpc.ServerStreamingServer[shopv2.StreamOrdersResponse]) error {
	ctx := out.Context()
	q := &query{}
	if err := q.states("states", in.GetStates()...); err != nil {
		return err
	}
	if err := q.between(in.GetCreatedAfter(), in.GetCreatedBefore()); err != nil {
		return err
	}
	text := "SELECT document FROM orders"
	if len(q.where) > 0 {
		text += " WHERE " + strings.Join(q.where, " AND ")
	}
	rows, err := s.db.read.QueryContext(ctx, text+" ORDER BY id", q.args...)
	if err != nil {
		return s.seen(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var document []byte
		o := &shopv2.Order{}
		if err := rows.Scan(&document); err != nil {
			return s.seen(ctx, err)
		}
		if err := proto.Unmarshal(document, o); err != nil {
			return s.seen(ctx, err)
		}
		if err := out.Send(&shopv2.StreamOrdersResponse{Order: &shopv2.OrderSummary{
			Id: o.GetId(), CustomerId: o.GetCustomerId(), State: o.GetState(), GrandTotal: o.GetGrandTotal(),
			CountryCode: o.GetShippingAddress().GetCountryCode(), CreateTime: o.GetCreateTime(), ShipTime: o.GetShipTime(),
		}}); err != nil {
			return err
		}
	}
	return s.seen(ctx, rows.Err())
}
