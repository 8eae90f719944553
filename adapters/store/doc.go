// Package store keeps what Banyan itself has to remember in MySQL or MariaDB: the mirror's position, fenced by epoch and
// leader's term; who leads it; the heartbeat row; the marks that Banyan's own transactions begin with; flags, the replicas
// that act on them, and what people did with them; the coordinator's part of the ledger of live writes; and the tables for
// all of these.
//
// It fills mirror.Store and mirror.Term, and control.Store, control.Membership and control.Ledger. It neither reads a log nor
// knows what a position, a flag or a shift means. Control (the control store) and Ledger (on the legacy's server) know nothing
// of each other: they can be on different servers.
//
// Leadership is a lock of GET_LOCK, held by a connection with a short wait_timeout, so that the server itself ends a
// leader that has gone silent. The lock only chooses; what makes a second leader harmless is that each write of the
// position names its term, and each change of a flag the revision that it replaces. (GET_LOCK is local to a server: with
// several writable servers, as in Galera, all processes have to be given the same one, or two could lead, of whom only the
// later one can save.)
//
// Changes of flags are numbered in one row, which each of them locks until it is committed. So a replica asks for what is
// behind the last number that it knows, in one query over an index, some 40 times a second, and misses nothing. That a
// replica is silent is measured by the server's clock alone, which must not jump ahead: a replica's reads are fenced by
// time. Its writes are not: they are fenced by their marks.
package store
