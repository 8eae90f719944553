package load

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// connections is how many gRPC connections the workers share.
const connections = 4

// GRPC makes n workers that call a method of the server at addr. next gives the next request, encoded; it is called by
// all workers at once.
func GRPC(addr, method string, n int, next func() ([]byte, error)) ([]Worker, error) {
	conns := make([]*grpc.ClientConn, min(n, connections))
	for i := range conns {
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", addr, err)
		}
		conns[i] = conn
	}
	workers := make([]Worker, n)
	for i := range workers {
		w := &grpcWorker{conn: conns[i%len(conns)], method: method, next: next}
		if i < len(conns) {
			w.owned = conns[i]
		}
		workers[i] = w
	}
	return workers, nil
}

type grpcWorker struct {
	conn   *grpc.ClientConn
	owned  *grpc.ClientConn // the one that this worker closes; nil for most
	method string
	next   func() ([]byte, error)
	reply  raw
}

func (w *grpcWorker) Do(ctx context.Context) error {
	request, err := w.next()
	if err != nil {
		return err
	}
	if err := w.conn.Invoke(ctx, w.method, &raw{bytes: request}, &w.reply); err != nil {
		return err
	}
	if w.reply.size == 0 {
		return errors.New("an empty reply from " + w.method)
	}
	return nil
}

func (w *grpcWorker) Close() error {
	if w.owned == nil {
		return nil
	}
	return w.owned.Close()
}

// raw is a message as bytes on its way out, and only its size on its way in.
type raw struct {
	bytes []byte
	size  int
}

// rawCodec passes raw messages through.
type rawCodec struct{}

func (rawCodec) Name() string { return proto.Name }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*raw)
	if !ok {
		return nil, fmt.Errorf("a %T is not raw", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(m.bytes)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*raw)
	if !ok {
		return fmt.Errorf("a %T is not raw", v)
	}
	m.size = data.Len()
	return nil
}
