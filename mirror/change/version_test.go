package change

import (
	"cmp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anyVersion() *rapid.Generator[Version] {
	return rapid.Custom(func(t *rapid.T) Version {
		return Version{
			Epoch: rapid.Uint32Max(MaxEpoch).Draw(t, "epoch"), File: rapid.Uint32().Draw(t, "file"),
			Offset: rapid.Uint64Max(MaxOffset).Draw(t, "offset"), Row: rapid.Uint32().Draw(t, "row"), Cascade: rapid.Bool().Draw(t, "cascade"),
		}
	})
}

// Consumers in any language compare texts; that has to be the same as comparing versions.
func TestVersionsSortAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, w := anyVersion().Draw(t, "v"), anyVersion().Draw(t, "w")
		if rapid.Bool().Draw(t, "near") {
			w = v
			switch rapid.IntRange(0, 3).Draw(t, "part") {
			case 0:
				w.Cascade = !w.Cascade
			case 1:
				w.Row++
			case 2:
				w.File--
			}
		}
		if got, want := strings.Compare(v.String(), w.String()), v.Compare(w); cmp.Compare(got, 0) != want {
			t.Fatalf("%s and %s compare as %d as texts, and as %d", v, w, got, want)
		}
	})
}

func TestVersionsComeBackFromText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyVersion().Draw(t, "v")
		got, err := ParseVersion(v.String())
		if err != nil || got != v {
			t.Fatalf("%s came back as %v, %v", v, got, err)
		}
	})
	const text = "0001-0000000c-000000003039-00000007"
	if got := (Version{Epoch: 1, File: 12, Offset: 12345, Row: 7}).String(); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("0001-0000000c-000000003039-00000007c")
	f.Add("0001-0000000C-000000003039-00000007")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := ParseVersion(text); err == nil && v.String() != text {
			t.Errorf("%q was read as %s", text, v)
		}
	})
}
