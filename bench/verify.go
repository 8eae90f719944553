package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	benchv1 "banyan.dev/banyan/bench/contract/bench/v1"
	"banyan.dev/banyan/bench/load"
)

// verify makes each workload's requests of all sides over all transports, tries times, and tells where the replies
// differ: nothing is worth measuring before they are the same.
func verify(ctx context.Context, sides []*side, all []workload, tries int) error {
	for _, w := range all {
		for range tries {
			if err := verifyOne(ctx, sides, w); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	return nil
}

func verifyOne(ctx context.Context, sides []*side, w workload) error {
	request := w.next()
	var first proto.Message
	var firstJSON any
	for _, s := range sides {
		if _, insert := request.(*benchv1.CreateItemRequest); insert {
			if err := verifyInsert(ctx, s, sides, w); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			continue
		}
		message, text, err := both(ctx, s, w, request)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if first == nil {
			first, firstJSON = message, text
			continue
		}
		if !proto.Equal(first, message) {
			return fmt.Errorf("over gRPC %s answers %v, and %s %v", sides[0].name, first, s.name, message)
		}
		if !reflect.DeepEqual(firstJSON, text) {
			return fmt.Errorf("over REST %s answers %v, and %s %v", sides[0].name, firstJSON, s.name, text)
		}
	}
	return nil
}

// both asks over gRPC and REST and holds the replies against each other.
func both(ctx context.Context, s *side, w workload, request proto.Message) (proto.Message, any, error) {
	message := w.reply()
	if err := overGRPC(ctx, s, w.method, request, message); err != nil {
		return nil, nil, err
	}
	httpRequest, err := w.http(request)
	if err != nil {
		return nil, nil, err
	}
	body, err := overREST(ctx, s, httpRequest)
	if err != nil {
		return nil, nil, err
	}
	same := w.reply()
	if err := protojson.Unmarshal(body, same); err != nil {
		return nil, nil, fmt.Errorf("the JSON %s: %w", body, err)
	}
	var text map[string]any
	if err := json.Unmarshal(body, &text); err != nil {
		return nil, nil, fmt.Errorf("the JSON %s: %w", body, err)
	}
	for _, m := range []proto.Message{message, same} {
		if list, ok := m.(*benchv1.ListItemsResponse); ok {
			if len(list.GetItems()) != pageSize || list.GetNextPageToken() == "" {
				return nil, nil, fmt.Errorf("a page of %d items with the token %q for the next", len(list.GetItems()), list.GetNextPageToken())
			}
			list.NextPageToken = "" // each side writes tokens its own way
			delete(text, "nextPageToken")
		}
	}
	if !proto.Equal(message, same) {
		return nil, nil, fmt.Errorf("over gRPC it answers %v, and over REST %v", message, same)
	}
	return message, text, nil
}

// verifyInsert adds an item by each transport, and reads it back from all sides.
func verifyInsert(ctx context.Context, s *side, sides []*side, w workload) error {
	add := map[string]func(proto.Message, *benchv1.CreateItemResponse) error{
		"gRPC": func(request proto.Message, reply *benchv1.CreateItemResponse) error {
			return overGRPC(ctx, s, w.method, request, reply)
		},
		"REST": func(request proto.Message, reply *benchv1.CreateItemResponse) error {
			asked, err := w.http(request)
			if err != nil {
				return err
			}
			body, err := overREST(ctx, s, asked)
			if err != nil {
				return err
			}
			return protojson.Unmarshal(body, reply)
		},
	}
	for name, add := range add {
		request, ok := w.next().(*benchv1.CreateItemRequest)
		if !ok {
			return errors.New("an insert of something else")
		}
		reply := &benchv1.CreateItemResponse{}
		if err := add(request, reply); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, reader := range sides {
			item := &benchv1.Item{}
			if err := overGRPC(ctx, reader, benchv1.ItemService_GetItem_FullMethodName, &benchv1.GetItemRequest{Id: reply.GetId()}, item); err != nil {
				return fmt.Errorf("reading back what was inserted over %s: %w", name, err)
			}
			want := proto.CloneOf(request.GetItem())
			want.Id, want.CreateTime = reply.GetId(), item.GetCreateTime()
			if !proto.Equal(want, item) || item.GetCreateTime() == nil {
				return fmt.Errorf("over %s it inserted %v, and what %s reads back is %v", name, want, reader.name, item)
			}
		}
	}
	return nil
}

func overGRPC(ctx context.Context, s *side, method string, request, reply proto.Message) (err error) {
	conn, err := grpc.NewClient("passthrough:///"+s.at.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Invoke(ctx, method, request, reply)
}

func overREST(ctx context.Context, s *side, r load.Request) (body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, "http://"+s.at.REST+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if len(r.Body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reply.Body.Close()) }()
	if body, err = io.ReadAll(reply.Body); err != nil {
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", r.Method, r.Path, reply.Status, body)
	}
	return body, nil
}
