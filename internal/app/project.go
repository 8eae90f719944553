package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror/change"
)

// Project is what a team brings: config, contract and SQL, bound to each other.
type Project struct {
	Config   *config.Config
	Contract *contract.Contract
	Program  *legacy.Program

	began        time.Time // when loading began
	lower        bool      // the server makes names of schemas and tables lower case, and Config has them so
	capabilities []*capability
	entities     toldEntities
	versions     *versions.Versions
	policy       policy
	timings      []any // how long each phase of loading took, as slog attributes
}

// Load reads the config file and all that it names, and reports everything that is wrong with any of it at once, as far
// as that can be known without the legacy. A Project with faults.Failed() is not to be run; its Config is always there.
func Load(ctx context.Context, file string, lookup config.Lookup) (*Project, fault.List) {
	p := &Project{began: time.Now()}
	var faults fault.List
	p.phase("config", func() {
		cfg, found := config.Load(file, lookup)
		faults.Append(found)
		p.Config = cfg
	})
	p.phase("contract", func() {
		if len(p.Config.Contract.Paths) == 0 {
			return // a fault of the config's
		}
		c, found := loadContract(ctx, p.Config)
		faults.Append(found)
		p.Contract = c
		faults.Append(checkPaths(c))
	})
	p.phase("versions", func() {
		if p.Contract == nil {
			return
		}
		bound, found := bindVersions(p.Config, p.Contract)
		faults.Append(found)
		p.versions = bound
	})
	sound := false // nothing is wrong with SQL
	p.phase("sql", func() {
		files, found := readSQL(p.Config)
		faults.Append(found)
		if p.Contract == nil || len(files) == 0 {
			return // without either, all that could be said is that nothing fits
		}
		faults.Append(checkUnserved(p.Config, p.Contract))
		program, bound := legacy.Compile(p.Contract, files, compileOptions(p.Config, p.versions))
		sound = !found.Failed() && !bound.Failed()
		faults.Append(bound)
		p.Program = program
	})
	p.phase("capabilities", func() {
		if p.Contract == nil {
			return
		}
		bound, told, found := bindCapabilities(p.Config, p.Contract, p.versions)
		faults.Append(found)
		p.capabilities, p.entities = bound, told
		if sound {
			faults.Append(p.checkToldEntities())
		}
	})
	p.phase("auth", func() {
		faults.Append(checkIdentityFiles(ctx, p.Config))
		if p.Contract == nil {
			return
		}
		bound, found := bindPolicy(p.Config, p.Contract, p.versions)
		faults.Append(found)
		p.policy = bound
	})
	if p.Config.Legacy.DSN.Reveal() != "" {
		if conns, err := pool.Open(poolOptions(p.Config, slog.New(slog.DiscardHandler))); err != nil {
			faults.Add(p.Config.Pos("legacy.dsn"), "docs/config.md shows one", "%v", err)
		} else {
			conns.Close()
		}
	}
	return p, faults
}

// Verify holds the project against the live legacy. That it can't be reached is a fault, too.
// roles are those of the process that the account is for.
func (p *Project) Verify(ctx context.Context, roles []Role) fault.List {
	conns, err := pool.Open(poolOptions(p.Config, slog.New(slog.DiscardHandler)))
	if err != nil {
		var faults fault.List
		faults.Add(p.Config.Pos("legacy.dsn"), "docs/config.md shows one", "%v", err)
		return faults
	}
	defer conns.Close()
	faults, _ := p.verify(ctx, conns, roles) // what could not be asked is among them
	if p.Config.MirrorOn() && slices.Contains(roles, RoleMirror) {
		faults.Append(p.checkBroker(ctx))
	}
	faults.Append(p.checkIssuer(ctx))
	return faults
}

// checkBroker finds what would stop the mirror at its broker. A process that serves doesn't ask: a broker that is down is
// waited for beside.
func (p *Project) checkBroker(ctx context.Context) fault.List {
	var faults fault.List
	at := p.Config.Pos("broker.url")
	sink, err := rabbitmq.NewSink(sinkOptions(p.Config, slog.New(slog.DiscardHandler)))
	if err != nil {
		faults.Add(at, "docs/config.md shows how to write it", "%v", err)
		return faults
	}
	if err := sink.Check(ctx); err != nil {
		if stop := change.Stops(err); stop != nil {
			faults.Add(at, stop.Fix, "%s", stop.What)
		} else {
			faults.Add(at, "start it, or check the address", "the broker can't be asked: %v", err)
		}
	}
	return faults
}

// verify holds what the roles need against the live legacy. The error says that it could not be asked, which is among the
// faults, too, and may pass.
func (p *Project) verify(ctx context.Context, conns *pool.Pool, roles []Role) (faults fault.List, unasked error) {
	verify := p.Program.Verify
	if !slices.Contains(roles, RoleFacade) { // services are told of what SQL reads, too
		verify = func(ctx context.Context, conns *pool.Pool) (fault.List, error) {
			return p.Program.VerifyEvents(ctx, conns, p.told())
		}
	}
	if slices.Contains(roles, RoleFacade) || len(p.told()) > 0 {
		found, err := p.verifySQL(ctx, conns, verify)
		faults.Append(found)
		unasked = err
	}
	if p.Config.MirrorOn() {
		found, err := p.preflight(ctx, conns, roles)
		faults.Append(found)
		unasked = errors.Join(unasked, err)
	}
	return faults, unasked
}

// preflight finds what in the live legacy would lose or distort the mirror's changes. It concerns processes without the
// mirror, too: their writes are among the changes.
func (p *Project) preflight(ctx context.Context, conns *pool.Pool, roles []Role) (faults fault.List, unasked error) {
	at := p.Config.Pos("mirror")
	if at.Line == 0 {
		at = p.Config.Pos("broker.url")
	}
	if err := p.takeNames(ctx, conns); err != nil {
		faults.Add(p.Config.Pos("legacy.dsn"), "start it, or check the account", "the legacy can't be asked about the mirror: %v", cause(err))
		return faults, cause(err)
	}
	tables := newScope(p.Config)
	found, err := preflight.Check(ctx, preflight.Options{
		DSN: p.Config.Legacy.DSN.Reveal(), Schema: tables.ledger, Schemas: tables.schemas(), Scope: tables.has,
		Ledger: p.ledgerRights(ctx, roles), Writes: !slices.Contains(roles, RoleMirror),
	})
	if err != nil {
		faults.Add(p.Config.Pos("legacy.dsn"), "start it, or check the account", "the legacy can't be asked about the mirror: %v", err)
		unasked = err
	}
	for _, f := range found {
		tell := faults.Add
		switch f.Severity {
		case preflight.Warning:
			tell = faults.Warn
		case preflight.Note:
			tell = faults.Note
		}
		tell(at, strings.ReplaceAll(strings.TrimSpace(f.Mend), "\n", " "), "%s [%s]", f.What, f.Topic)
	}
	if !slices.Contains(roles, RoleMirror) {
		return faults, unasked // of the scope it need not see anything
	}
	missed, err := p.unmatched(ctx, conns)
	if err != nil {
		faults.Warn(at, "", "which of the mirror's globs match nothing can't be seen: %v", cause(err))
	}
	faults.Append(missed)
	return faults, unasked
}

func (p *Project) verifySQL(ctx context.Context, conns *pool.Pool, verify func(context.Context, *pool.Pool) (fault.List, error)) (faults fault.List, unasked error) {
	faults, err := verify(ctx, conns)
	if err != nil {
		fix := pool.Misconfigured(err)
		if fix == "" {
			fix = "start it, or check the address"
			unasked = cause(err)
		}
		faults.Add(p.Config.Pos("legacy.dsn"), fix, "the legacy can't be asked: %v", cause(err))
	}
	faults.Append(p.unkept())
	if apart, err := ownZone(ctx, conns); err == nil && apart != "" {
		faults.Warn(p.Config.Pos("legacy.time_zone"), "set legacy.time_zone to the zone that the old application writes DATETIME columns in, if that is another",
			"DATETIME columns are read and written as times of %s, and the server's own zone is %s apart", p.Config.Legacy.TimeZone, apart)
	}
	return faults, unasked
}

// phase runs a part of loading and remembers how long it took.
func (p *Project) phase(name string, run func()) {
	start := time.Now()
	run()
	p.timings = append(p.timings, name, time.Since(start).Round(time.Microsecond).String())
}

func loadContract(ctx context.Context, cfg *config.Config) (*contract.Contract, fault.List) {
	roots := make([]contract.Root, len(cfg.Contract.Paths))
	for i, dir := range cfg.Contract.Paths {
		roots[i] = contract.Dir(dir, "")
	}
	return contract.Load(ctx, roots)
}

func readSQL(cfg *config.Config) ([]*annotated.File, fault.List) {
	if len(cfg.SQL) == 0 {
		return nil, fault.List{} // a fault of the config's
	}
	names, faults := cfg.SQLFiles()
	var files []*annotated.File
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			faults.Add(fault.Pos{File: name}, "", "can't read the SQL: %v", err)
			continue
		}
		file, found := annotated.Parse(name, text)
		faults.Append(found)
		files = append(files, file)
	}
	return files, faults
}

// checkUnserved finds entries of contract.unserved that name nothing.
func checkUnserved(cfg *config.Config, c *contract.Contract) fault.List {
	var faults fault.List
	for i, pattern := range cfg.Contract.Unserved {
		key, matched := config.Indexed("contract.unserved", i), false
		for _, op := range c.Operations() {
			ok, err := path.Match(pattern, string(op.Name))
			matched = matched || ok && err == nil
		}
		if !matched {
			faults.Add(cfg.Pos(key), "write package.Service.Method, or package.Service.* for all of a service", "the contract has no operation %s", pattern)
		}
	}
	return faults
}

// probePaths are served by Banyan itself beside the contract's.
func probePaths() []string { return []string{"/livez", "/readyz"} }

// checkPaths finds rules that the probes would hide.
func checkPaths(c *contract.Contract) fault.List {
	var faults fault.List
	if c == nil {
		return faults
	}
	for _, op := range c.Operations() {
		for _, r := range op.Rules {
			if slices.Contains(probePaths(), r.Template) {
				faults.Add(op.Pos, "choose another path", "%s is bound to %s, which Banyan answers itself", op.Name, r.Template)
			}
		}
	}
	return faults
}

func compileOptions(cfg *config.Config, older *versions.Versions) legacy.Options {
	return legacy.Options{
		Zone:       cfg.Legacy.TimeZone.Location,
		Paging:     legacy.Paging{DefaultSize: cfg.Paging.DefaultSize, MaxSize: cfg.Paging.MaxSize, Keys: reveal(cfg.Paging.Keys)},
		Unserved:   cfg.Contract.Unserved,
		Translated: older.Translated,
	}
}

func poolOptions(cfg *config.Config, logger *slog.Logger) pool.Options {
	l := cfg.Legacy
	queue := l.Pool.MaxQueue
	if queue == 0 {
		queue = -1 // the pool takes 0 for its default
	}
	return pool.Options{
		DSN: l.DSN.Reveal(), TimeZone: l.TimeZone.Name,
		MaxOpen: l.Pool.MaxOpen, MaxQueue: queue, QueueTimeout: l.Pool.QueueTimeout, MaxIdleTime: l.Pool.MaxIdleTime,
		ConnectTimeout: l.ConnectTimeout, Logger: logger,
	}
}

func reveal(secrets []config.Secret) []string {
	out := make([]string, len(secrets))
	for i, s := range secrets {
		out[i] = s.Reveal()
	}
	return out
}
