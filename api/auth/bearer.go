package auth

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// maxToken bounds a token, in bytes. Tokens are a few hundred bytes long, those with many groups a few thousand.
const maxToken = 16 << 10

// The errors of RFC 6750, 3.1.
const (
	invalidRequest    = "invalid_request"
	invalidToken      = "invalid_token"
	insufficientScope = "insufficient_scope"
)

// realm begins each challenge, which has to have a parameter (RFC 6750, 3).
const realm = `Bearer realm="banyan"`

// bearer takes the token out of the values of the header Authorization. Other schemes are as good as none.
func bearer(values []string) (token string, given bool, err error) {
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
	default:
		return "", false, challenged(strangler.Fail(codes.InvalidArgument, "AUTHORIZATION_REPEATED",
			"the header authorization is given several times; send one access token"), invalidRequest)
	}
	scheme, token, _ := strings.Cut(strings.TrimLeft(values[0], " "), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return "", false, nil
	}
	token = strings.Trim(token, " ")
	if len(token) > maxToken {
		return "", false, refused("TOKEN_TOO_LARGE", "the access token has %d bytes, more than the limit of %d; ask its issuer for a smaller one", len(token), maxToken)
	}
	return token, true, nil
}

// refused is what a caller is told of a token that can't be taken.
func refused(reason, format string, args ...any) *strangler.Error {
	return challenged(strangler.Fail(codes.Unauthenticated, reason, format, args...), invalidToken)
}

// challenged adds the challenge of RFC 6750. A description may have neither quotes nor backslashes.
func challenged(err *strangler.Error, code string) *strangler.Error {
	description := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, err.Message)
	err.Challenge = fmt.Sprintf(`%s, error="%s", error_description="%s"`, realm, code, description)
	return err
}

// missing is what a caller is told who says nothing of himself.
func (b *Backend) missing() *strangler.Error {
	var how string
	switch {
	case b.opts.Tokens != nil && b.opts.Certificates != nil:
		how = "send an access token in the header authorization (Bearer), or use a client certificate"
	case b.opts.Tokens != nil:
		how = "send an access token in the header authorization (Bearer)"
	default:
		how = "use a client certificate"
	}
	err := strangler.Fail(codes.Unauthenticated, "CREDENTIALS_MISSING", "it is not known who calls; %s", how)
	if b.opts.Tokens != nil {
		err.Challenge = realm
	}
	return err
}
