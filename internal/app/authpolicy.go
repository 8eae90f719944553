package app

import (
	"context"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/certs"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
)

// policy is what the config says of who may call what, bound to the contract.
type policy struct {
	public map[*contract.Operation]bool
	rules  auth.Rules
}

// policyBinder binds it.
type policyBinder struct {
	cfg      *config.Config
	contract *contract.Contract
	// newer gives the operation that answers an older one; nil where it is no translation.
	newer  func(*contract.Operation) *contract.Operation
	policy policy
	faults fault.List
}

// bindPolicy binds who may call what, and reports all that is wrong with it.
func bindPolicy(cfg *config.Config, c *contract.Contract, older *versions.Versions) (policy, fault.List) {
	b := &policyBinder{cfg: cfg, contract: c, newer: older.Translated, policy: policy{public: map[*contract.Operation]bool{}, rules: auth.Rules{}}}
	for i, pattern := range cfg.Auth.Public {
		for _, op := range b.match(config.Indexed("auth.public", i), pattern) {
			b.policy.public[op] = true
		}
	}
	if n := len(c.Operations()); n > 0 && len(b.policy.public) == n {
		b.faults.Warn(cfg.Pos("auth.public"), "name the operations that need no credentials; where that is all of them, say so: `auth: {off: true}`",
			"every operation is public: whoever reaches the listeners may do everything")
	}
	names := cfg.RequirementNames()
	if len(names) == 0 {
		return b.policy, b.faults
	}
	var files []protoreflect.FileDescriptor
	for _, op := range c.Operations() {
		files = append(files, op.Descriptor.ParentFile())
	}
	compiler, err := expression.NewCompiler(files)
	if err != nil {
		b.faults.Add(cfg.Pos("auth.require"), "", "the contract can't be used in CEL: %v", err)
		return b.policy, b.faults
	}
	for _, name := range names {
		b.requirement(compiler, name)
	}
	return b.policy, b.faults
}

// match gives the operations that match a pattern.
func (b *policyBinder) match(at, pattern string) []*contract.Operation {
	var out []*contract.Operation
	for _, op := range b.contract.Operations() {
		if ok, err := path.Match(pattern, string(op.Name)); err == nil && ok {
			out = append(out, op)
		}
	}
	if len(out) == 0 {
		b.faults.Add(b.cfg.Pos(at), "write package.Service.Method, or package.Service.* for all of a service", "the contract has no operation %s", pattern)
	}
	return out
}

// publicly names the public operations that an operation answers: itself, and older ones that are translations of it.
func (b *policyBinder) publicly(op *contract.Operation) []string {
	var out []string
	for _, public := range b.contract.Operations() {
		if !b.policy.public[public] {
			continue
		}
		for at := public; at != nil; at = b.newer(at) {
			if at == op {
				out = append(out, string(public.Name))
			}
		}
	}
	return out
}

// requirement makes a rule for each of its operations: their requests differ.
func (b *policyBinder) requirement(compiler *expression.Compiler, name string) {
	r, at := b.cfg.Auth.Require[name], "auth.require."+name
	for i, scope := range r.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
			b.faults.Add(b.cfg.Pos(config.Indexed(at+".scopes", i)), "write one scope, without blanks and quotes (RFC 6749, 3.3)", "this is no scope")
		}
	}
	wrong := map[string]bool{} // what CEL says of several requests is told once
	for i, pattern := range r.Operations {
		key := config.Indexed(at+".operations", i)
		for _, op := range b.match(key, pattern) {
			for _, public := range b.publicly(op) {
				b.faults.Add(b.cfg.Pos(key), "leave it out of auth.public or of here", "%s is public, and its callers need something", public)
			}
			if slices.ContainsFunc(b.policy.rules[op], func(known *auth.Rule) bool { return known.Name == name }) {
				continue
			}
			rule := &auth.Rule{Name: name, Scopes: r.Scopes}
			if r.When != "" {
				var said string
				if rule.When, said = condition(compiler, op, r.When); said != "" && !wrong[said] {
					wrong[said] = true
					b.faults.Add(b.cfg.Pos(at+".when"), "write a CEL condition over claims, client, headers and request", "%s.when, for %s: %s", at, op.Name, said)
				}
			}
			b.policy.rules[op] = append(b.policy.rules[op], rule)
		}
	}
}

func condition(compiler *expression.Compiler, op *contract.Operation, src string) (c *expression.Condition, wrong string) {
	c, issues, err := compiler.CompileCondition(op.Input, src)
	switch {
	case issues != nil:
		return nil, firstIssue(issues)
	case err != nil:
		return nil, err.Error()
	}
	return c, ""
}

// checkIdentityFiles finds what is wrong with the files that the config names for TLS and for callers.
func checkIdentityFiles(ctx context.Context, cfg *config.Config) fault.List {
	var faults fault.List
	for name, files := range map[string]certs.Files{"listen.tls": facadeFiles(cfg), "listen.admin_tls": adminFiles(cfg)} {
		if files.Certificate == "" || files.Key == "" {
			continue
		}
		if _, err := certs.Open(files, nil); err != nil {
			faults.Add(cfg.Pos(name), "give it PEM files that go together; paths are relative to the config file", "%s: %v", name, err)
		}
	}
	t := cfg.Auth.Tokens
	for i, name := range t.Algorithms {
		if !slices.Contains(auth.Algorithms(), name) {
			faults.Add(cfg.Pos(config.Indexed("auth.tokens.algorithms", i)), "use some of "+strings.Join(auth.Algorithms(), ", "),
				"%s is not taken: it is unknown, or who can verify a token by it can make one", name)
		}
	}
	if t.KeysCA != "" {
		if _, err := authorities(t.KeysCA); err != nil {
			faults.Add(cfg.Pos("auth.tokens.keys_ca"), "name a PEM file of certificates", "auth.tokens.keys_ca: %v", err)
		}
	}
	if file := cfg.TokenKeysFile(); file != "" {
		faults.Append(checkKeys(ctx, cfg, auth.FileSource(file)))
	}
	return faults
}

// checkKeys finds what is wrong with an issuer's keys.
func checkKeys(ctx context.Context, cfg *config.Config, source func(context.Context) ([]byte, error)) fault.List {
	var faults fault.List
	at := cfg.Pos("auth.tokens.keys")
	text, err := source(ctx)
	if err != nil {
		faults.Add(at, "name the issuer's JWK Set: a file, or its URL", "the keys of access tokens can't be had: %v", err)
		return faults
	}
	remarks, err := auth.CheckKeys(text)
	for _, remark := range remarks {
		faults.Warn(at, "tell the issuer's operators", "%s", remark)
	}
	if err != nil {
		faults.Add(at, "name the issuer's JWK Set: a file, or its URL", "the keys of access tokens: %v", err)
	}
	return faults
}

// checkIssuer asks an issuer for its keys.
func (p *Project) checkIssuer(ctx context.Context) fault.List {
	if p.Config.Auth.Tokens.Keys.URL() == "" {
		return fault.List{} // a file was read already
	}
	source, free, err := keySource(p.Config)
	if err != nil {
		return fault.List{} // reported already
	}
	defer free()
	ctx, cancel := context.WithTimeout(ctx, auth.FetchTimeout)
	defer cancel()
	return checkKeys(ctx, p.Config, source)
}

func facadeFiles(cfg *config.Config) certs.Files {
	c := cfg.Auth.Certificates
	return certs.Files{Certificate: cfg.Listen.TLS.Certificate, Key: cfg.Listen.TLS.Key, ClientCA: c.CA, RequireClient: c.Required}
}

func adminFiles(cfg *config.Config) certs.Files {
	t := cfg.Listen.AdminTLS
	return certs.Files{Certificate: t.Certificate, Key: t.Key, ClientCA: t.ClientCA, RequireClient: t.ClientCA != ""}
}
