// Package upstream is a new service as a strangler.Backend: calls go to it by gRPC, and their bytes pass through undecoded.
package upstream
