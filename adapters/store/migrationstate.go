package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"banyan.dev/banyan/migrations"
	"banyan.dev/banyan/mirror/change"
)

// sets gives the directories of migrations, in the order in which they are run. Each has a table of its own that counts
// what was done.
func sets() []string { return []string{"control", "ledger"} }

// versionTable gives the name of the table that counts what was done of a set.
func versionTable(set string) string { return "migrations_" + set }

// Migration is one step on the way to Banyan's own tables.
type Migration struct {
	// Set is control or ledger.
	Set string `json:"set"`
	// Version counts from 1 in each set.
	Version uint   `json:"version"`
	Name    string `json:"name"`
}

// Condition is how far the tables of a set are.
type Condition string

// The conditions.
const (
	// Current is: all is there.
	Current Condition = "current"
	// Newer is: made by a newer Banyan, beside which this program can work.
	Newer Condition = "newer"
	// Absent is: nothing is there yet.
	Absent Condition = "absent"
	// Behind is: some migrations are still to be done.
	Behind Condition = "behind"
	// Migrating is: a process is doing them.
	Migrating Condition = "migrating"
	// Interrupted is: a process ended in the middle of one. It can be run again.
	Interrupted Condition = "interrupted"
	// TooNew is: of a later generation than this program knows, or a newer program ended in the middle of a migration.
	TooNew Condition = "too new"
)

// SetState is how far a set is.
type SetState struct {
	Set   string    `json:"set"`
	State Condition `json:"state"`
	// Version is the last migration that was begun, 0 for none; Latest the last that this program knows.
	Version int `json:"version"`
	Latest  int `json:"latest"`
	// Pending are those that Up would run.
	Pending []Migration `json:"pending"`
}

// usable says whether a program may work with the set.
func (s SetState) usable() bool { return s.State == Current || s.State == Newer }

func usable(states []SetState) bool {
	for _, s := range states {
		if !s.usable() {
			return false
		}
	}
	return true
}

// States tells how far each set is, and changes nothing. A *change.StopError says what a person has to do before that can
// be seen.
func States(ctx context.Context, options Options) ([]SetState, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	states, err := o.states(ctx)
	if isNumber(err, noGrant...) {
		return nil, &change.StopError{
			What:  fmt.Sprintf("the account may not see how far Banyan's own tables in `%s` are, or they are not there", o.Schema),
			Fix:   "run `banyan migrate up` as an account that may make them, and then for this one what `banyan grants` prints",
			Cause: err,
		}
	}
	if err != nil {
		return nil, o.notMigrated(ctx, err)
	}
	return states, nil
}

// Check gives a *change.StopError unless all is there that this program needs.
func Check(ctx context.Context, options Options) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	states, err := States(ctx, o)
	if err != nil {
		return err
	}
	if err := o.tooNew(states); err != nil {
		return err
	}
	if usable(states) {
		o.tellNewer(states)
		return nil
	}
	var parts []string
	for _, s := range states {
		if !s.usable() {
			parts = append(parts, fmt.Sprintf("%s is %s (version %d of %d)", s.Set, s.State, s.Version, s.Latest))
		}
	}
	return &change.StopError{
		What: fmt.Sprintf("Banyan's own tables in `%s` are not those that this program needs: %s", o.Schema, strings.Join(parts, ", ")),
		Fix:  "run `banyan migrate up`, as an account that may make them",
	}
}

// states asks the server.
func (o Options) states(ctx context.Context) (states []SetState, err error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	db, err := open(cfg, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var holder sql.NullInt64
	if err := db.QueryRowContext(ctx, "SELECT IS_USED_LOCK(?)", migrationsLock(o.Schema)).Scan(&holder); err != nil {
		return nil, err
	}
	for _, set := range sets() {
		known, err := migrationsOf(set)
		if err != nil {
			return nil, err
		}
		version, dirty := 0, false
		err = db.QueryRowContext(ctx, "SELECT version, dirty FROM "+o.table(versionTable(set))+" LIMIT 1").Scan(&version, &dirty)
		if err != nil && !errors.Is(err, sql.ErrNoRows) && !isNumber(err, noTable...) {
			return nil, err
		}
		state := judgeSet(set, version, dirty, known)
		if holder.Valid && !state.usable() && state.State != TooNew {
			state.State = Migrating
		}
		states = append(states, state)
	}
	return states, nil
}

// judgeSet says what a version means to this program, which knows some migrations.
func judgeSet(set string, version int, dirty bool, known []Migration) SetState {
	s := SetState{Set: set, State: Current, Version: max(version, 0), Pending: []Migration{}}
	if len(known) > 0 {
		s.Latest = int(known[len(known)-1].Version) //nolint:gosec // versions are small
	}
	for _, m := range known {
		if n := int(m.Version); n > s.Version || dirty && n == s.Version { //nolint:gosec // as above
			s.Pending = append(s.Pending, m)
		}
	}
	switch {
	case s.Version > s.Latest && (dirty || s.Version/migrations.PerGeneration > s.Latest/migrations.PerGeneration):
		s.State = TooNew
	case s.Version > s.Latest:
		s.State = Newer
	case dirty:
		s.State = Interrupted
	case s.Version == 0:
		s.State = Absent
	case len(s.Pending) > 0:
		s.State = Behind
	}
	return s
}

// migrationsOf lists a set's migrations, in their order.
func migrationsOf(set string) (all []Migration, err error) {
	files, err := fs.Glob(migrations.Files, set+"/*.up.sql")
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	byVersion := map[uint]Migration{}
	last := uint(0)
	for _, file := range files {
		number, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(file, set+"/"), ".up.sql"), "_")
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("read the embedded migration %s: %w", file, err)
		}
		byVersion[uint(n)] = Migration{Set: set, Version: uint(n), Name: name}
		last = max(last, uint(n))
	}
	for n := range last + 1 {
		if m, ok := byVersion[n]; ok {
			all = append(all, m)
		}
	}
	return all, nil
}

// tooNew tells of tables that this program must not touch.
func (o Options) tooNew(states []SetState) error {
	for _, s := range states {
		if s.State == TooNew {
			return &change.StopError{
				What: fmt.Sprintf("Banyan's own tables in `%s` are of a newer Banyan: set %s has version %d, this program knows %d, and can't work with those", o.Schema, s.Set, s.Version, s.Latest),
				Fix:  "run the newer program, whose `banyan migrate up` also ends what it has begun",
			}
		}
	}
	return nil
}

// tellNewer logs what a person may wonder about later.
func (o Options) tellNewer(states []SetState) {
	for _, s := range states {
		if s.State == Newer {
			o.Logger.Info("Banyan's own tables are of a newer Banyan, and have all that this one needs", "schema", o.Schema, "set", s.Set, "version", s.Version, "known", s.Latest)
		}
	}
}
