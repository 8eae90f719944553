package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// Reset is a change of the mirror's position that can be looked at before it is done.
type Reset struct {
	// Name is the mirror's.
	Name string
	// From says for people where the mirror is; Before is empty where that can't be read.
	From   string
	Before mirror.State
	To     change.Position

	store   *store.Store
	options store.Options
	cfg     *config.Config
	logger  *slog.Logger
	service string          // whose stream it is, empty for the mirror of rows
	tail    change.Position // the log's end
	fresh   bool            // no mirror has run yet
}

// PlanReset finds out what a reset to a position would do: "now" for the log's end, or FILE:OFFSET. The mirror is that of
// rows where name is empty, or the one of that name, such as service.orders. Close the Reset.
func PlanReset(ctx context.Context, cfg *config.Config, name, to string, logger *slog.Logger) (*Reset, error) {
	if !cfg.MirrorOn() {
		return nil, errNoMirror
	}
	name, err := mirrorNamed(cfg, name)
	if err != nil {
		return nil, err
	}
	source, err := binlog.New(binlog.Options{DSN: cfg.Legacy.DSN.Reveal(), ConnectTimeout: cfg.Legacy.ConnectTimeout, Logger: logger})
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // it was only asked
	tail, err := source.Tail(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	at, err := resetTarget(tail, to)
	if err != nil {
		return nil, err
	}
	if at != tail {
		// Whether a transaction begins there, the log itself says.
		stream, err := source.Open(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("--to %s: %w", to, err)
		}
		_ = stream.Close() // it was only tried
	}
	options := storeOptions(cfg, logger)
	options.Mirror = name
	kept, err := store.New(options)
	if err != nil {
		return nil, err
	}
	before, err := kept.State(ctx)
	from := fmt.Sprintf("%s (epoch %d)", before.Position, before.Epoch)
	fresh := false
	switch {
	case err == nil:
	case change.Stops(err) != nil:
		from = "an unreadable position" // which is what a reset is for
	case missing(err):
		from, fresh = "none: no mirror has run yet", true
	default:
		return nil, errors.Join(err, kept.Close())
	}
	r := &Reset{Name: name, From: from, Before: before, To: at, store: kept, options: options, cfg: cfg, logger: logger, tail: tail, fresh: fresh}
	if i := slices.IndexFunc(cfg.ServiceNames(), func(s string) bool { return serviceMirror(s) == name }); i >= 0 {
		r.service = cfg.ServiceNames()[i]
	}
	if err := r.guard(ctx); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	return r, nil
}

// mirrorNamed looks whether there is a mirror of that name.
func mirrorNamed(cfg *config.Config, name string) (string, error) {
	all := []string{cfg.Mirror.Name.String()}
	for _, service := range cfg.ServiceNames() {
		all = append(all, serviceMirror(service))
	}
	if name == "" {
		return all[0], nil
	}
	if !slices.Contains(all, name) {
		return "", fmt.Errorf("--name %s is no mirror of this config: there is %s", name, strings.Join(all, ", "))
	}
	return name, nil
}

// missing says that Banyan's own tables are not there: no mirror has run yet.
func missing(err error) bool {
	var told *mysql.MySQLError
	const noSchema, noTable = 1049, 1146
	return errors.As(err, &told) && (told.Number == noSchema || told.Number == noTable)
}

// resetTarget reads a position. Only the log's end comes with GTIDs: those of other places are not known.
func resetTarget(tail change.Position, to string) (change.Position, error) {
	if to == "now" {
		return tail, nil
	}
	file, offset, ok := strings.Cut(to, ":")
	n, err := strconv.ParseUint(offset, 10, 64)
	if _, fileErr := change.FileNumber(file); !ok || err != nil || fileErr != nil {
		return change.Position{}, fmt.Errorf("--to %s is no position: write now, or FILE:OFFSET such as %s", to, tail)
	}
	at := change.Position{Server: tail.Server, File: file, Offset: n}
	if after, err := at.Compare(tail); err != nil || after > 0 {
		return change.Position{}, fmt.Errorf("--to %s is beyond the log's end, %s", to, tail)
	}
	return at, nil
}

// Do does it. A mirror that leads begins anew.
func (r *Reset) Do(ctx context.Context) error {
	// The mirror may have gone on, and keys may have been shifted, since it was planned.
	now := *r
	if state, err := r.store.State(ctx); err == nil {
		now.Before, now.fresh = state, false
	}
	if err := now.guard(ctx); err != nil {
		return err
	}
	if err := migrated(ctx, r.cfg, r.options); err != nil {
		return err
	}
	_, err := r.store.Reset(ctx, r.To)
	return err
}

// Close gives up the connection.
func (r *Reset) Close() { _ = r.store.Close() }
