package shop_test

import (
	"io/fs"
	"testing"

	shop "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/internal/config"
)

// The example's config says what a config has to say, and needs no more than the database's address.
func TestConfigIsRead(t *testing.T) {
	text, err := fs.ReadFile(shop.Files(), "banyan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, faults := config.Parse("banyan.yaml", text, func(name string) (string, bool) {
		return "shop@tcp(127.0.0.1:3306)/shop", name == "BANYAN_LEGACY_DSN"
	})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Legacy.DSN.Reveal() != "shop@tcp(127.0.0.1:3306)/shop" {
		t.Errorf("the dsn is %q", c.Legacy.DSN.Reveal())
	}
}
