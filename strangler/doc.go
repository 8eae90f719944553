// Package strangler is the heart: it takes each call of the contract to the side
// that answers it.
//
// It owns the Backend port, which both sides implement and which the edges call,
// the Router between them, and the errors that callers see (AIP-193). It does not
// know how a call arrived or what a backend does with it.
package strangler
