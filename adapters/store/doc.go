// Package store keeps what Banyan itself has to remember in MySQL or MariaDB: the mirror's position, fenced by epoch and
// leader's term; who leads it; the heartbeat row; the marks that Banyan's own transactions begin with; and the tables for
// all of these.
//
// It fills mirror.Store and mirror.Term. It neither reads a log nor knows what a position means.
//
// Leadership is a lock of GET_LOCK, held by a connection with a short wait_timeout, so that the server itself ends a
// leader that has gone silent. The lock only chooses; what makes a second leader harmless is that each write of the
// position names its term. (GET_LOCK is local to a server: with several writable servers, as in Galera, all processes
// have to be given the same one, or two could lead, of whom only the later one can save.)
package store
