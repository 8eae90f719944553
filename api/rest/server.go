package rest

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/rest/jsonwire"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// Options set the handler up. The zero value is ready: each field says what its zero means.
type Options struct {
	// Logger gets failed calls; nil logs nothing.
	Logger *slog.Logger
	// Refused is told of each request that is refused before it becomes a call; nil tells nobody. It has to be safe for
	// concurrent use.
	Refused func(*strangler.Error)
	// MaxRequestBytes bounds a request's body, in bytes; 0 means 4 MiB.
	MaxRequestBytes int
	// MaxReplyBytes bounds a reply message, in bytes of its wire form; 0 means 64 MiB.
	MaxReplyBytes int
	// StreamTimeout bounds a stream, its caller's pauses included; 0 means edge.DefaultStreamTimeout.
	StreamTimeout time.Duration
	// WriteTimeout is how long a caller may take to receive a unary reply, an error, or what is left of a stream at its
	// end; 0 means a minute.
	WriteTimeout time.Duration
	// JSON says how replies are written. Its zero is as grpc-gateway writes them: unset fields too, in lowerCamelCase.
	JSON jsonwire.Options
	// Notice gives what each answer of an operation says of its version; nil says nothing.
	Notice func(*contract.Operation) edge.Notice
	// Gone says that an operation is refused by the Backend whatever is asked: then a request that can't be read is answered by
	// it, too, which knows better what to say. Nil: none is.
	Gone func(*contract.Operation) bool
}

const (
	defaultMaxRequestBytes = 4 << 20
	defaultMaxReplyBytes   = 64 << 20
	defaultWriteTimeout    = time.Minute
	// keptBuffer bounds the buffers that are kept for the next request.
	keptBuffer = 1 << 20
)

// server is the handler. It is safe for concurrent use.
type server struct {
	edge            *edge.Edge
	refused         func(*strangler.Error)
	maxRequestBytes int
	streamTimeout   time.Duration
	gone            func(*contract.Operation) bool
	streamTooLong   error
	writeTimeout    time.Duration
	routes          tree
	decode          protojson.UnmarshalOptions
	buffers         sync.Pool // of *bytes.Buffer
}

// New makes a handler of the contract's HTTP rules that answers by way of b. It fails when rules contradict each other,
// which contract.Load reports before as faults.
func New(c *contract.Contract, b strangler.Backend, opts Options) (http.Handler, error) {
	if opts.MaxRequestBytes == 0 {
		opts.MaxRequestBytes = defaultMaxRequestBytes
	}
	if opts.MaxReplyBytes == 0 {
		opts.MaxReplyBytes = defaultMaxReplyBytes
	}
	if opts.StreamTimeout == 0 {
		opts.StreamTimeout = edge.DefaultStreamTimeout
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = defaultWriteTimeout
	}
	if opts.Refused == nil {
		opts.Refused = func(*strangler.Error) {}
	}
	s := &server{
		edge:            &edge.Edge{Backend: b, Logger: opts.Logger, MaxReplyBytes: opts.MaxReplyBytes},
		refused:         opts.Refused,
		maxRequestBytes: opts.MaxRequestBytes,
		streamTimeout:   opts.StreamTimeout,
		gone:            opts.Gone,
		streamTooLong:   edge.StreamTooLong(opts.StreamTimeout),
		writeTimeout:    opts.WriteTimeout,
		decode:          protojson.UnmarshalOptions{Resolver: c.Types},
		buffers:         sync.Pool{New: func() any { return &bytes.Buffer{} }},
	}
	plans := jsonwire.New(c.Types, opts.JSON)
	for _, op := range c.Operations() {
		for _, rule := range op.Rules {
			tmpl, err := contract.ParseTemplate(rule.Template)
			if err != nil {
				return nil, fmt.Errorf("%s: template %q: %w", op.Name, rule.Template, err)
			}
			r, err := newRoute(op, rule, tmpl, plans)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", op.Name, err)
			}
			if opts.Notice != nil {
				r.notice = opts.Notice(op).Fields()
			}
			if err := s.routes.add(tmpl, r); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *server) buffer() *bytes.Buffer {
	b, ok := s.buffers.Get().(*bytes.Buffer)
	if !ok {
		return &bytes.Buffer{}
	}
	b.Reset()
	return b
}

func (s *server) release(b *bytes.Buffer) {
	if b.Cap() <= keptBuffer {
		s.buffers.Put(b)
	}
}
