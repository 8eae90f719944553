// Package expression compiles CEL over messages of a contract: their fields by name, and the whole as `request` unless the
// message has a field of that name. Where a caller is known, expressions can ask for his claims and headers, too.
package expression
