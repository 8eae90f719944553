// Package grpc serves a contract over gRPC, by its descriptors: no generated code is needed. Requests come to the
// Backend as the bytes that arrived, and replies leave as the bytes that it gives.
//
// It owns the listener's protocol: streams, health (grpc.health.v1), reflection of the team's services, keepalive and
// draining. What it has in common with REST is package edge's.
package grpc
