// Package apptest runs an App in tests, as banyan serve does: from files, on a real legacy, with real listeners.
package apptest
