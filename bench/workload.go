package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	benchv1 "banyan.dev/banyan/bench/contract/bench/v1"
	"banyan.dev/banyan/bench/load"
)

// pageSize is how many rows a list gives.
const pageSize = 100

// workload is one operation with requests for it.
type workload struct {
	name   string
	method string
	// next makes a request, a different one each time. It is safe for concurrent use.
	next func() proto.Message
	// http writes a request as it goes over REST.
	http func(proto.Message) (load.Request, error)
	// reply makes an empty reply.
	reply func() proto.Message
}

// newItems numbers the items that are inserted, so that no two have the same sku.
type newItems struct{ last atomic.Int64 }

func workloads(items *newItems) []workload {
	return []workload{
		{
			name: "point read", method: benchv1.ItemService_GetItem_FullMethodName,
			next: func() proto.Message { return &benchv1.GetItemRequest{Id: 1 + rand.Int64N(seededItems)} },
			http: func(m proto.Message) (load.Request, error) {
				return get("/v1/items/" + strconv.FormatInt(m.(*benchv1.GetItemRequest).GetId(), 10)), nil //nolint:errcheck // next made it
			},
			reply: func() proto.Message { return &benchv1.Item{} },
		},
		{
			name: "list of 100", method: benchv1.ItemService_ListItems_FullMethodName,
			next: func() proto.Message {
				return &benchv1.ListItemsRequest{WarehouseId: 1 + rand.Int64N(seededWarehouses), PageSize: pageSize}
			},
			http: func(m proto.Message) (load.Request, error) {
				r := m.(*benchv1.ListItemsRequest) //nolint:errcheck // next made it
				return get(fmt.Sprintf("/v1/warehouses/%d/items?pageSize=%d", r.GetWarehouseId(), r.GetPageSize())), nil
			},
			reply: func() proto.Message { return &benchv1.ListItemsResponse{} },
		},
		{
			name: "insert", method: benchv1.ItemService_CreateItem_FullMethodName,
			next: func() proto.Message { return items.next() },
			http: func(m proto.Message) (load.Request, error) {
				r := m.(*benchv1.CreateItemRequest) //nolint:errcheck // next made it
				body, err := protojson.Marshal(r.GetItem())
				return load.Request{Method: "POST", Path: fmt.Sprintf("/v1/warehouses/%d/items", r.GetWarehouseId()), Body: body}, err
			},
			reply: func() proto.Message { return &benchv1.CreateItemResponse{} },
		},
	}
}

func get(path string) load.Request { return load.Request{Method: "GET", Path: path} }

// next makes an item for a warehouse of its own, so that the lists stay as they are.
func (n *newItems) next() *benchv1.CreateItemRequest {
	number := n.last.Add(1)
	return &benchv1.CreateItemRequest{WarehouseId: seededWarehouses + 1, Item: &benchv1.Item{
		Name: "Garden table, round, no. " + strconv.FormatInt(number, 10), Sku: "GT-" + strconv.FormatInt(number, 10),
		Price: "129.90", Quantity: int32(number % 50), Active: true, Note: proto.String("Untreated oak; deliver to the front door"), //nolint:gosec // below 50
	}}
}
