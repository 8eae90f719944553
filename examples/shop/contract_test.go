package shop_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/contract"
	shop "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/legacy/annotated"
)

// loadContract compiles the example's contract.
func loadContract(t *testing.T) *contract.Contract {
	t.Helper()
	root, err := fs.Sub(shop.Files(), "contract")
	if err != nil {
		t.Fatal(err)
	}
	c, faults := contract.Load(t.Context(), []contract.Root{{Name: "contract", FS: root}})
	for _, f := range faults.All() {
		t.Error(f)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

// Each operation is answered by one block of SQL, and each entity has a put.
func TestOperationsAreAnswered(t *testing.T) {
	c := loadContract(t)
	answered := map[string]int{}
	var puts []string
	for _, f := range files(t) {
		for _, b := range f.Blocks {
			if b.Kind == annotated.Put {
				puts = append(puts, b.Target)
				continue
			}
			answered[b.Target]++
		}
	}
	for _, op := range c.Operations() {
		if strings.HasPrefix(string(op.Name), "shop.v1.") {
			continue // a translation
		}
		if n := answered[string(op.Name)]; n != 1 {
			t.Errorf("%s is answered by %d blocks", op.Name, n)
		}
		delete(answered, string(op.Name))
	}
	for name := range answered {
		t.Errorf("SQL answers %s, which the contract does not have", name)
	}
	slices.Sort(puts)
	if want := []string{"shop.v2.Customer", "shop.v2.Order", "shop.v2.Product"}; !slices.Equal(puts, want) {
		t.Errorf("puts are for %v, want %v", puts, want)
	}
}
