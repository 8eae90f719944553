package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	_ "google.golang.org/grpc/health" // client-side health checking
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler"
)

// Options say where a service is.
type Options struct {
	// Service is its name in the config.
	Service string
	// Target is host:port, several with commas between, or what gRPC resolves, such as dns:///host:port.
	Target string
	// Reads are full method names, such as /shop.v2.OrderService/GetOrder, that may be asked again by themselves.
	Reads []string
	// MaxReplyBytes bounds a reply.
	MaxReplyBytes int
	// ConnectTimeout bounds one try to connect; by default 3 s.
	ConnectTimeout time.Duration
	Logger         *slog.Logger
}

// Upstream is a strangler.Backend. It connects when it is first called, and again by itself.
type Upstream struct {
	options Options
	conn    *grpc.ClientConn
	last    lastFailure
}

// New makes an Upstream. Nothing is connected yet.
func New(o Options) (*Upstream, error) {
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 3 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	config, err := serviceConfig(o.Reads)
	if err != nil {
		return nil, err
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}, MinConnectTimeout: o.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(max(o.MaxReplyBytes, 1))),
		grpc.WithDisableServiceConfig(),
	}
	target := o.Target
	if strings.Contains(target, ",") {
		static := manual.NewBuilderWithScheme("banyan")
		var state resolver.State
		for at := range strings.SplitSeq(target, ",") {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: strings.TrimSpace(at)})
		}
		static.InitialState(state)
		dial = append(dial, grpc.WithResolvers(static))
		target = "banyan:///" + o.Service
	} else if !strings.Contains(target, ":///") {
		target = "passthrough:///" + target
	}
	conn, err := grpc.NewClient(target, dial...)
	if err != nil {
		return nil, fmt.Errorf("the service %s at %s: %w", o.Service, o.Target, err)
	}
	return &Upstream{options: o, conn: conn}, nil
}

// serviceConfig has gRPC's own policies: reads are asked again, all addresses are used, and those that say they are not
// serving are not.
func serviceConfig(reads []string) (string, error) {
	type name struct {
		Service string `json:"service"`
		Method  string `json:"method"`
	}
	var names []name
	for _, full := range reads {
		service, method, ok := strings.Cut(strings.TrimPrefix(full, "/"), "/")
		if !ok {
			return "", fmt.Errorf("%q is no full method name", full)
		}
		names = append(names, name{service, method})
	}
	config := map[string]any{
		"loadBalancingConfig": []any{map[string]any{"round_robin": map[string]any{}}},
		"healthCheckConfig":   map[string]string{"serviceName": ""},
	}
	if len(names) > 0 {
		config["methodConfig"] = []any{map[string]any{"name": names, "retryPolicy": map[string]any{
			"maxAttempts": 3, "initialBackoff": "0.02s", "maxBackoff": "0.2s", "backoffMultiplier": 2, "retryableStatusCodes": []string{"UNAVAILABLE"},
		}}}
	}
	text, err := json.Marshal(config)
	return string(text), err
}

// Close gives up all connections.
func (u *Upstream) Close() error { return u.conn.Close() }

// Healthy says whether the service can be reached, and else why not. It does not wait.
func (u *Upstream) Healthy() (ok bool, why string) {
	u.conn.Connect()
	switch state := u.conn.GetState(); state {
	case connectivity.TransientFailure, connectivity.Shutdown:
		why = "no connection to " + u.options.Target
		if last := u.last.get(); last != "" {
			why += ": " + last
		}
		return false, why
	default:
		return true, ""
	}
}

// forwarded are the caller's headers that the service gets, too.
var forwarded = []string{"traceparent", "tracestate"}

// Call implements strangler.Backend.
func (u *Upstream) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	request, err := call.Request.Wire()
	if err != nil {
		return strangler.Invalid("", "the request can't be encoded: %v", err)
	}
	ctx = metadata.NewOutgoingContext(ctx, outgoing(call))
	if !call.Operation.ServerStreaming {
		var reply []byte
		if err := u.conn.Invoke(ctx, call.Operation.FullMethod, request, &reply); err != nil {
			return u.failed(ctx, err)
		}
		return send(&strangler.Reply{Message: contract.FromWire(call.Operation.Output, reply)})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := u.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, call.Operation.FullMethod)
	if err == nil {
		err = stream.SendMsg(request)
	}
	if err == nil || errors.Is(err, io.EOF) { // what ended it says RecvMsg
		err = stream.CloseSend()
	}
	if err != nil {
		return u.failed(ctx, err)
	}
	for {
		var reply []byte
		err := stream.RecvMsg(&reply)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return u.failed(ctx, err)
		}
		if err := send(&strangler.Reply{Message: contract.FromWire(call.Operation.Output, reply)}); err != nil {
			return err
		}
	}
}

func outgoing(call *strangler.Call) metadata.MD {
	md := metadata.MD{}
	if call.RequestID != "" {
		md.Set(protocol.MetadataRequest, call.RequestID)
	}
	if call.Write.ID != "" {
		md.Set(protocol.MetadataWrite, call.Write.ID)
		md.Set(protocol.MetadataEpoch, strconv.FormatUint(call.Write.Epoch, 10))
	}
	if call.Header != nil {
		for _, name := range forwarded {
			if values := call.Header(name); len(values) > 0 {
				md.Set(name, values...)
			}
		}
	}
	return md
}

// codec takes bytes as they are. gRPC's own codec takes the messages of health checks.
type codec struct{}

// Name says that the bytes are protobuf's.
func (codec) Name() string { return proto.Name }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = data.Materialize()
		return nil
	}
	return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
}

var _ strangler.Backend = (*Upstream)(nil)
