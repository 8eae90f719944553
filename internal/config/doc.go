// Package config reads banyan.yaml: the file that says where a team's contract, SQL and legacy database are, and
// within which limits Banyan serves. docs/config.md lists every key.
//
// It owns the file's form: keys, types, defaults, references to the environment, and what can be judged from the file
// alone. Whether a path holds a contract or a DSN reaches a server is found out by those who use them.
package config
