// Package edge is what the gRPC and the REST server have in common: request ids, the promise that a unary call gives
// one reply, reply limits, panics, malformed requests, and the log of what failed. So the same fault is the same error
// over both.
//
// It does not know how a call arrived. Deadlines' defaults, authentication and limits on running calls are Backends
// that stand around the one it calls.
package edge
