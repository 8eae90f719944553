package grpc

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
)

// registerReflection shows the team's services and health, in both versions of the reflection protocol.
func registerReflection(server *grpc.Server, c *contract.Contract, services []string) {
	opts := reflection.ServerOptions{
		Services:           shownServices(append([]string{grpc_health_v1.Health_ServiceDesc.ServiceName}, services...)),
		DescriptorResolver: shownFiles{team: c.Files},
		ExtensionResolver:  shownExtensions{Types: c.Types},
	}
	v1.RegisterServerReflectionServer(server, reflection.NewServerV1(opts))
	v1alpha.RegisterServerReflectionServer(server, reflection.NewServer(opts))
}

// shownServices are the names of the services that reflection lists.
type shownServices []string

// GetServiceInfo gives the names; reflection needs no more.
func (s shownServices) GetServiceInfo() map[string]grpc.ServiceInfo {
	out := make(map[string]grpc.ServiceInfo, len(s))
	for _, name := range s {
		out[name] = grpc.ServiceInfo{}
	}
	return out
}

// shownFiles looks in the contract first, then for health's file among those that are linked in.
type shownFiles struct{ team contract.Resolver }

// FindFileByPath implements protodesc.Resolver.
func (f shownFiles) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if fd, err := f.team.FindFileByPath(path); err == nil {
		return fd, nil
	}
	return shown(protoregistry.GlobalFiles.FindFileByPath(path))
}

// FindDescriptorByName implements protodesc.Resolver.
func (f shownFiles) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if d, err := f.team.FindDescriptorByName(name); err == nil {
		return d, nil
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, err
	}
	if _, err := shown(d.ParentFile(), nil); err != nil {
		return nil, err
	}
	return d, nil
}

// shown hides what is linked in for other reasons than to be served.
func shown(fd protoreflect.FileDescriptor, err error) (protoreflect.FileDescriptor, error) {
	if err == nil && fd.Path() != grpc_health_v1.File_grpc_health_v1_health_proto.Path() {
		return nil, protoregistry.NotFound
	}
	return fd, err
}

// shownExtensions are the contract's extensions.
type shownExtensions struct{ *dynamicpb.Types }

// RangeExtensionsByMessage gives those linked in, which are the options of google.api.
func (shownExtensions) RangeExtensionsByMessage(message protoreflect.FullName, f func(protoreflect.ExtensionType) bool) {
	protoregistry.GlobalTypes.RangeExtensionsByMessage(message, f)
}
