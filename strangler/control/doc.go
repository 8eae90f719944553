// Package control lets many replicas agree on flags: each says what it has applied, and one of them moves shifts on.
//
// What a shift does next is decided by package shift, a pure function of its state and of what was seen. In here are the
// ports to where flags and replicas are kept, the Agent that every replica runs, the Coordinator that one at a time runs,
// and the Operator through which people command them.
package control
