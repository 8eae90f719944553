// Package protocol has the words that Banyan and a new service say to each other: names of headers and metadata, the types
// of messages, and their bodies. It is a leaf: services build on it through package consumer, Banyan through its adapters.
package protocol
