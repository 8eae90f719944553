package breaking

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/fault"
)

// Change is one breaking change. Its place is in the newer contract, or in the older one where nothing is left of it.
type Change struct {
	fault.Pos
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// String gives "file:line:col: message [RULE]".
func (c Change) String() string {
	return fmt.Sprintf("%s: %s [%s]", c.Pos, c.Message, c.Rule)
}

// Compare gives the changes from an older contract to a newer one that break clients of the older, by their place.
func Compare(older, newer *contract.Contract) []Change {
	c := comparison{older: older, newer: newer}
	before, after := declared(older), declared(newer)
	c.files()
	c.packages(before, after)
	for _, name := range slices.Sorted(maps.Keys(before.all)) {
		c.declaration(before.all[name], after)
	}
	c.routes()
	slices.SortStableFunc(c.found, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return c.found
}

// comparison collects the changes.
type comparison struct {
	older, newer *contract.Contract
	found        []Change
}

// changed records a change of a declaration that the newer contract has, at the part of it under the further path.
func (c *comparison) changed(at protoreflect.Descriptor, further []int32, rule, format string, args ...any) {
	c.found = append(c.found, Change{c.newer.Pos(at, further...), rule, fmt.Sprintf(format, args...)})
}

// gone records that the newer contract has nothing of a declaration, which is shown where it was.
func (c *comparison) gone(was protoreflect.Descriptor, rule, format string, args ...any) {
	c.found = append(c.found, Change{c.older.Pos(was), rule, fmt.Sprintf(format, args...)})
}

// declarations are the messages, enums and services of a contract, nested ones too, by full name.
type declarations struct {
	all      map[protoreflect.FullName]protoreflect.Descriptor
	packages map[protoreflect.FullName]protoreflect.FileDescriptor // with the first file of each
}

func declared(c *contract.Contract) declarations {
	d := declarations{map[protoreflect.FullName]protoreflect.Descriptor{}, map[protoreflect.FullName]protoreflect.FileDescriptor{}}
	var nested func(messages protoreflect.MessageDescriptors, enums protoreflect.EnumDescriptors)
	nested = func(messages protoreflect.MessageDescriptors, enums protoreflect.EnumDescriptors) {
		for i := range enums.Len() {
			d.all[enums.Get(i).FullName()] = enums.Get(i)
		}
		for i := range messages.Len() {
			md := messages.Get(i)
			if !md.IsMapEntry() {
				d.all[md.FullName()] = md
				nested(md.Messages(), md.Enums())
			}
		}
	}
	for _, file := range c.Sources {
		if _, known := d.packages[file.Package()]; !known {
			d.packages[file.Package()] = file
		}
		nested(file.Messages(), file.Enums())
		for i := range file.Services().Len() {
			d.all[file.Services().Get(i).FullName()] = file.Services().Get(i)
		}
	}
	return d
}

// packages finds packages that are gone.
func (c *comparison) packages(before, after declarations) {
	for _, name := range slices.Sorted(maps.Keys(before.packages)) {
		if _, kept := after.packages[name]; !kept {
			c.gone(before.packages[name], "PACKAGE_NO_DELETE", "the package %s is gone", name)
		}
	}
}

// declaration compares a declaration with what the newer contract has under its name. Nothing is said of the content of
// packages that are gone.
func (c *comparison) declaration(was protoreflect.Descriptor, after declarations) {
	if _, kept := after.packages[was.ParentFile().Package()]; !kept {
		return
	}
	is := after.all[was.FullName()]
	switch was := was.(type) {
	case protoreflect.MessageDescriptor:
		if is, ok := is.(protoreflect.MessageDescriptor); ok {
			c.message(was, is)
			return
		}
		c.gone(was, "PACKAGE_MESSAGE_NO_DELETE", "the message %s is gone", was.FullName())
	case protoreflect.EnumDescriptor:
		if is, ok := is.(protoreflect.EnumDescriptor); ok {
			c.enum(was, is)
			return
		}
		c.gone(was, "PACKAGE_ENUM_NO_DELETE", "the enum %s is gone", was.FullName())
	case protoreflect.ServiceDescriptor:
		if is, ok := is.(protoreflect.ServiceDescriptor); ok {
			c.service(was, is)
			return
		}
		c.gone(was, "PACKAGE_SERVICE_NO_DELETE", "the service %s is gone", was.FullName())
	}
}

// Field numbers of descriptor.proto, for positions.
const (
	fileOptions   = 8
	filePackage   = 2
	fileSyntax    = 12
	fieldType     = 5
	fieldTypeName = 6
	fieldName     = 1
	fieldJSONName = 10
	valueName     = 1
	methodInput   = 2
	methodOutput  = 3
	methodStreams = 6
	methodOptions = 4
	idempotency   = 34
	httpOption    = 72295728
)

// stubOptions are the options of a file that say what generated code is called or has.
func stubOptions() []protoreflect.Name {
	return []protoreflect.Name{
		"cc_enable_arenas", "cc_generic_services", "csharp_namespace", "go_package", "java_generic_services", "java_multiple_files",
		"java_outer_classname", "java_package", "objc_class_prefix", "optimize_for", "php_class_prefix", "php_metadata_namespace",
		"php_namespace", "py_generic_services", "ruby_package", "swift_prefix",
	}
}

// files compares files of the same path.
func (c *comparison) files() {
	after := map[string]protoreflect.FileDescriptor{}
	for _, file := range c.newer.Sources {
		after[file.Path()] = file
	}
	for _, was := range c.older.Sources {
		is, kept := after[was.Path()]
		if !kept {
			continue
		}
		if was.Package() != is.Package() {
			c.changed(is, []int32{filePackage}, "FILE_SAME_PACKAGE", "the file's package was %s and is %s", was.Package(), is.Package())
		}
		if was.Syntax() != is.Syntax() {
			c.changed(is, []int32{fileSyntax}, "FILE_SAME_SYNTAX", "the file's syntax was %s and is %s", was.Syntax(), is.Syntax())
		}
		before, _ := was.Options().(*descriptorpb.FileOptions)
		now, _ := is.Options().(*descriptorpb.FileOptions)
		for _, name := range stubOptions() {
			fd := now.ProtoReflect().Descriptor().Fields().ByName(name)
			old, current := before.ProtoReflect().Get(fd), now.ProtoReflect().Get(fd)
			if !old.Equal(current) {
				c.changed(is, []int32{fileOptions, int32(fd.Number())}, "FILE_SAME_"+strings.ToUpper(string(name)),
					"the option %s was %q and is %q", name, old.String(), current.String())
			}
		}
	}
}
