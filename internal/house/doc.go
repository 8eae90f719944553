// Package house holds the rules of the house, and a test that holds the house to them.
//
// They are what no compiler or linter says: which way imports go, who may use
// which library, that packages are explained, files small and names telling.
// Each rule has its reason, which stands in what it finds.
//
// Not in here: what golangci-lint knows (see .golangci.yml).
package house
