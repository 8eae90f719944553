// Package admin is the listener for operators: metrics and probes now, the console and admin API later.
//
// It has no authentication yet, which is why the config keeps it on loopback.
package admin
