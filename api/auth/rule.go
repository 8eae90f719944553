package auth

import (
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/strangler"
)

// Rules are what has to hold for the callers of operations: all that an operation has.
type Rules map[*contract.Operation][]*Rule

// Check says why a caller, who is known, may not call; nil when he may.
func (r Rules) Check(call *strangler.Call) error {
	for _, rule := range r[call.Operation] {
		if err := rule.check(call); err != nil {
			return err
		}
	}
	return nil
}

// Rule is what has to hold for a caller.
type Rule struct {
	// Name is what operators call it.
	Name string
	// Scopes are those that he needs, all of them; none where there are none.
	Scopes []string
	// When has to hold; nil: nothing more does.
	When *expression.Condition
}

// check says why a caller may not do what he asks for; nil when he may.
func (r *Rule) check(call *strangler.Call) error {
	if len(r.Scopes) > 0 {
		granted := scopes(call.Claims)
		for _, needed := range r.Scopes {
			if !slices.Contains(granted, needed) {
				err := r.deny(call, "his token lacks the scope "+needed)
				err.Challenge = realm + `, error="` + insufficientScope + `", scope="` + strings.Join(r.Scopes, " ") + `"`
				return err
			}
		}
	}
	if r.When == nil {
		return nil
	}
	holds, err := r.When.Holds(func() (protoreflect.Message, error) {
		m, err := call.Request.Message()
		if err != nil {
			return nil, malformed{err}
		}
		return m, nil
	}, &expression.Caller{Claims: call.Claims, Client: call.Client, Header: call.Header})
	switch err.(type) { //nolint:errorlint // Holds gives it as it was
	case nil:
	case malformed:
		return strangler.Fail(codes.InvalidArgument, "MALFORMED_REQUEST",
			"the request can't be decoded as its message type; encode it with the contract's current .proto files")
	}
	if err == nil && holds {
		return nil
	}
	// What CEL says may have values of claims in it, so that it is not told anybody, and the log neither.
	why := errFalse
	if err != nil {
		why = errNoAnswer
	}
	return r.deny(call, "the condition does not hold for him").WithCause(why)
}

// Why a condition does not hold, for the log. Values of different kinds are never equal: a claim that is a text is no number.
var (
	errFalse    = errors.New("the condition is false")
	errNoAnswer = errors.New("the condition has no answer: something that it asks for is missing, or of another kind")
)

type malformed struct{ error }

func (r *Rule) deny(call *strangler.Call, why string) *strangler.Error {
	err := strangler.Fail(codes.PermissionDenied, "NOT_ALLOWED", "the caller may not call %s (auth.require.%s): %s; ask for the right, or use another account",
		call.Operation.Name, r.Name, why)
	err.Metadata = map[string]string{"rule": r.Name}
	return err
}

// scopes gives the scopes of a token: a text with blanks between them (RFC 8693, 4.2) or a list, called scope or scp.
func scopes(claims map[string]any) []string {
	var out []string
	for _, name := range []string{"scope", "scp"} {
		switch v := claims[name].(type) {
		case string:
			out = append(out, strings.Fields(v)...)
		case []any:
			for _, one := range v {
				if text, ok := one.(string); ok {
					out = append(out, text)
				}
			}
		}
	}
	return out
}
