package boxes

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
)

// Read asks whoever implements the contract for boxes, and gives what is in them.
func Read(ctx context.Context, at string, ids []int64) (map[int64][]string, error) {
	files, err := Files()
	if err != nil {
		return nil, fmt.Errorf("read the project: %w", err)
	}
	c, faults := contract.Load(ctx, []contract.Root{{Name: "contract", FS: sub(files)}})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	op := c.Operation("boxes.v1.BoxService.GetBox")
	out := make(map[int64][]string, len(ids))
	for _, id := range ids {
		request, box := dynamicpb.NewMessage(op.Input), dynamicpb.NewMessage(op.Output)
		request.Set(op.Input.Fields().ByName("id"), protoreflect.ValueOfInt64(id))
		if err := conn.Invoke(ctx, op.FullMethod, request, box); err != nil {
			return nil, fmt.Errorf("box %d: %w", id, err)
		}
		things := box.Get(op.Output.Fields().ByName("things")).List()
		out[id] = make([]string, things.Len())
		for i := range out[id] {
			out[id][i] = things.Get(i).String()
		}
	}
	return out, nil
}
