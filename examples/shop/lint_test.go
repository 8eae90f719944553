package shop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// buf lint finds nothing. It gets the contract compiled, with Google's files in it, so that it asks no registry.
func TestContractLints(t *testing.T) {
	if testing.Short() {
		t.Skip("buf takes a minute to build the first time")
	}
	own, err := filepath.Glob("contract/shop/v*/*.proto")
	if err != nil {
		t.Fatal(err)
	}
	for i := range own {
		own[i] = strings.TrimPrefix(filepath.ToSlash(own[i]), "contract/")
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{"contract"}}, builtIn{loadContract(t).Files},
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(t.Context(), own...)
	if err != nil {
		t.Fatal(err)
	}
	image := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	for _, f := range compiled {
		add(image, seen, f)
	}
	b, err := proto.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "contract.binpb")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"tool", "buf", "lint", file, "--config", "contract/buf.yaml"}
	for _, name := range own {
		args = append(args, "--path", name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Errorf("buf lint: %v\n%s", err, out)
	}
}

// builtIn gives the files that Banyan knows by itself.
type builtIn struct {
	files interface {
		FindFileByPath(path string) (protoreflect.FileDescriptor, error)
	}
}

// FindFileByPath finds a file of Google's.
func (b builtIn) FindFileByPath(path string) (protocompile.SearchResult, error) {
	d, err := b.files.FindFileByPath(path)
	return protocompile.SearchResult{Desc: d}, err
}

// add puts a file behind those that it imports.
func add(image *descriptorpb.FileDescriptorSet, seen map[string]bool, f protoreflect.FileDescriptor) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	for i := range f.Imports().Len() {
		add(image, seen, f.Imports().Get(i).FileDescriptor)
	}
	if r, ok := f.(linker.Result); ok {
		image.File = append(image.File, r.FileDescriptorProto())
		return
	}
	image.File = append(image.File, protodesc.ToFileDescriptorProto(f))
}
