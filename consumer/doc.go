// Package consumer is the kit for new services: what a service needs to be fed by Banyan, to take live writes from it, and to
// be moved to and back safely. docs/consuming.md says the same for other languages.
//
// A service brings a database and two things that it does in it:
//
//   - Apply makes its tables equal the state of an entity that an event tells. Run takes the events of the service's queue
//     and calls it, once for each newer state, in the order of commits, inside the transaction that keeps the state's version.
//   - The body of a write, given to Store.Write, which runs it in the transaction that keeps the write's id and reply.
//
// The Store keeps beside the service's own tables what makes both safe to repeat: the version of each entity that legacy has
// told, whether the service has written it itself since, the epoch of each capability, the writes of the last days, and the
// events that could not be applied. All of it commits with the service's own rows, so neither a crash nor a second delivery
// can separate them.
//
// What it promises to Banyan:
//
//   - An event is acknowledged only after its transaction is committed. An event that comes again changes nothing,
//     not even when it comes from the log of another server, with a greater version.
//   - An event that can't be applied is tried again in place, then parked with all later events of its key; those of other keys
//     go on. Nothing is put back into the queue, because that would reorder it.
//   - Its queues are shared evenly among its processes. None of that, nor more queues (Options.Queues), lets a fence overtake
//     what was sent before it.
//   - A foreign change of an entity that the service has written itself is a conflict. It is parked, not applied. Once Banyan
//     tells that all keys are legacy's again, what was written before is the service's own no longer.
//   - A fence is answered once all before it is committed. A write of an older epoch is refused from then on, in the write's
//     own transaction.
//   - A write whose id is known gets the reply that it had.
//
// The database is SQLite, MySQL (or MariaDB) or PostgreSQL, by the driver that the service chooses (StoreOptions.Dialect). What
// it is asked stands in one place, with why that is safe there. RegisterAdmin serves what people need to see and to settle parked events,
// and Store.Stats gives numbers for the service's own metrics. The package knows nothing of the contract: entities are
// protobuf's JSON or bytes, which Message reads into the service's own generated code.
package consumer
