// Package proto is Banyan's own API, as .proto files with the Go code that is generated from them beside them.
//
// It owns what is on the wire; package api/admin answers it, package internal/cli asks.
package proto

//go:generate go run ../internal/generate .
