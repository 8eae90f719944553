package entities_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/devstack"
)

// However ids are typed and collated, pages of them give each once, and each is read by it.
func TestListedEntitiesAreRead(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server)
			l.exec(t, `INSERT INTO owners VALUES ('Bob'), ('bob '' " \\'), ('émile'), ('Zoë'), ('10'), ('9'), ('a%'), ('-')`)
			e := l.open()
			at := l.end(t)
			for entity, want := range map[protoreflect.FullName][]string{
				"lab.v1.Box":   {"1", "2", "9"},
				"lab.v1.Huge":  {"1", "9007199254740992", "9007199254740993", "18446744073709551614", "18446744073709551615"},
				"lab.v1.Owner": {"-", "10", "9", "Bob", "Zoë", "a%", "ann", `bob ' " \`, "émile"},
			} {
				for _, limit := range []int{1, 2, 100} {
					var ids []string
					for after := ""; ; {
						page, err := l.backend.List(t.Context(), l.program.Event(entity), after, limit)
						if err != nil {
							t.Fatal(err)
						}
						if len(page) == 0 || len(ids) > 2*len(want) {
							break
						}
						ids, after = append(ids, page...), page[len(page)-1]
					}
					if entity == "lab.v1.Owner" {
						slices.Sort(ids) // the column's collation has its own order
					}
					if !slices.Equal(ids, want) {
						t.Errorf("%s by %d: %q, want %q", entity, limit, ids, want)
					}
				}
				if entity == "lab.v1.Box" {
					want = slices.DeleteFunc(want, func(id string) bool { return id == "2" }) // nobody owns it
				}
				states, err := e.Read(t.Context(), at, named(string(entity), want...))
				if err != nil {
					t.Fatal(err)
				}
				for i, state := range states {
					if state.Deleted || state.ID != want[i] {
						t.Errorf("%s %s: %+v", entity, want[i], state)
					}
				}
			}
		})
	}
}
