// Package cli is the banyan command: its flags, what it prints, and its exit codes.
//
// It owns the talk with a person or a script; the work is package app's. Exit codes: 0 all is well, 1 the command did
// its work and found faults or failed, 2 the command line was wrong.
package cli
