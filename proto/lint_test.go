package proto_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	_ "google.golang.org/genproto/googleapis/api/annotations" // for the resolver
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// buf lint finds nothing. It gets the files compiled, with Google's in them, so that it asks no registry.
func TestFilesLint(t *testing.T) {
	if testing.Short() {
		t.Skip("buf takes a minute to build the first time")
	}
	args := []string{"tool", "buf", "lint", filepath.Join(t.TempDir(), "image.binpb"), "--config", "buf.yaml"}
	var own []string
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".proto" {
			own = append(own, path)
			args = append(args, "--path", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.CompositeResolver{
			&protocompile.SourceResolver{}, registered{},
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
	if err := os.WriteFile(args[3], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Errorf("buf lint: %v\n%s", err, out)
	}
}

// registered gives the files of the Go packages that are linked in.
type registered struct{}

// FindFileByPath finds a file of Google's.
func (registered) FindFileByPath(path string) (protocompile.SearchResult, error) {
	d, err := protoregistry.GlobalFiles.FindFileByPath(path)
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
