// Package notesv1 has the notes example's contract as Go code, for services and tests in Go.
package notesv1

//go:generate go run ../../../internal/generate -gateway=false -below notes/v1 -package banyan.dev/banyan/examples/notes/notesv1 ../contract
