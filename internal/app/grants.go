package app

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
)

// GrantOptions say for whom grants are.
type GrantOptions struct {
	// Roles are what the account is used for; none stands for what serve does by default.
	Roles []Role
	// Account is who gets them, as user@host; empty for the account of legacy.dsn.
	Account string
	// Server is mariadb or mysql, and the live one is not asked; empty: it is.
	Server string
}

// Grants are what an account needs to be given.
type Grants struct {
	Account string `json:"account"`
	Roles   []Role `json:"roles"`
	// Server is mariadb or mysql. Live says that it was asked: what only it knows is then known.
	Server string  `json:"server"`
	Live   bool    `json:"live"`
	Grants []Grant `json:"grants"`
	// Optional are rights by which `banyan check --live` sees more.
	Optional []Grant  `json:"optional"`
	Notes    []string `json:"notes"`
}

// Grant is privileges on one thing.
type Grant struct {
	Privileges []string `json:"privileges"`
	// On is what GRANT names behind ON, such as `shop`.`orders`.
	On string `json:"on"`
	// For says what needs them.
	For []string `json:"for"`
	// Statement is the GRANT.
	Statement string `json:"statement"`
}

// What needs a right.
const (
	forSQL     = "SQL"
	forTables  = "Banyan's own tables"
	forMirror  = "the mirror"
	forCheck   = "check --live"
	forMigrate = "Banyan's own tables, and making them"
	forLogin   = "logging in with the schema of legacy.dsn"
)

// Grants computes the least that an account needs for its roles. The project has no faults.
func (p *Project) Grants(ctx context.Context, o GrantOptions) (Grants, error) {
	out := Grants{Roles: o.Roles, Server: o.Server, Grants: []Grant{}, Optional: []Grant{}, Notes: []string{}}
	if len(out.Roles) == 0 {
		out.Roles = p.usualRoles()
	}
	g := &granting{project: p, roles: out.Roles, account: o.Account, schema: newScope(p.Config).schema}
	if o.Server == "" {
		if err := g.ask(ctx); err != nil {
			return out, fmt.Errorf("the legacy can't be asked (%w): let legacy.dsn name an account that may log in, or say --server mariadb or --server mysql", cause(err))
		}
		out.Server, out.Live = g.server(), true
	} else {
		g.mariadb = o.Server == "mariadb"
		g.notes = append(g.notes, "the server was not asked: stored functions that are named without their schema, and what views and routines with SQL SECURITY INVOKER do, are not known")
	}
	if err := g.collect(); err != nil {
		return out, err
	}
	account, err := parseAccount(g.account)
	if err != nil {
		return out, err
	}
	out.Account = account
	out.Grants, out.Optional = g.needs.list(account), g.sees.list(account)
	out.Notes = append(out.Notes, g.notes...)
	return out, nil
}

// usualRoles gives what serve does by default.
func (p *Project) usualRoles() []Role {
	roles := []Role{RoleFacade}
	if p.Config.MirrorOn() {
		roles = append(roles, RoleMirror)
	}
	if p.Config.Ledger.Migrate && p.keepsTables() {
		roles = append(roles, RoleMigrate)
	}
	return roles
}

// granting computes grants.
type granting struct {
	project *Project
	roles   []Role
	account string
	schema  string // of the DSN
	mariadb bool
	catalog *legacy.Catalog
	// scope are the schemas that the mirror sees.
	scope []string

	needs, sees needs
	notes       []string
}

func (g *granting) server() string {
	if g.mariadb {
		return "mariadb"
	}
	return "mysql"
}

func (g *granting) has(role Role) bool { return slices.Contains(g.roles, role) }

// ask asks the live server what it is, who is asking, and what it has.
func (g *granting) ask(ctx context.Context) error {
	p := g.project
	conns, err := pool.Open(poolOptions(p.Config, slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	defer conns.Close()
	if g.catalog, err = legacy.ReadCatalog(ctx, conns); err != nil {
		return err
	}
	server, _ := conns.Server() // it has been asked
	g.mariadb = server.MariaDB
	if err := p.takeNames(ctx, conns); err != nil {
		return err
	}
	if g.account == "" {
		if g.account, err = currentUser(ctx, conns); err != nil {
			return err
		}
	}
	if g.scope = newScope(p.Config).schemas(); g.scope != nil {
		return nil
	}
	names, err := readNames(ctx, conns, newScope(p.Config).tables, false)
	if err != nil {
		return err
	}
	for _, name := range names {
		if newScope(p.Config).has(name[0], name[1]) && !slices.Contains(g.scope, name[0]) {
			g.scope = append(g.scope, name[0])
		}
	}
	g.notes = append(g.notes, "mirror.tables has globs for schemas: those that have tables in scope now are granted; run this again when there are others")
	return nil
}

// currentUser gives the account that asks, as user@host.
func currentUser(ctx context.Context, conns *pool.Pool) (account string, err error) {
	conn, err := conns.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, "SELECT CURRENT_USER()", nil)
	if err != nil {
		return "", err
	}
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if text, ok := row[0].([]byte); ok {
		account = string(text)
	}
	return account, rows.Close()
}

// collect adds what each role needs.
func (g *granting) collect() error {
	p := g.project
	if g.has(RoleFacade) {
		g.addSQL(legacy.AccessOptions{})
	}
	if g.has(RoleMirror) && p.Config.MirrorOn() {
		if told := p.told(); len(told) > 0 {
			g.addSQL(legacy.AccessOptions{Entities: told})
		}
		g.addMirror()
	}
	own, err := p.ownTables(g.roles, g.has(RoleMigrate))
	if err != nil {
		return err
	}
	for _, right := range own {
		why := forTables
		if slices.Contains(right.Privileges, "CREATE") {
			why = forMigrate
		}
		g.needs.add(right, why)
	}
	if (g.has(RoleFacade) || g.has(RoleMirror)) && !g.needs.within(g.schema) {
		// Any privilege will do, and this one lets nothing happen.
		g.needs.add(preflight.Right{Schema: g.schema, Privileges: []string{"REFERENCES"}}, forLogin)
	}
	return nil
}

func (g *granting) addSQL(o legacy.AccessOptions) {
	o.Schema, o.MySQL, o.Catalog = g.schema, !g.mariadb, g.catalog
	needs, notes := g.project.Program.Access(o)
	for _, n := range needs {
		g.needs.addAccess(n, forSQL)
	}
	g.note(notes...)
}

func (g *granting) addMirror() {
	if g.scope == nil {
		if g.scope = newScope(g.project.Config).schemas(); g.scope == nil {
			g.note("mirror.tables has globs for schemas, which only the live server can tell: grant SELECT on each of them, on MariaDB REFERENCES, too")
		}
	}
	must, may := preflight.Needs(g.mariadb, g.scope)
	for _, right := range must {
		g.needs.add(right, forMirror)
	}
	for _, right := range may {
		g.sees.add(right, forCheck)
	}
}

func (g *granting) note(notes ...string) {
	for _, n := range notes {
		if !slices.Contains(g.notes, n) {
			g.notes = append(g.notes, n)
		}
	}
}

// ownTables gives what roles need on Banyan's own tables. The account that makes them has its rights on their schema: one
// can't grant what is on a table that is not there yet.
func (p *Project) ownTables(roles []Role, made bool) (rights []preflight.Right, err error) {
	if !p.keepsTables() {
		return nil, nil
	}
	schema := p.Config.Ledger.Schema.String()
	var parts []store.Part
	if slices.Contains(roles, RoleFacade) {
		if p.Config.MirrorOn() {
			parts = append(parts, store.PartWriter)
		}
		if p.keepsKeys() {
			parts = append(parts, store.PartKeys)
		}
		if p.countsCallers() {
			parts = append(parts, store.PartCallers)
		}
		switch {
		case len(p.capabilities) > 0:
			parts = append(parts, store.PartShifts)
		case len(p.Config.ServiceNames()) > 0:
			parts = append(parts, store.PartFences)
		}
	}
	if slices.Contains(roles, RoleMirror) && p.Config.MirrorOn() {
		parts = append(parts, store.PartMirror)
		if len(p.Config.ServiceNames()) > 0 {
			parts = append(parts, store.PartStreams, store.PartAnnouncer)
		}
	}
	all := preflight.Right{Schema: schema}
	for _, part := range parts {
		for _, r := range store.RightsOf(part) {
			rights = append(rights, preflight.Right{Schema: schema, Table: r.Table, Privileges: r.Privileges})
			all.Privileges = append(all.Privileges, r.Privileges...)
		}
	}
	if !made {
		return rights, nil
	}
	create, err := store.MigrateRights()
	if err != nil {
		return nil, err
	}
	all.Privileges = inOrder(append(all.Privileges, create...))
	return []preflight.Right{all}, nil
}

// ledgerRights gives what the preflight looks for: rights to make the tables only where they are still to be made, by this
// process.
func (p *Project) ledgerRights(ctx context.Context, roles []Role) []preflight.Right {
	states, err := store.States(ctx, storeOptions(p.Config, slog.New(slog.DiscardHandler)))
	there := err == nil && Migrations{Sets: states}.Usable()
	rights, err := p.ownTables(roles, !there && p.Config.Ledger.Migrate)
	if err != nil {
		return nil // a test finds this before anybody meets it
	}
	return rights
}

// parseAccount reads user@host, with quotes or without, and writes it as GRANT wants it. Without a host it is %.
func parseAccount(text string) (string, error) {
	user, host := text, "%"
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		user, host = text[:i], text[i+1:]
	}
	parts := []string{user, host}
	for i, part := range parts {
		if n := len(part); n > 1 && strings.ContainsRune("'`\"", rune(part[0])) && part[n-1] == part[0] {
			part = strings.ReplaceAll(part[1:n-1], part[:1]+part[:1], part[:1])
		}
		parts[i] = part
	}
	if parts[0] == "" || parts[1] == "" || strings.ContainsAny(parts[0]+parts[1], "\x00\n\r") {
		return "", fmt.Errorf("%q is no account: write 'user'@'host'", text)
	}
	return quoteName(parts[0]) + "@" + quoteName(parts[1]), nil
}

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// Text is the grants as SQL, with notes as comments.
func (g Grants) Text() string {
	var b strings.Builder
	words := make([]string, len(g.Roles))
	for i, r := range g.Roles {
		words[i] = string(r)
	}
	how := "not asked"
	if g.Live {
		how = "asked"
	}
	fmt.Fprintf(&b, "-- %s, for %s (%s)\n", strings.Join(words, ", "), map[string]string{"mariadb": "MariaDB", "mysql": "MySQL"}[g.Server], how)
	for _, one := range g.Grants {
		fmt.Fprintf(&b, "%s -- %s\n", one.Statement, strings.Join(one.For, ", "))
	}
	if len(g.Grants) == 0 {
		b.WriteString("-- nothing is needed\n")
	}
	if len(g.Optional) > 0 {
		b.WriteString("-- with these, too, `banyan check --live` sees more:\n")
	}
	for _, one := range g.Optional {
		b.WriteString("-- " + one.Statement + "\n")
	}
	for _, note := range g.Notes {
		b.WriteString("-- note: " + strings.ReplaceAll(note, "\n", " ") + "\n")
	}
	return b.String()
}

// inOrder sorts privileges as people write them, and drops repeats.
func inOrder(privileges []string) []string {
	order := []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "REFERENCES"}
	place := func(p string) int {
		if i := slices.Index(order, p); i >= 0 {
			return i
		}
		return len(order)
	}
	sorted := slices.Clone(privileges)
	slices.SortFunc(sorted, func(a, b string) int { return cmp.Or(place(a)-place(b), strings.Compare(a, b)) })
	return slices.Compact(sorted)
}
