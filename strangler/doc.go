// Package strangler is the heart: it takes each call of the contract to the side
// that answers it.
//
// It owns the Backend port, which both sides implement and which the edges call,
// the Router between them, the Ledger port in which live writes are kept, the
// Sweeper that brings to an end what was left of them, and the errors that callers
// see (AIP-193). It does not know how a call arrived or what a backend does with it,
// and it decides no stage: flags do. Package shift moves them on, package control
// lets replicas agree about them.
//
// A call walks through Router.Call, Router.read or Router.write, and the table
// in stages.go. A live write walks through the steps in live.go.
package strangler
