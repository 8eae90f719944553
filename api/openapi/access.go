package openapi

import (
	"slices"
	"strings"

	"banyan.dev/banyan/contract"
)

// Access says how callers prove who they are, and what they need besides. The zero value says that nobody has to.
type Access struct {
	// Tokens says that access tokens (JWT) are taken, Certificates that client certificates are: either is enough.
	Tokens, Certificates bool
	// CertificateRequired says that nobody connects without a certificate.
	CertificateRequired bool
	// Public tells whether an operation needs no credentials; nil means that all do.
	Public func(*contract.Operation) bool
	// Rules give what else callers of an operation need, all of it; nil means nothing.
	Rules func(*contract.Operation) []Rule
}

// Rule is what callers of an operation need.
type Rule struct {
	// Name is what a refusal names it by.
	Name string
	// Scopes are those that the token has to have, all of them.
	Scopes []string
	// Conditional says that there is a condition besides. What it asks is nobody's business.
	Conditional bool
}

// on tells whether callers have any way to prove who they are.
func (a Access) on() bool { return a.Tokens || a.Certificates }

// The names of the security schemes.
const (
	tokenScheme       = "accessToken"
	certificateScheme = "clientCertificate"
)

type securityScheme struct {
	Type         string `json:"type"`
	Description  string `json:"description,omitempty"`
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
}

// security has the ways in, of which one is enough: the schemes that it takes, with the roles that each needs.
type security []members[[]string]

// schemes describe the ways to prove who calls.
func (a Access) schemes() members[securityScheme] {
	var out members[securityScheme]
	if a.Tokens {
		out = append(out, member[securityScheme]{tokenScheme, securityScheme{
			Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token: a signed JWT, as `Authorization: Bearer …`.",
		}})
	}
	if a.Certificates {
		text := "A client certificate, which the connection shows."
		if a.CertificateRequired {
			text = "A client certificate, which the connection has to show."
		}
		out = append(out, member[securityScheme]{certificateScheme, securityScheme{Type: "mutualTLS", Description: text}})
	}
	return out
}

// ways gives the ways in to operations that need some scopes, or no credentials.
func (a Access) ways(public bool, scopes []string) security {
	var out security
	token := member[[]string]{tokenScheme, append([]string{}, scopes...)}
	certificate := member[[]string]{certificateScheme, []string{}}
	if public {
		open := members[[]string]{}
		if a.CertificateRequired {
			open = append(open, certificate)
		}
		out = append(out, open)
	}
	if a.Tokens {
		way := members[[]string]{token}
		if a.CertificateRequired {
			way = append(way, certificate)
		}
		out = append(out, way)
	}
	// Only tokens have scopes.
	if a.Certificates && (len(scopes) == 0 || !a.Tokens) && (!public || !a.CertificateRequired) {
		out = append(out, members[[]string]{certificate})
	}
	return out
}

// secure says of an operation who may call it, where that isn't what holds for all.
func (a Access) secure(op *contract.Operation, out *operation) {
	if !a.on() {
		return
	}
	if a.Public != nil && a.Public(op) {
		out.Security = a.ways(true, nil)
		out.Description = paragraphs(out.Description, "It needs no credentials; wrong ones are refused.")
		return
	}
	if a.Rules == nil {
		return
	}
	var scopes, conditions []string
	for _, rule := range a.Rules(op) {
		for _, scope := range rule.Scopes {
			if !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
		if rule.Conditional {
			conditions = append(conditions, "`"+rule.Name+"`")
		}
	}
	if len(scopes) > 0 {
		out.Security = a.ways(false, scopes)
		out.Description = paragraphs(out.Description, "The token needs: `"+strings.Join(scopes, "`, `")+"`.")
	}
	if len(conditions) > 0 {
		out.Description = paragraphs(out.Description, "Who may call it depends on "+strings.Join(conditions, ", ")+", which a refusal (403) names.")
	}
}
