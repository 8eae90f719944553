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
		if name != "BANYAN_LEGACY_DSN" {
			return "", false
		}
		return "shop@tcp(127.0.0.1:3306)/shop", true
	})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Legacy.DSN.Reveal() != "shop@tcp(127.0.0.1:3306)/shop" {
		t.Errorf("the dsn is %q", c.Legacy.DSN.Reveal())
	}
	if c.Listen.REST != "127.0.0.1:8080" || c.Listen.GRPC != "127.0.0.1:9090" || c.Listen.Admin != "127.0.0.1:9091" {
		t.Errorf("listens on %+v", c.Listen)
	}
}
