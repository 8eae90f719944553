package baseline

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	benchv1 "banyan.dev/banyan/bench/contract/bench/v1"
)

const (
	defaultTimeout  = 10 * time.Second
	defaultPageSize = 50
	maxPageSize     = 1000
)

// Service answers the contract's operations from a Store.
type Service struct {
	benchv1.UnimplementedItemServiceServer
	store *Store
}

// NewService makes a Service. The Store stays the caller's.
func NewService(store *Store) *Service { return &Service{store: store} }

// GetItem reads one item.
func (s *Service) GetItem(ctx context.Context, req *benchv1.GetItemRequest) (*benchv1.Item, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	item, err := s.store.Item(ctx, req.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	return item, nil
}

// ListItems lists a page of a warehouse's items.
func (s *Service) ListItems(ctx context.Context, req *benchv1.ListItemsRequest) (*benchv1.ListItemsResponse, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	size := int(req.GetPageSize())
	switch {
	case size < 0:
		return nil, status.Error(codes.InvalidArgument, "page_size must not be negative")
	case size == 0:
		size = defaultPageSize
	case size > maxPageSize:
		size = maxPageSize
	}
	after, err := readToken(req.GetPageToken())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "page_token is not one that this list gave")
	}
	items, err := s.store.Items(ctx, req.GetWarehouseId(), after, size+1)
	if err != nil {
		return nil, toStatus(err)
	}
	reply := &benchv1.ListItemsResponse{Items: items}
	if len(items) > size {
		reply.Items = items[:size]
		reply.NextPageToken = makeToken(items[size-1].GetId())
	}
	return reply, nil
}

// CreateItem adds an item and gives its id.
func (s *Service) CreateItem(ctx context.Context, req *benchv1.CreateItemRequest) (*benchv1.CreateItemResponse, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	id, err := s.store.AddItem(ctx, req.GetWarehouseId(), req.GetItem())
	if err != nil {
		return nil, toStatus(err)
	}
	return &benchv1.CreateItemResponse{Id: id}, nil
}

// bounded gives a call without a deadline one.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, defaultTimeout)
}

// makeToken names the last item of a page.
func makeToken(id int64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, id, 10))
}

func readToken(token string) (int64, error) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}
