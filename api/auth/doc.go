// Package auth finds out who calls, over REST and gRPC alike, and refuses who may not: it is a strangler.Backend around
// another. A caller proves who he is by an access token (a JWT in the header Authorization, RFC 6750 and RFC 9068), by a
// client certificate that the transport has verified, or by both.
//
// It owns tokens, the keys that they are signed with, what certificates say of their owners, and the conditions on claims.
// It does not own TLS, which is package certs', nor the listeners; what is not a call of the contract (probes, health,
// reflection) doesn't come here.
//
// No token, key or value of a claim is in its errors and logs, but for the one claim that names the client.
package auth
