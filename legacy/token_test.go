package legacy

import (
	"bytes"
	"slices"
	"testing"
)

func TestTokensAreOpaqueAndRotate(t *testing.T) {
	old, err := newSealer([]string{"old secret"})
	if err != nil {
		t.Fatal(err)
	}
	both, err := newSealer([]string{"new secret", "old secret"})
	if err != nil {
		t.Fatal(err)
	}
	c := &cursor{fingerprint: 7, order: 2, values: [][]byte{[]byte("secret name"), nil, {}}}
	token := old.seal(c)
	if bytes.Contains([]byte(token), []byte("secret name")) {
		t.Fatal("the token shows what is in it")
	}
	got, err := both.open(token)
	if err != nil {
		t.Fatalf("a token under an older key: %v", err)
	}
	if got.fingerprint != 7 || got.order != 2 || len(got.values) != 3 || string(got.values[0]) != "secret name" || got.values[1] != nil || got.values[2] == nil {
		t.Fatalf("got %+v", got)
	}
	if _, err := old.open(both.seal(c)); err == nil {
		t.Fatal("a token under an unknown key was opened")
	}
	for i := range token {
		changed := []byte(token)
		changed[i] ^= 1
		if got, err := old.open(string(changed)); err == nil && !slices.Equal([]byte(old.seal(got)), []byte(token)) && i < len(token)-1 {
			t.Fatalf("a token with byte %d changed was opened", i)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add([]byte{tokenVersion, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 'a', 'b', 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCursor(b)
		if err != nil {
			return
		}
		total := 0
		for _, v := range c.values {
			total += len(v)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of values from a token of %d", total, len(b))
		}
	})
}
