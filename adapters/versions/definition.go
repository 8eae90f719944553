package versions

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// Definition says how one version of the contract is a translation of another.
type Definition struct {
	// Version is the package of the older one, Of that of the newer.
	Version, Of Named
	// Untranslated are older operations that something else answers.
	Untranslated []Named
	Operations   []OperationRule
	Messages     []MessageRule
	Enums        []EnumRule
}

// Named is a name, or a path of fields, and where it stands.
type Named struct {
	Name string
	At   fault.Pos
}

// OperationRule says which newer operation answers an older one. Operations with the same service and method name need none.
type OperationRule struct{ Operation, To Named }

// MessageRule says how a target message is made of a source message. Fields of the same name need no rule.
type MessageRule struct {
	Pair   Pair
	Fields []FieldRule
	// Unset are paths of the target that stay unset, Ignored those of a request's source that nothing is made of.
	Unset, Ignored []Named
}

// Pair is a target and the source that it is made of, by their full names, and where that stands.
type Pair struct {
	Target, Source protoreflect.FullName
	At             fault.Pos
}

// FieldRule says what a field of the target is made of.
type FieldRule struct {
	// Target is a path of the target.
	Target Named
	// Source is a path of the source, or CEL over its fields.
	Source Named
	// Exact says that Source stands in the file as it is in Name, in one line, so that places in it can be told.
	Exact bool
}

// EnumRule has a target value for each source value that has no namesake.
type EnumRule struct {
	Pair   Pair
	Values []ValueRule
}

// ValueRule says which target value stands for a source value.
type ValueRule struct{ Source, Target Named }
