// Package upstream is the modern side: it answers calls of the contract by a gRPC service that implements it, and is a
// [strangler.Backend].
//
// Messages pass through as bytes. What the service says of a call, its caller is told as it is, with reason, violations
// and retry hint. What the service has not said itself, but gRPC makes up where a connection is lost, a deadline passes
// or an answer can't be taken, gets codes of its own that say nothing of what has happened: a write must never count as
// refused because its answer was lost. Which of both it is, is not told by the code, but by whether the service's
// trailers have arrived (see heard).
//
// It owns the connections: load over several addresses, retries of reads, and the service's health. It does not own what
// becomes of a write whose outcome is unknown; package strangler asks again.
package upstream
