package grpc

import (
	"context"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// Options set a Server up. The zero value is ready: each field says what its zero means.
type Options struct {
	// Logger gets failed calls; nil logs nothing.
	Logger *slog.Logger
	// Refused is told of each request that is refused before it becomes a call; nil tells nobody. It has to be safe for
	// concurrent use.
	Refused func(*strangler.Error)
	// MaxRequestBytes bounds a request message, in bytes; 0 means 4 MiB.
	MaxRequestBytes int
	// MaxReplyBytes bounds a reply message, in bytes; 0 means 64 MiB.
	MaxReplyBytes int
	// StreamTimeout bounds a stream, its caller's pauses included; 0 means edge.DefaultStreamTimeout.
	StreamTimeout time.Duration
	// ReceiveTimeout is how long a caller may take to send the request of a call that he has begun; 0 means 30 seconds.
	ReceiveTimeout time.Duration
	// HandshakeTimeout is how long a client may take from connecting until it speaks HTTP/2; 0 means 10 seconds.
	HandshakeTimeout time.Duration
	// MaxConnectionAge is how long a connection is used before its client is asked to make a new one, so that load
	// spreads over replicas; 0 means 30 minutes. Running calls get MaxConnectionGrace (0 means 10 minutes) to finish.
	MaxConnectionAge   time.Duration
	MaxConnectionGrace time.Duration
	// Notice gives what each answer of an operation says of its version, in its header metadata; nil says nothing.
	Notice func(*contract.Operation) edge.Notice
	// Extra are further options of grpc.NewServer, such as credentials and stats handlers.
	Extra []grpc.ServerOption
}

const (
	defaultMaxRequestBytes = 4 << 20
	defaultMaxReplyBytes   = 64 << 20
	defaultHandshake       = 10 * time.Second
	defaultReceive         = 30 * time.Second
	defaultConnectionAge   = 30 * time.Minute
	defaultConnectionGrace = 10 * time.Minute

	// keepaliveTime and keepaliveTimeout find dead clients; clients may ping as often as minPing.
	keepaliveTime    = time.Minute
	keepaliveTimeout = 20 * time.Second
	minPing          = 10 * time.Second
	// maxStreams bounds what one connection can ask for at once; limits over all calls are a Backend's.
	maxStreams = 1000
	// maxHeader bounds a call's metadata, in bytes (RFC 9113, 6.5.2), as REST bounds headers.
	maxHeader = 64 << 10
	// workers is how many goroutines wait for calls. They are used again, so that their stacks need not grow for each
	// call, which costs a tenth of a short one. When all are busy, further calls get goroutines of their own.
	workers = 64
)

// Server serves a contract over gRPC. It is safe for concurrent use.
type Server struct {
	grpc     *grpc.Server
	health   *health.Server
	services []string
}

// New makes a server of the contract's operations that answers by way of b.
func New(c *contract.Contract, b strangler.Backend, opts Options) *Server {
	if opts.MaxRequestBytes == 0 {
		opts.MaxRequestBytes = defaultMaxRequestBytes
	}
	if opts.MaxReplyBytes == 0 {
		opts.MaxReplyBytes = defaultMaxReplyBytes
	}
	if opts.StreamTimeout == 0 {
		opts.StreamTimeout = edge.DefaultStreamTimeout
	}
	if opts.ReceiveTimeout == 0 {
		opts.ReceiveTimeout = defaultReceive
	}
	if opts.HandshakeTimeout == 0 {
		opts.HandshakeTimeout = defaultHandshake
	}
	if opts.MaxConnectionAge == 0 {
		opts.MaxConnectionAge = defaultConnectionAge
	}
	if opts.MaxConnectionGrace == 0 {
		opts.MaxConnectionGrace = defaultConnectionGrace
	}
	if opts.Refused == nil {
		opts.Refused = func(*strangler.Error) {}
	}
	h := handler{
		edge:            &edge.Edge{Backend: b, Logger: opts.Logger, MaxReplyBytes: opts.MaxReplyBytes},
		refused:         opts.Refused,
		maxRequestBytes: opts.MaxRequestBytes,
		receiveTimeout:  opts.ReceiveTimeout,
		late: strangler.Fail(codes.DeadlineExceeded, "REQUEST_TOO_SLOW",
			"the request did not come within %s; send it at once", opts.ReceiveTimeout),
		notices: map[*contract.Operation]metadata.MD{},
	}
	for _, op := range c.Operations() {
		if opts.Notice == nil {
			break
		}
		md := metadata.MD{}
		for _, f := range opts.Notice(op).Fields() {
			md.Set(f.Name, f.Value)
		}
		if len(md) > 0 {
			h.notices[op] = md
		}
	}
	server := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(opts.MaxRequestBytes),
		grpc.MaxSendMsgSize(opts.MaxReplyBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: opts.MaxConnectionAge, MaxConnectionAgeGrace: opts.MaxConnectionGrace,
			Time: keepaliveTime, Timeout: keepaliveTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.UnknownServiceHandler(h.unknownMethod),
		grpc.InTapHandle(boundCalls(c, opts.StreamTimeout)),
		grpc.ConnectionTimeout(opts.HandshakeTimeout),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(workers),
	}, opts.Extra...)...)
	s := &Server{grpc: server, health: health.NewServer()}
	for _, v := range c.Versions {
		for _, svc := range v.Services {
			server.RegisterService(h.describe(svc), nil)
			name := string(svc.Descriptor.FullName())
			s.services = append(s.services, name)
			s.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
		}
	}
	grpc_health_v1.RegisterHealthServer(server, s.health)
	registerReflection(server, c, s.services)
	return s
}

// Serve accepts connections until Shutdown. It returns nil after Shutdown, else why it stopped.
func (s *Server) Serve(lis net.Listener) error { return s.grpc.Serve(lis) }

// SetServing sets the health of the server as a whole and of all its services. They are healthy at first.
func (s *Server) SetServing(serving bool) {
	s.SetServiceServing("", serving)
	for _, name := range s.services {
		s.SetServiceServing(name, serving)
	}
}

// SetServiceServing sets the health of one service by its full name; "" is the server as a whole.
func (s *Server) SetServiceServing(name string, serving bool) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if serving {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus(name, status)
}

// Shutdown takes no new calls and waits for the running ones; when ctx ends first, it cancels them and returns ctx's
// error. When it returns, no handler runs any more. Calling it twice is harmless.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Shutdown()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.grpc.GracefulStop()
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-drained
		return ctx.Err()
	}
}
