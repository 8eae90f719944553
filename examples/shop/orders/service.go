package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/examples/shop/shopv2"
	"banyan.dev/banyan/protocol"
)

// Options say where the service is and who is around it. Database and Facade are needed.
type Options struct {
	// Listen is where gRPC is served, such as 127.0.0.1:9200; port 0 is a free one.
	Listen string
	// Database is the path of the SQLite file.
	Database string
	// Broker is RabbitMQ's address. Empty: no events are consumed, which is right once the service stands alone.
	Broker string
	// Facade are the gRPC addresses of Banyan.
	Facade []string
	// Name is the service's in banyan.yaml, and Capability what Banyan calls its operations; both are orders by default.
	Name, Capability string
	// Queues is how many processes of the service can take events at the same time, 4 by default; see consumer.Options.
	Queues int
	// Config is what the contract doesn't tell; nil is the example's.
	Config *Config
	// TagsOnly refuses writes that don't come through Banyan.
	TagsOnly bool
	Logger   *slog.Logger
	// AskWithin bounds questions to the facade, 3 seconds by default.
	AskWithin time.Duration
	// ReadyFile is written once the service serves: a JSON object with where, as "grpc".
	ReadyFile string
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// Delay and DelayShare are for trials of what a slow service does: so many of a hundred replies are held back for so long,
	// after they were made.
	Delay      time.Duration
	DelayShare int
	// Refuse is for trials of what a broken service does: it says why an event can't be applied. nil: all can.
	Refuse func(protocol.EntityEvent) error
}

// Service is a running order service.
type Service struct {
	shopv2.UnimplementedOrderServiceServer

	db         *database
	store      *consumer.Store
	shop       *shop
	config     *Config
	capability string
	logger     *slog.Logger
	clock      func() time.Time
	options    Options
}

// Open opens what the service needs. Close must be called.
func Open(ctx context.Context, o Options) (*Service, error) {
	if o.Name == "" {
		o.Name = "orders"
	}
	if o.Capability == "" {
		o.Capability = "orders"
	}
	if o.Queues == 0 {
		o.Queues = 4
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.AskWithin <= 0 {
		o.AskWithin = 3 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{config: o.Config, capability: o.Capability, logger: o.Logger, clock: o.Now, options: o}
	var err error
	if s.config == nil {
		if s.config, err = DefaultConfig(); err != nil {
			return nil, err
		}
	}
	if s.shop, err = dialShop(o.Facade, o.AskWithin); err != nil {
		return nil, err
	}
	if s.db, err = openDatabase(ctx, o.Database); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.store = consumer.NewStore(s.db.write, consumer.StoreOptions{TagsOnly: o.TagsOnly, Now: o.Now})
	if err := s.store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close releases what Open has opened.
func (s *Service) Close() error {
	err := s.shop.conn.Close()
	if s.db != nil {
		err = errors.Join(err, s.db.close())
	}
	return err
}

// drain bounds how long running calls may take when the service stops.
const drain = 10 * time.Second

// Serve serves and consumes until ctx ends, and gives nil then. It takes no new calls at once and lets running ones end.
func (s *Service) Serve(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(s.held), grpc.WaitForHandlers(true))
	shopv2.RegisterOrderServiceServer(server, s)
	if err := consumer.RegisterAdmin(server, s.consuming()); err != nil {
		return errors.Join(err, listener.Close())
	}
	healthy := health.NewServer()
	healthpb.RegisterHealthServer(server, healthy)
	healthy.SetServingStatus(shopv2.OrderService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served, consumed := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	go func() { consumed <- s.consume(ctx) }()
	if err := s.ready(listener.Addr().String()); err != nil {
		cancel()
		server.Stop()
		return errors.Join(err, <-served, <-consumed)
	}
	s.logger.Info("serving", "grpc", listener.Addr().String())
	select {
	case <-ctx.Done():
	case err = <-served:
		served <- nil
	case err = <-consumed:
		consumed <- nil
	}
	cancel()
	healthy.Shutdown()
	late := time.AfterFunc(drain, server.Stop)
	server.GracefulStop()
	late.Stop()
	return errors.Join(err, <-served, <-consumed)
}

// consume applies events until ctx ends.
func (s *Service) consume(ctx context.Context) error {
	if s.options.Broker == "" {
		<-ctx.Done()
		return nil
	}
	return consumer.Run(ctx, s.consuming())
}

// consuming says what is consumed, and how.
func (s *Service) consuming() consumer.Options {
	return consumer.Options{URL: s.options.Broker, Service: s.options.Name, Queues: s.options.Queues, Store: s.store, Apply: s.apply, Logger: s.logger}
}

// ready writes the ready file, whole or not at all.
func (s *Service) ready(address string) error {
	path := s.options.ReadyFile
	if path == "" {
		return nil
	}
	text, err := json.Marshal(map[string]string{"grpc": address, "database": s.options.Database})
	if err != nil {
		return fmt.Errorf("write the ready file: %w", err)
	}
	part := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".part")
	if err := errors.Join(os.WriteFile(part, append(text, '\n'), 0o600), os.Rename(part, path)); err != nil {
		return fmt.Errorf("write the ready file: %w", err)
	}
	return nil
}

// held holds some replies back, where the options say so.
func (s *Service) held(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	reply, err := handler(ctx, request)
	if s.options.Delay > 0 && rand.IntN(100) < s.options.DelayShare { //nolint:gosec // no secret
		timer := time.NewTimer(s.options.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return reply, err
}
