package protocol

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
)

// Metadata of the gRPC calls that Banyan makes to a service.
const (
	// MetadataWrite is a live write's id, a UUID: the same for each try of one write. Its absence says that the call is no
	// live write.
	MetadataWrite = "banyan-write"
	// MetadataEpoch is the version of the flag that the write was decided under, in decimal. A service refuses a write
	// whose epoch is less than the last fence's, in the transaction of the write, unless it knows the write's id already:
	// then it gives the stored reply.
	MetadataEpoch = "banyan-epoch"
	// MetadataRequest is the request id, for logs.
	MetadataRequest = "x-request-id"
)

// ErrorDomain and ReasonEpochPassed are in the ErrorInfo of a FAILED_PRECONDITION by which a service refuses a write of an
// older epoch: nothing of the write has happened, or will.
const (
	ErrorDomain       = "banyan"
	ReasonEpochPassed = "BANYAN_EPOCH_PASSED"
)

// CloudEvents types of the messages in a service's own exchange.
const (
	// TypeEntity is the state of an entity, with an EntityEvent as its body.
	TypeEntity = "dev.banyan.entity.v1"
	// TypeFence is a Fence.
	TypeFence = "dev.banyan.fence.v1"
)

// Partitions is how many partitions a service's messages have, from 0 on. It never changes.
const Partitions = 64

// RoutingKey is the routing key of a partition's messages in a service's exchange, such as partition.07.
func RoutingKey(partition int) string {
	const digits = "0123456789"
	return "partition." + string([]byte{digits[partition/10], digits[partition%10]})
}

// PartitionOf gives the partition of an entity's events: that of its key, so that what belongs to one key stays in one order.
// Legacy tells no key of what it has not any more: a deletion goes by the entity itself, and its version says what it comes
// behind. The number is FNV-1a (32 bits) of the text, modulo Partitions.
func PartitionOf(entity, id, key string) int {
	if key == "" {
		key = entity + "/" + id
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // it never fails
	return int(h.Sum32() % Partitions)
}

// QueueLayouts are the numbers of queues that a service may share its partitions among.
func QueueLayouts() []int { return []int{1, 2, 4, 8, 16, 32, 64} }

// QueueName is the name of queue number i of n that a service takes its messages from. It binds the partitions whose numbers
// are i modulo n.
func QueueName(service string, n, i int) string {
	return ExchangeName(service) + "." + strconv.Itoa(n) + "." + strconv.Itoa(i)
}

// ExchangeName is the name of a service's exchange.
func ExchangeName(service string) string { return "banyan.service." + service }

// Origin says where an entity's state comes from.
type Origin string

// The origins.
const (
	// OriginLegacy is a change that a call through Banyan's facade made in legacy, which had the authority: it is applied.
	OriginLegacy Origin = "legacy"
	// OriginForeign is a change in legacy behind Banyan's back: it is applied where the service has no newer state of its
	// own, and a conflict where it has.
	OriginForeign Origin = "foreign"
	// OriginWriteBack is a change that Banyan has brought from the service: its version is kept, its state is not applied.
	OriginWriteBack Origin = "writeback"
	// OriginAnnounce is no change: legacy's state is told (a backfill, a voided write), and is applied whatever the service
	// has, since legacy has the authority. Only its version decides.
	OriginAnnounce Origin = "announce"
)

// EntityEvent is the body of an entity event, in JSON. Its version, which orders the states of one entity as text, is in
// the header banyanversion too.
type EntityEvent struct {
	// Entity is the full name of the message, such as shop.v2.Order; ID identifies it.
	Entity string `json:"entity"`
	ID     string `json:"id"`
	// Key is what the entity's requests are routed by; empty of a deleted entity, whose key is what it had.
	Key     string `json:"key,omitempty"`
	Origin  Origin `json:"origin"`
	Version string `json:"version"`
	// Event is the message's CloudEvents id. It is the same when the event comes again, also from the log of another server,
	// where its version is greater than it was.
	Event string `json:"event,omitempty"`
	// Deleted says that legacy doesn't have the entity (any more); then there is neither Data nor Proto.
	Deleted bool `json:"deleted,omitempty"`
	// Data is the message as the contract has it, in protobuf's JSON.
	Data json.RawMessage `json:"data,omitempty"`
	// Proto is the message in protobuf's bytes, in base64, for services that asked for these; then there is no Data. The bytes of
	// a message of which nothing is set are none: the member is there, and empty.
	Proto []byte `json:"proto,omitzero"`
}

// Fence asks a service to answer once all before it is applied. It is sent to every partition, and answered by Answers to the
// AMQP message's reply_to, with its correlation_id, which together name all partitions. From the first answer on the service
// refuses writes of epochs less than Epoch.
type Fence struct {
	// ID identifies the fence; a repetition has the same, and so has each partition's copy.
	ID string `json:"id"`
	// Partition is the one that this copy was sent to.
	Partition  int    `json:"partition"`
	Service    string `json:"service"`
	Capability string `json:"capability"`
	Epoch      uint64 `json:"epoch"`
	// Void are ids of live writes that are given up: what the service did for them is overruled by announcements that
	// follow. The answer says which entities that concerns.
	Void []string `json:"void,omitempty"`
	// Back says that all keys of the capability are legacy's again, and were before the fence: what the service has written
	// itself under epochs less than Epoch is its own no longer.
	Back bool `json:"back,omitempty"`
}

// Answer answers a Fence, for some partitions.
type Answer struct {
	Fence   string `json:"fence"`
	Service string `json:"service"`
	// Partitions are those whose copies of the fence it answers, one or more: all that came before these is applied.
	Partitions []int `json:"partitions"`
	// Parked are keys with parked events, at most MostParked of them. More says that there are others.
	Parked []string `json:"parked,omitempty"`
	More   bool     `json:"more,omitempty"`
	// Committed gives, for each of the fence's void writes that the service has committed, the ids of its entities.
	Committed map[string][]string `json:"committed,omitempty"`
	// Error says why the service could not do what the fence asks; empty when it could.
	Error string `json:"error,omitempty"`
}

// MostParked bounds Answer.Parked.
const MostParked = 1000
