// Package rest serves a contract over HTTP and JSON, as its google.api.http rules say (google/api/http.proto; AIP-127),
// by its descriptors: no generated code is needed.
//
// Requests are filled as a generated grpc-gateway does, but nothing that a caller sends is dropped: unknown parameters
// and fields, second values and contradictions are INVALID_ARGUMENT with the field named. Replies are written straight
// from their wire form (package jsonwire). Errors have AIP-193's JSON form. Streams are objects {"result": …}, one a
// line, and {"error": …} at the end when they break.
//
// Rules are matched by a tree of path segments, so that the time to route does not grow with the contract. What it has
// in common with gRPC is package edge's.
package rest
