// Package preflight looks at a live server for everything that would lose or distort changes on their way through the
// binlog: settings, rights, tables, sessions. Each Finding names what is wrong, and the statement that mends it.
//
// docs/preflight.md explains each Topic. The package changes nothing on the server, and keeps nothing open.
package preflight
