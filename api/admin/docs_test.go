package admin_test

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

// docs/admin.md has every method and every field.
func TestTheAPIIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	file := adminv1.File_banyan_admin_v1_admin_proto
	methods := file.Services().Get(0).Methods()
	for i := range methods.Len() {
		rule, ok := proto.GetExtension(methods.Get(i).Options(), annotations.E_Http).(*annotations.HttpRule)
		if !ok {
			t.Fatalf("%s has no http rule", methods.Get(i).Name())
		}
		route := "`GET " + rule.GetGet() + "`"
		if rule.GetPost() != "" {
			route = "`POST " + rule.GetPost() + "`"
		}
		if !strings.Contains(page, route) {
			t.Errorf("%s is not there", route)
		}
		documented(t, page, methods.Get(i).Input(), map[protoreflect.FullName]bool{})
		documented(t, page, methods.Get(i).Output(), map[protoreflect.FullName]bool{})
	}
}

func documented(t *testing.T, page string, m protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) {
	if seen[m.FullName()] || m.ParentFile().Package() != "banyan.admin.v1" {
		return
	}
	seen[m.FullName()] = true
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		name := string(f.Name())
		if !m.IsMapEntry() && !strings.Contains(page, "`"+name+"`") && !strings.Contains(page, name+"=") {
			t.Errorf("%s is not there", f.FullName())
		}
		if f.Message() != nil {
			documented(t, page, f.Message(), seen)
		}
	}
}
