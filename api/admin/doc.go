// Package admin is the listener for operators: metrics, probes, the mirror's status, and the admin API, by which people
// see and command the migration of capabilities (proto/banyan/admin/v1, docs/admin.md).
//
// It owns what is on the wire and who may reach it; what a command does is control.Operator's. It has no authentication
// yet, which is why the config keeps it on loopback, and why requests that a web page could make are refused.
package admin
