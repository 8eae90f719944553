// Package contract is the API that clients see: versions (proto packages),
// services, operations and their HTTP rules, read from .proto files at start.
//
// It owns the descriptors and the carrying of messages (Payload). It knows
// nothing of SQL, of backends, or of how requests arrive.
package contract
