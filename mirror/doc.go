// Package mirror sends every change of the legacy database to a broker: it reads transactions from a change.Source, makes
// events of them, gives these to a change.Sink, and saves the position once all before it is confirmed.
//
// A Mirror can also be the stream of one service: then it makes no events of rows, but reads, through Entities, the entities
// of the contract that a transaction has changed, and sends these, and fences.
//
// One process leads at a time; others wait to take over. Whatever fails, the leader begins again at the saved position, so
// that events may come twice, with the same ids and versions, but none is lost.
//
// How logs are read, events travel and positions are kept is the adapters' work.
package mirror
