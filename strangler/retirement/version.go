package retirement

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"banyan.dev/banyan/contract"
)

// State is how far a version is on its way out.
type State string

// The states.
const (
	// Current is a version of which nothing else is said.
	Current State = "current"
	// Deprecated is one whose callers are asked to leave.
	Deprecated State = "deprecated"
	// Sunset is one that may be refused from now on, and is still served.
	Sunset State = "sunset"
	// Gone is one that is not served any more.
	Gone State = "gone"
)

// Version is a version of the contract, with what its operator says of its end.
type Version struct {
	// Package is its proto package.
	Package protoreflect.FullName
	// Of is the version that it is a translation of; empty when it is none.
	Of protoreflect.FullName
	// Deprecated is when it was, or will be, deprecated; Sunset from when on it may not be answered any more. Zero: nothing is
	// said of that.
	Deprecated, Sunset time.Time
	// Link is the address of a page for people that says what to do; empty for none.
	Link string
	// Refuse says that it is not served once Sunset has come.
	Refuse bool
	// Operations are its operations.
	Operations []*contract.Operation
}

// Told says whether its callers are told that it goes.
func (v *Version) Told() bool { return !v.Deprecated.IsZero() || !v.Sunset.IsZero() }

// State is the version's at a time.
func (v *Version) State(now time.Time) State {
	switch {
	case !v.Sunset.IsZero() && !now.Before(v.Sunset) && v.Refuse:
		return Gone
	case !v.Sunset.IsZero() && !now.Before(v.Sunset):
		return Sunset
	case v.Told():
		return Deprecated
	}
	return Current
}

// Watched gives the operations whose callers are counted: all of a version that goes, and those that the contract itself
// marks as deprecated.
func (v *Version) Watched() (out []*contract.Operation) {
	for _, op := range v.Operations {
		if v.Told() || deprecated(op) {
			out = append(out, op)
		}
	}
	return out
}

// deprecated says whether an operation, its service or its file has proto's option `deprecated`.
func deprecated(op *contract.Operation) bool {
	method, ok := op.Descriptor.Options().(*descriptorpb.MethodOptions)
	if ok && method.GetDeprecated() {
		return true
	}
	service, ok := op.Descriptor.Parent().Options().(*descriptorpb.ServiceOptions)
	if ok && service.GetDeprecated() {
		return true
	}
	file, ok := op.Descriptor.ParentFile().Options().(*descriptorpb.FileOptions)
	return ok && file.GetDeprecated()
}
