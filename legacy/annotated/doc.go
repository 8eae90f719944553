// Package annotated reads annotated SQL: plain SQL files whose comment directives say which RPC a group of statements
// answers, where parameters come from and where results go. docs/sql.md is the grammar.
//
// It owns the text: lexing, directives, positions, and the outline of a statement (its clauses). It knows no contract
// and no database; package legacy brings those in.
package annotated
