// Package volume has no code of its own: its tests take Banyan and the consumer kit, each in a process of its own on real servers,
// through what is large: a transaction of very many entities, one entity that never rests, entities of megabytes, and a
// service that is very many events behind. They look at memory, order and what the service has in the end.
//
// How much of each is a flag: make test takes what fits in half a minute, make volume what the flags' texts say.
package volume
