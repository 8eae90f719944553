// Package backfill has the words for sending what was there before: jobs, each of one table or entity, in the order in which
// they were asked for, and the port of the book that keeps them.
//
// Who leads a mirror does its jobs, beside the live stream; see package mirror.
package backfill
