package contract

import (
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// settle gives compiled files as descriptors that are made for being asked often: the compiler's own go through all
// fields to find one, and work features out at every question. Decoding a request asks dozens of them.
func settle(compiled []protoreflect.FileDescriptor) ([]protoreflect.FileDescriptor, error) {
	settled := &protoregistry.Files{}
	out := make([]protoreflect.FileDescriptor, len(compiled))
	for i, fd := range compiled {
		var err error
		if out[i], err = settleFile(settled, fd); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// settleFile settles a file after its imports, once.
func settleFile(settled *protoregistry.Files, fd protoreflect.FileDescriptor) (protoreflect.FileDescriptor, error) {
	if done, err := settled.FindFileByPath(fd.Path()); err == nil {
		return done, nil
	}
	imports := fd.Imports()
	for i := range imports.Len() {
		if _, err := settleFile(settled, imports.Get(i).FileDescriptor); err != nil {
			return nil, err
		}
	}
	if result, ok := fd.(linker.Result); ok { // the others are built in, and settled since the program was built
		var err error
		if fd, err = protodesc.NewFile(result.FileDescriptorProto(), settled); err != nil {
			return nil, err
		}
	}
	return fd, settled.RegisterFile(fd)
}
