package conformance

// promises are all that is tried, in an order in which each has what it needs.
func promises() []promise {
	return []promise{
		{
			name: "queues", vital: true, see: "what-to-declare",
			says: "The queues are there, declared as they have to be, and each is consumed",
			do:   "Declare them when the service starts, all N of one number: durable, x-queue-type quorum, x-single-active-consumer true, from RabbitMQ 4 on x-delivery-limit -1, and nothing that drops",
			try:  (*rig).queues,
		},
		{
			name: "bindings", vital: true, see: "what-to-declare",
			says: "Every partition is bound to a queue, and each copy of a fence is answered",
			do:   "Bind partition.00 to partition.63; answer each copy to the message's reply_to through the default exchange, with its correlation_id, and name the copies' partitions",
			try:  (*rig).bindings,
		},
		{
			name: "apply", vital: true, see: "entity-events",
			says: "An event of legacy's is applied before the fence behind it is answered",
			do:   "Make the rows equal data (or proto, with format: protobuf), commit, and only then answer what came behind it",
			try:  (*rig).applied,
		},
		{
			name: "fence-last", see: "fences",
			says: "A fence is answered only once all before it is committed",
			do:   "Take messages of a queue one behind the other: answer a fence when the transactions of all events before it are committed, not when it is received",
			try:  (*rig).fenceLast,
		},
		{
			name: "fence-again", see: "fences",
			says: "A fence that comes again is answered again, and so is one without a capability",
			do:   "Don't remember fences: what they ask for may be repeated; one of epoch 0 without a capability only measures how far the service is behind",
			try:  (*rig).fenceAgain,
		},
		{
			name: "versions", see: "entity-events",
			says: "Only a greater version is news, in whatever order events come",
			do:   "Keep each entity's version, compare it as text, and do nothing with an event whose version is not greater",
			try:  (*rig).byVersion,
		},
		{
			name: "event-ids", see: "entity-events",
			says: "An event that comes again from another log changes nothing, though its version is greater",
			do:   "Keep the id of the last event that was applied; where event is the stored one and the origin is not announce, store the version, and nothing else",
			try:  (*rig).byEvent,
		},
		{
			name: "foreign", see: "entity-events",
			says: "A foreign change is applied where the service has written nothing itself",
			do:   "Treat origin foreign like legacy, unless local_epoch is set",
			try:  (*rig).foreign,
		},
		{
			name: "announce", see: "entity-events",
			says: "An announcement is applied whatever there is, also with an event id that is known",
			do:   "Of origin announce, look at the version only",
			try:  (*rig).announced,
		},
		{
			name: "writeback", see: "entity-events",
			says: "Of a write-back only the version is kept",
			do:   "Of origin writeback store the version, and neither the state nor the event's id: the state is the service's own",
			try:  (*rig).writtenBack,
		},
		{
			name: "tombstones", see: "entity-events",
			says: "A deletion stays, whatever older events come behind it, also of what was never there",
			do:   "Keep the version of deleted entities, and make a row for one that was never seen",
			try:  (*rig).deleted,
		},
		{
			name: "unknown-fields", see: "entity-events",
			says: "An event with a field that the service doesn't know is parked, and the fence's answer names its key",
			do:   "Refuse unknown fields when data or proto is read (code that is generated for protobuf passes over them in bytes, but keeps or shows them), and park what can't be applied after some tries; never drop or requeue it",
			try:  (*rig).unknownFields,
		},
		{
			name: "parking", see: "entity-events",
			says: "All later events of a parked key wait behind it, deletions too, and other keys go on",
			do:   "Before an event is applied, look whether its key has parked events, and park it behind them; a deletion has the key that the entity had",
			try:  (*rig).parking,
		},
		{
			name: "settled", see: "entity-events",
			says: "An announcement takes its entity's parked events away and no others, and the key goes on once nothing is left",
			do:   "Of origin announce, remove the parked events of its own entity that are not newer, and apply it; the rest of the key stays parked until it is applied",
			try:  (*rig).settled,
		},
		{
			name: "writes", see: "writes",
			says: "A live write is done once: each further try has the first one's reply",
			do:   "Keep the write's id and reply in the transaction that does it, and look there first; let two tries of one id wait for each other",
			try:  (*rig).writes,
		},
		{
			name: "void", see: "fences",
			says: "A fence's answer tells of void writes which were done, with their entities, and of no others",
			do:   "Keep the ids of the entities with each write, and look the fence's void ids up in its transaction",
			try:  (*rig).void,
		},
		{
			name: "epochs", see: "writes",
			says: "A write of a passed epoch is refused, and nothing of it is done",
			do:   "In the write's transaction compare banyan-epoch with the capability's, which a fence raises and never lowers; refuse with FAILED_PRECONDITION, and an ErrorInfo of domain banyan and reason BANYAN_EPOCH_PASSED",
			try:  (*rig).epochs,
		},
		{
			name: "known-writes", see: "writes",
			says: "A write that is known has its reply under whatever epoch",
			do:   "Look the id up before the epoch is compared",
			try:  (*rig).knownWrites,
		},
		{
			name: "conflicts", see: "entity-events",
			says: "A foreign change of what the service has written itself is parked, and an announcement settles it",
			do:   "Set local_epoch of each entity that a write changes; where it is set, park origin foreign; forget it when legacy or announce is applied",
			try:  (*rig).conflicts,
		},
		{
			name: "repeats-of-written", see: "entity-events",
			says: "What was applied before a live write, and comes again from another log, doesn't undo the write",
			do:   "Compare the event's id with the stored one before anything else, also for what the service has written",
			try:  (*rig).repeatsOfWritten,
		},
		{
			name: "way-back", see: "fences",
			says: "A way back ends what is the service's own, with the last of its 64 copies and not before",
			do:   "Count the copies of a fence with back: true by their partitions; with the last one forget local_epoch of the capability's entities whose local_epoch is less and that have no parked events",
			try:  (*rig).wayBack,
		},
		{
			name: "growing", see: "what-to-declare",
			says: "More queues lose nothing, mix up no order, and answer no fence too early",
			do:   "Bind the new queues first and unbind the old ones, do all that is left in those, and only then begin with the new ones; delete an old queue once it is empty",
			try:  (*rig).growing,
		},
		{
			name: "nothing-left", see: "what-to-declare",
			says: "Nothing stays parked, and nothing stays in the queues",
			do:   "Acknowledge each message once its transaction is committed, and never reject or requeue one",
			try:  (*rig).nothingLeft,
		},
	}
}
