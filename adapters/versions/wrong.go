package versions

import (
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// malformedError says that bytes are no message of the source.
type malformedError struct{ cause error }

func (e *malformedError) Error() string { return "malformed: " + e.cause.Error() }
func (e *malformedError) Unwrap() error { return e.cause }

// fieldError is about fields of the source, by their paths.
type fieldError struct {
	paths []string
	text  string // for the caller
	cause error
}

func (e *fieldError) Error() string { return fmt.Sprintf("%v: %s: %v", e.paths, e.text, e.cause) }
func (e *fieldError) Unwrap() error { return e.cause }

// longestPath bounds the paths that errors name.
const longestPath = 1 << 10

// below puts a field before the paths of an error.
func below(err error, field string) error {
	var e *fieldError
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	told.paths = make([]string, len(e.paths))
	for i, path := range e.paths {
		if told.paths[i] = path; len(path) < longestPath {
			told.paths[i] = field + "." + path
		}
	}
	return &told
}

// elementError is about one element of a packed list.
type elementError struct {
	index int
	cause error
}

func (e *elementError) Error() string {
	return "element " + strconv.Itoa(e.index) + ": " + e.cause.Error()
}
func (e *elementError) Unwrap() error { return e.cause }

// unknownValue is an enum's number that the contract doesn't have.
type unknownValue struct{ number protoreflect.EnumNumber }

func (e *unknownValue) Error() string { return fmt.Sprintf("%d is none of the values", e.number) }
