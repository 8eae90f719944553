package app

import (
	"context"
	"fmt"
	"log/slog"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/config"
)

// Migrations is how far Banyan's own tables are.
type Migrations struct {
	// Schema is where they are; empty where nothing needs tables of Banyan's own.
	Schema string           `json:"schema"`
	Sets   []store.SetState `json:"sets"`
}

// Usable says whether this program may work with them.
func (m Migrations) Usable() bool {
	for _, s := range m.Sets {
		if s.State != store.Current && s.State != store.Newer {
			return false
		}
	}
	return true
}

// keepsTables says whether Banyan keeps tables of its own: for the mirror, for clients' idempotency keys, or to count
// callers.
func (p *Project) keepsTables() bool {
	return p.Config.MirrorOn() || p.keepsKeys() || p.countsCallers()
}

// Migrated tells how far Banyan's own tables are, and changes nothing.
func (p *Project) Migrated(ctx context.Context, logger *slog.Logger) (Migrations, error) {
	if !p.keepsTables() {
		return Migrations{Sets: []store.SetState{}}, nil
	}
	sets, err := store.States(ctx, storeOptions(p.Config, logger))
	return Migrations{Schema: p.Config.Ledger.Schema.String(), Sets: sets}, err
}

// Migrate makes Banyan's own tables, or brings them up to date, and gives what it has done, also beside an error.
func (p *Project) Migrate(ctx context.Context, logger *slog.Logger) ([]store.Migration, error) {
	if !p.keepsTables() {
		return nil, nil
	}
	return store.Up(ctx, storeOptions(p.Config, logger))
}

// migrated makes sure that Banyan's own tables are there, by making them where the config lets it.
func migrated(ctx context.Context, cfg *config.Config, options store.Options) error {
	ensure := store.Check
	if cfg.Ledger.Migrate {
		ensure = store.Migrate
	}
	if err := ensure(ctx, options); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}
