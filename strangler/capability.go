package strangler

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
)

// Capability is a set of operations that migrate together behind one flag.
type Capability struct {
	// Name is the flag's key, too.
	Name string
	// Service is the name of the new service, as in the config.
	Service string
	// Modern answers the capability's operations in the new service. Its Get of the Entity sees every write that it has
	// answered: what is read from it is what legacy gets.
	Modern Backend
	// Entity is what live writes bring back to legacy; nil: the capability can't be live.
	Entity *Entity
	// Routes has each operation of the capability.
	Routes map[*contract.Operation]*Route
}

// Entity is a message of the contract with an id.
type Entity struct {
	Message protoreflect.MessageDescriptor
	// Get reads one. Its request has one field, ID, which has the same name and kind in Message.
	Get *contract.Operation
	// ID is the field of Message, GetID that of Get's request.
	ID, GetID protoreflect.FieldDescriptor
	// Key gives what an entity is routed by; ok is false where it has none. nil: nobody knows.
	Key func(entity protoreflect.Message) (key string, ok bool, err error)
}

// Route is how an operation's calls are routed.
type Route struct {
	// Key gives what a call is routed by; an empty key is none. It is nil where an operation has no key: then its reads stay on legacy until the
	// capability is wholly live, and the capability shifts only whole when it writes.
	Key KeyFunc
	// Owner gives the key of the entity that a request names, for routes whose Key takes the request's word; nil: that is
	// not looked up. NOT_FOUND says that there is no such entity yet.
	Owner KeyFunc
	// EntityID gives the id of the entity that a write changes, from its request; nil where only its reply tells, which
	// then is the entity.
	EntityID protoreflect.FieldDescriptor
}

// KeyFunc gives the key of a call. ok is false where this call has none, such as a list without a customer. An error is
// the caller's: a key that can't be found out is refused, not guessed.
type KeyFunc func(ctx context.Context, call *Call) (key string, ok bool, err error)

// Comparisons count what became of shadow reads.
type Comparisons struct {
	// Same and Different were compared, Failed are those that modern did not answer, Dropped were not asked because too
	// many were under way.
	Same      uint64 `json:"same"`
	Different uint64 `json:"different"`
	Failed    uint64 `json:"failed"`
	Dropped   uint64 `json:"dropped"`
}
