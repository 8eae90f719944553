package upstream

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // has connections ask for the health of their server
	"google.golang.org/grpc/keepalive"

	"banyan.dev/banyan/strangler"
)

const (
	// A server of grpc-go closes connections that are pinged more often than every 5 minutes, with the calls on them. A
	// peer that is gone is found sooner by what it doesn't acknowledge: keepaliveTimeout is TCP_USER_TIMEOUT, too.
	keepaliveTime    = 5*time.Minute + 10*time.Second
	keepaliveTimeout = 10 * time.Second
)

// reconnect says how long to wait between tries to connect: short, because rollbacks and shifts look at it.
var reconnect = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}

// Upstream is a service behind gRPC. It is safe for concurrent use.
type Upstream struct {
	service string
	conn    *grpc.ClientConn
	options []grpc.CallOption
	health  *health
	closing sync.Once
}

var _ strangler.Backend = (*Upstream)(nil)

// New makes an Upstream. It connects when it is first used. Errors are about the options, all at once.
func New(o Options) (*Upstream, error) {
	o, wrong := o.settle()
	target, dial, badTarget := readTarget(o.Target)
	config, badReads := serviceConfig(o.Reads)
	if err := errors.Join(wrong, badTarget, badReads); err != nil {
		return nil, fmt.Errorf("service %q: %w", o.Service, err)
	}
	conn, err := grpc.NewClient(target, append(dial,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: o.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithIdleTimeout(0), // Healthy is to know
		grpc.WithStatsHandler(listener{}),
	)...)
	if err != nil {
		return nil, fmt.Errorf("service %q: the target %s: %w", o.Service, o.Target, err)
	}
	return &Upstream{
		service: o.Service,
		conn:    conn,
		options: []grpc.CallOption{grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(o.MaxReplyBytes)},
		health:  newHealth(o, conn),
	}, nil
}

// Close closes the connections. Calls that are under way fail as if they were lost. Closing twice is harmless.
func (u *Upstream) Close() error {
	u.health.close()
	var err error
	u.closing.Do(func() { err = u.conn.Close() })
	if err != nil {
		return fmt.Errorf("close the connections to service %q: %w", u.service, err)
	}
	return nil
}
