// Package adminv1 is the admin API on the wire: what is generated from admin.proto, and names that it has over HTTP.
package adminv1

// What of the API over HTTP the .proto file can't declare.
const (
	// WhoHeader names who gives a command, such as ada@laptop.
	WhoHeader = "X-Banyan-Who"
	// TimeoutHeader says how long the caller waits, as gRPC writes it: 500m is 500 ms.
	TimeoutHeader = "Grpc-Timeout"
	// ReasonNoCapabilities is the ErrorInfo's reason where there is nothing to see or command.
	ReasonNoCapabilities = "NO_CAPABILITIES"
	// ReasonNoFacade is the reason where the process that is asked does not serve the contract.
	ReasonNoFacade = "NO_FACADE"
	// ReasonNoMirror is the reason where the process that is asked runs no mirror.
	ReasonNoMirror = "NO_MIRROR"
)
