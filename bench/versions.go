package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"

	"google.golang.org/protobuf/proto"

	benchv1 "banyan.dev/banyan/bench/contract/bench/v1"
	"banyan.dev/banyan/bench/load"
	benchv0 "banyan.dev/banyan/bench/older/bench/v0"
)

// The names of the two ways to ask one Banyan.
const (
	olderName = "older version"
	newerName = "newer version"
)

// olderWorkloads are the reads of a service of the older version, beside those that they are translations of.
func olderWorkloads() []match {
	var out []match
	point, list := workloads(&newItems{})[0], workloads(&newItems{})[1]
	add := func(kind, path, getMethod, listMethod string, get, all func(id int64) proto.Message, item, page func() proto.Message) {
		out = append(out,
			match{"point read, " + kind, []workload{{
				name: point.name, method: getMethod, reply: item,
				next: func() proto.Message { return get(1 + rand.Int64N(seededItems)) },
				http: func(m proto.Message) (load.Request, error) { return getPath(m, "/v0/"+path+"/%d") },
			}, point}},
			match{"list of 100, " + kind, []workload{{
				name: list.name, method: listMethod, reply: page,
				next: func() proto.Message { return all(1 + rand.Int64N(seededWarehouses)) },
				http: func(m proto.Message) (load.Request, error) {
					return getPath(m, "/v0/warehouses/%d/"+path+"?pageSize="+strconv.Itoa(pageSize))
				},
			}, list}})
	}
	renamed := func(id int64) proto.Message { return &benchv0.GetRenamedRequest{Number: int32(id)} } //nolint:gosec // at most seededItems
	found := func(id int64) proto.Message {
		return &benchv0.ListRenamedRequest{Warehouse: int32(id), PageSize: pageSize} //nolint:gosec // at most seededWarehouses
	}
	add("same layout", "same", benchv0.SameService_GetItem_FullMethodName, benchv0.SameService_ListItems_FullMethodName,
		func(id int64) proto.Message { return &benchv0.GetSameRequest{Id: id} },
		func(id int64) proto.Message { return &benchv0.ListSameRequest{Warehouse: id, PageSize: pageSize} },
		func() proto.Message { return &benchv0.SameItem{} }, func() proto.Message { return &benchv0.ListSameResponse{} })
	add("other names and numbers", "renamed", benchv0.RenamedService_GetItem_FullMethodName, benchv0.RenamedService_ListItems_FullMethodName, renamed, found,
		func() proto.Message { return &benchv0.RenamedItem{} }, func() proto.Message { return &benchv0.ListRenamedResponse{} })
	add("two expressions", "computed", benchv0.ComputedService_GetItem_FullMethodName, benchv0.ComputedService_ListItems_FullMethodName, renamed, found,
		func() proto.Message { return &benchv0.ComputedItem{} }, func() proto.Message { return &benchv0.ListComputedResponse{} })
	return out
}

// getPath gives a GET of a path with the request's id in it.
func getPath(m proto.Message, format string) (load.Request, error) {
	switch m := m.(type) {
	case *benchv0.GetSameRequest:
		return get(fmt.Sprintf(format, m.GetId())), nil
	case *benchv0.ListSameRequest:
		return get(fmt.Sprintf(format, m.GetWarehouse())), nil
	case *benchv0.GetRenamedRequest:
		return get(fmt.Sprintf(format, m.GetNumber())), nil
	case *benchv0.ListRenamedRequest:
		return get(fmt.Sprintf(format, m.GetWarehouse())), nil
	default:
		return load.Request{}, fmt.Errorf("%T is no request of the older version", m)
	}
}

// runVersions measures the older version beside the newer one, in one process.
func runVersions(ctx context.Context, p plan, out io.Writer) (err error) {
	db, dsn, version, err := startDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopDatabase(db)) }()
	banyan, err := startSide(ctx, versionedSide, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, banyan.stop()) }()
	for range 20 {
		if err := verifyOlder(ctx, banyan, 1+rand.Int64N(seededItems), 1+rand.Int64N(seededWarehouses)); err != nil {
			return fmt.Errorf("the versions don't answer alike: %w", err)
		}
	}
	sides := twoNames(banyan)
	report := report{out: out, sides: sides}
	report.begin(p, version)
	if err := measureAll(ctx, p, sides, olderWorkloads(), report.row); err != nil {
		return err
	}
	report.end()
	return report.err
}

// twoNames gives one Banyan as both sides.
func twoNames(banyan *side) []*side {
	return []*side{{name: olderName, at: banyan.at}, {name: newerName, at: banyan.at}}
}

// verifyOlder reads an item and a list by all services, and holds what they give against the newer version's.
func verifyOlder(ctx context.Context, s *side, id, warehouse int64) error {
	newer, list := &benchv1.Item{}, &benchv1.ListItemsResponse{}
	same, renamed, computed := &benchv0.SameItem{}, &benchv0.RenamedItem{}, &benchv0.ComputedItem{}
	sameList, renamedList, computedList := &benchv0.ListSameResponse{}, &benchv0.ListRenamedResponse{}, &benchv0.ListComputedResponse{}
	number, place := int32(id), int32(warehouse) //nolint:gosec // at most seededItems
	for _, call := range []struct {
		method         string
		request, reply proto.Message
	}{
		{benchv1.ItemService_GetItem_FullMethodName, &benchv1.GetItemRequest{Id: id}, newer},
		{benchv1.ItemService_ListItems_FullMethodName, &benchv1.ListItemsRequest{WarehouseId: warehouse, PageSize: pageSize}, list},
		{benchv0.SameService_GetItem_FullMethodName, &benchv0.GetSameRequest{Id: id}, same},
		{benchv0.SameService_ListItems_FullMethodName, &benchv0.ListSameRequest{Warehouse: warehouse, PageSize: pageSize}, sameList},
		{benchv0.RenamedService_GetItem_FullMethodName, &benchv0.GetRenamedRequest{Number: number}, renamed},
		{benchv0.RenamedService_ListItems_FullMethodName, &benchv0.ListRenamedRequest{Warehouse: place, PageSize: pageSize}, renamedList},
		{benchv0.ComputedService_GetItem_FullMethodName, &benchv0.GetRenamedRequest{Number: number}, computed},
		{benchv0.ComputedService_ListItems_FullMethodName, &benchv0.ListRenamedRequest{Warehouse: place, PageSize: pageSize}, computedList},
	} {
		if err := overGRPC(ctx, s, call.method, call.request, call.reply); err != nil {
			return fmt.Errorf("%s: %w", call.method, err)
		}
	}
	if len(list.GetItems()) != pageSize || len(sameList.GetItems()) != pageSize || len(renamedList.GetFound()) != pageSize || len(computedList.GetFound()) != pageSize {
		return errors.New("a page is not full")
	}
	sames, renames, computes := append(sameList.GetItems(), same), append(renamedList.GetFound(), renamed), append(computedList.GetFound(), computed)
	for i, item := range append(list.GetItems(), newer) {
		for _, pair := range [][2]proto.Message{
			{sames[i], &benchv0.SameItem{
				Id: item.GetId(), Title: item.GetName(), Sku: item.GetSku(), Price: item.GetPrice(), Quantity: item.GetQuantity(),
				CreateTime: item.GetCreateTime(), Active: item.GetActive(), Note: item.Note,
			}},
			{renames[i], &benchv0.RenamedItem{
				Number: item.GetId(), Title: item.GetName(), Sku: item.GetSku(), Price: item.GetPrice(), InStock: int64(item.GetQuantity()),
				CreatedAt: item.GetCreateTime().GetSeconds(), Sold: item.GetActive(), Remark: item.GetNote(),
			}},
			{computes[i], &benchv0.ComputedItem{
				Number: int32(item.GetId()), Title: item.GetName(), Sku: item.GetSku(), Price: item.GetPrice(), Available: item.GetActive() && item.GetQuantity() > 0, //nolint:gosec // at most seededItems
				CreatedAt: item.GetCreateTime().GetSeconds(), Remark: item.GetNote(),
			}},
		} {
			if !proto.Equal(pair[0], pair[1]) {
				return fmt.Errorf("it answers %v, not %v", pair[0], pair[1])
			}
		}
	}
	return nil
}
