package app

import (
	"slices"

	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/strangler"
)

// describe gives what documents tell of a config, but for which operations are served and keep keys.
func describe(cfg *config.Config, p policy, older *versions.Versions) openapi.Options {
	out := openapi.Options{
		KeysKept: cfg.Idempotency.Keep,
		Notice: func(v *contract.Version) edge.Notice {
			n := cfg.Versions[string(v.Package)]
			return noticeOf(&n)
		},
	}
	if cfg.Auth.Off {
		return out
	}
	out.Access = openapi.Access{
		Tokens: cfg.Auth.Tokens.Keys != "", Certificates: cfg.Auth.Certificates.CA != "", CertificateRequired: cfg.Auth.Certificates.Required,
		Public: func(op *contract.Operation) bool { return p.public[op] },
		Rules: func(op *contract.Operation) []openapi.Rule {
			var rules []openapi.Rule
			for ; op != nil; op = older.Translated(op) { // all that answer have to let a caller in
				for _, r := range p.rules[op] {
					rules = append(rules, openapi.Rule{Name: r.Name, Scopes: slices.Clone(r.Scopes), Conditional: r.When != nil})
				}
			}
			return rules
		},
	}
	return out
}

// describeServed gives what this process's documents tell beside the contract.
func (a *App) describeServed() openapi.Options {
	out := describe(a.project.Config, a.project.policy, a.project.versions)
	out.Unserved = func(op *contract.Operation) bool { return !a.project.serves(op) }
	out.Keys = func(op *contract.Operation) bool {
		newest := a.project.answering(op)
		return !newest.Read && !out.Unserved(op) && a.refusesKeys(&strangler.Call{Operation: newest}) == ""
	}
	return out
}

// answering gives the operation that answers another: the newest that it is a translation of, or itself.
func (p *Project) answering(op *contract.Operation) *contract.Operation {
	for newer := p.versions.Translated(op); newer != nil; newer = p.versions.Translated(op) {
		op = newer
	}
	return op
}
