// Package replica rebuilds a database from the mirror's events alone, and tells whether that went as promised: nothing
// lost, nothing out of order, every repeat the same as before.
//
// It is how Banyan is judged, so it shares no code with what it judges but the words of mirror/change. How events
// travel and what disturbs them is package chaos's.
package replica
