package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/strangler/control"
)

// guard refuses to let a service's stream read again what it has read while keys are the service's own: what legacy had before
// would come in a newer epoch than all that the service has, which would be turned back by it.
func (r *Reset) guard(ctx context.Context) error {
	if r.service == "" || r.fresh {
		return nil
	}
	if order, err := r.To.Compare(r.Before.Position); r.tail == r.To || err == nil && order >= 0 {
		return nil
	}
	live, err := modern(ctx, r.cfg, r.service, r.logger)
	if err != nil || len(live) == 0 {
		return err
	}
	return fmt.Errorf("--to %s is before where the stream has come to (%s), or may be: what legacy had then would be told to the service %s again, over what it has written itself since, and keys of %s are or may soon be at live: "+
		"go back first with banyan rollback %s, or go forward, --to now", r.To, r.Before.Position, r.service, strings.Join(live, ", "), live[0])
}

// modern gives the capabilities of a service of which keys are modern's, or may soon be.
func modern(ctx context.Context, cfg *config.Config, service string, logger *slog.Logger) (names []string, err error) {
	kept, err := store.NewControl(storeOptions(cfg, logger))
	if err != nil {
		return nil, fmt.Errorf("control store: %w", err)
	}
	defer kept.Close() //nolint:errcheck // it was only asked
	records, err := kept.Records(ctx)
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("whether keys are at live: %w", err)
	}
	for _, name := range cfg.CapabilityNames() {
		is := func(r control.Record) bool { return r.Capability == name && control.MayBeModern(r) }
		if cfg.Capabilities[name].Service == service && slices.ContainsFunc(records, is) {
			names = append(names, name)
		}
	}
	return names, nil
}
