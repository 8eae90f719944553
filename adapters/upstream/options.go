package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options set an Upstream up.
type Options struct {
	// Service is the service's name in the configuration, for logs and errors.
	Service string
	// Target is where it listens: host:port, several of them with commas between, or a target of gRPC with a scheme, such
	// as dns:///orders:9000. A host with several IP addresses is several servers.
	Target string
	// Reads are the full names (/shop.v2.Orders/GetOrder) of the methods that change nothing. They are tried again where the
	// service is not available.
	Reads []string
	// MaxReplyBytes bounds a message of the service; 0 means 64 MiB.
	MaxReplyBytes int
	// ConnectTimeout bounds a try to connect, and Healthy's question; 0 means 5 seconds.
	ConnectTimeout time.Duration
	// Logger is told when the service comes and goes, as Healthy sees it; nil logs nothing.
	Logger *slog.Logger
}

const (
	defaultMaxReplyBytes  = 64 << 20
	defaultConnectTimeout = 5 * time.Second
)

// settle puts defaults in, and gives all that is wrong.
func (o Options) settle() (Options, error) {
	var wrong []error
	if o.Service == "" {
		wrong = append(wrong, errors.New("the service has no name: give it one"))
	}
	if o.MaxReplyBytes < 0 {
		wrong = append(wrong, fmt.Errorf("replies of at most %d bytes can't be: give a positive number, or 0 for %d", o.MaxReplyBytes, defaultMaxReplyBytes))
	}
	if o.ConnectTimeout < 0 {
		wrong = append(wrong, fmt.Errorf("a time of %s to connect can't be: give a positive one, or 0 for %s", o.ConnectTimeout, defaultConnectTimeout))
	}
	o.MaxReplyBytes = cmp.Or(o.MaxReplyBytes, defaultMaxReplyBytes)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, defaultConnectTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(wrong...)
}
