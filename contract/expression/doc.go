// Package expression compiles CEL over messages of a contract: their fields by name, and the whole as `request` unless the
// message has a field of that name.
package expression
