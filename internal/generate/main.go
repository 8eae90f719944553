// Generate writes Go code of the .proto files below a directory, with the plugins that are tools of go.mod: beside them, or
// all of it into one package, for files that say nothing of Go.
//
// Google's own files (google/api and the like) come from the Go packages that are linked in here, so that nothing is
// fetched and nothing copied; protoc and buf want them as text.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	_ "google.golang.org/genproto/googleapis/api/annotations" // these are for the resolver
	_ "google.golang.org/genproto/googleapis/type/date"
	_ "google.golang.org/genproto/googleapis/type/decimal"
	_ "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	gateway := flag.Bool("gateway", true, "write code for REST, too")
	pkg := flag.String("package", "", "the import path of the one `package` for all, which is written into the current directory")
	below := flag.String("below", "", "only the files below this `directory` of the root")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: generate [flags] DIRECTORY")
		flag.PrintDefaults()
		os.Exit(2)
	}
	if err := generate(context.Background(), flag.Arg(0), *below, *pkg, *gateway); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(ctx context.Context, root, below, pkg string, gateway bool) error {
	request, err := compile(ctx, root, below)
	if err != nil {
		return err
	}
	out := root
	if pkg != "" {
		parameter := []string{"module=" + pkg}
		for _, file := range request.GetFileToGenerate() {
			parameter = append(parameter, "M"+file+"="+pkg)
		}
		request.Parameter, out = proto.String(strings.Join(parameter, ",")), "."
	}
	plugins := []string{"protoc-gen-go", "protoc-gen-go-grpc"}
	if gateway {
		plugins = append(plugins, "protoc-gen-grpc-gateway")
	}
	for _, plugin := range plugins {
		if err := run(ctx, plugin, request, out); err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return nil
}

// compile gives what protoc would ask a plugin: the root's files below a directory, and all that they import before them.
func compile(ctx context.Context, root, below string) (*pluginpb.CodeGeneratorRequest, error) {
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String("paths=source_relative")}
	err := fs.WalkDir(os.DirFS(root), path.Join(".", below), func(file string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(file) == ".proto" {
			request.FileToGenerate = append(request.FileToGenerate, file)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{root}},
			protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
				fd, err := protoregistry.GlobalFiles.FindFileByPath(path)
				return protocompile.SearchResult{Desc: fd}, err
			}),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, request.GetFileToGenerate()...)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, file := range files {
		request.ProtoFile = withImports(request.ProtoFile, file, seen)
	}
	return request, nil
}

func withImports(files []*descriptorpb.FileDescriptorProto, file protoreflect.FileDescriptor, seen map[string]bool) []*descriptorpb.FileDescriptorProto {
	if seen[file.Path()] {
		return files
	}
	seen[file.Path()] = true
	for i := range file.Imports().Len() {
		files = withImports(files, file.Imports().Get(i).FileDescriptor, seen)
	}
	if compiled, ok := file.(linker.Result); ok { // with comments
		return append(files, compiled.FileDescriptorProto())
	}
	return append(files, protodesc.ToFileDescriptorProto(file))
}

// run asks one plugin and writes what it answers.
func run(ctx context.Context, plugin string, request *pluginpb.CodeGeneratorRequest, root string) error {
	in, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", plugin)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out, response); err != nil {
		return err
	}
	if text := strings.TrimSpace(response.GetError()); text != "" {
		return errors.New(text)
	}
	for _, file := range response.GetFile() {
		name := filepath.Join(root, filepath.FromSlash(file.GetName()))
		if err := os.WriteFile(name, []byte(file.GetContent()), 0o644); err != nil { //nolint:gosec // source is for everybody to read
			return err
		}
	}
	return nil
}
