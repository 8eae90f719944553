package contract

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/fault"
)

// Load compiles every .proto file of the roots, in process, and checks that what they declare can be served. Imports of
// google/api, google/rpc and google/type are built in unless a root has them; google/protobuf always is. Nothing is
// fetched.
//
// All faults are given at once. The Contract is nil when the files don't compile; when they do, it is given even if
// faults.Failed(), so that other files can be checked against it, but must not be served then.
func Load(ctx context.Context, roots []Root) (*Contract, fault.List) {
	var faults fault.List
	if len(roots) == 0 {
		faults.Add(fault.Pos{}, "name the directories of .proto files under contract.paths", "the contract has no roots")
		return nil, faults
	}
	files := readRoots(ctx, roots, &faults)
	compiled := compile(ctx, files, &faults)
	if err := ctx.Err(); err != nil {
		faults.Add(fault.Pos{File: roots[0].Name}, "", "loading the contract was stopped: %v", err)
		return nil, faults
	}
	if faults.Failed() {
		return nil, faults
	}
	c := build(files, compiled, &faults)
	if len(c.Versions) == 0 {
		faults.Add(fault.Pos{File: roots[0].Name}, "declare a service with RPCs in a .proto file there",
			"the contract has no services: %d .proto files found", len(files))
	}
	return c, faults
}

// build lays out what the compiled files declare.
func build(files sources, compiled []protoreflect.FileDescriptor, faults *fault.List) *Contract {
	reg := &protoregistry.Files{}
	c := &Contract{Files: reg, Types: dynamicpb.NewTypes(reg), files: files, operations: map[protoreflect.FullName]*Operation{}}
	for _, fd := range compiled {
		register(reg, fd)
	}
	for _, path := range alwaysKnown() {
		if fd := builtIn(path); fd != nil {
			register(reg, fd)
		}
	}
	versions := map[protoreflect.FullName]*Version{}
	routes := routeTable{}
	shapes := shapeCheck{files: files, faults: faults, seen: map[protoreflect.FullName]bool{}}
	for _, fd := range compiled {
		if strings.HasPrefix(fd.Path(), "google/") {
			continue // a vendored copy of Google's files: its services (google.longrunning.Operations) are not the team's
		}
		c.Sources = append(c.Sources, fd)
		services := fd.Services()
		for i := range services.Len() {
			v := versions[fd.Package()]
			if v == nil {
				v = &Version{Package: fd.Package()}
				versions[fd.Package()] = v
				c.Versions = append(c.Versions, v)
			}
			s := readService(files, services.Get(i), faults)
			v.Services = append(v.Services, s)
			for _, op := range s.Operations {
				c.operations[op.Name] = op
				routes.add(files, op, faults)
				shapes.message(op.Input)
				shapes.message(op.Output)
			}
		}
	}
	slices.SortStableFunc(c.Versions, func(a, b *Version) int { return cmp.Compare(a.Package, b.Package) })
	return c
}

// register adds a file and its imports. A name that is there already stays: the compiler has refused real collisions,
// and what is left is a built-in file that a root has under another path.
func register(reg *protoregistry.Files, fd protoreflect.FileDescriptor) {
	if _, err := reg.FindFileByPath(fd.Path()); err == nil {
		return
	}
	imports := fd.Imports()
	for i := range imports.Len() {
		if im := imports.Get(i); !im.IsPlaceholder() {
			register(reg, im.FileDescriptor)
		}
	}
	_ = reg.RegisterFile(fd)
}
