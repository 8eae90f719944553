package demo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A second demo touches nothing of the first, its ready file included, and says at once who is there.
func TestSecondDemoIsRefused(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	readyFile := filepath.Join(dir, "ready.json")
	if err := os.WriteFile(readyFile, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Run(t.Context(), Options{Dir: dir, ReadyFile: readyFile, Out: &out, Log: &out, LookupEnv: os.LookupEnv})
	want := fmt.Sprintf("a demo runs in %s already (pid %d); stop it, or give another --dir", dir, os.Getpid())
	if err == nil || err.Error() != want {
		t.Errorf("it said %v, want %s", err, want)
	}
	if out.Len() > 0 {
		t.Errorf("it wrote %s", &out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory has %v, %v", entries, err)
	}

	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = lock(dir)
	if err != nil {
		t.Fatalf("it is locked after the end: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// A lock whose holder has not written his pid yet is told without one.
func TestHolderWithoutPid(t *testing.T) {
	for text, want := range map[string]string{"": "", "12": " (pid 12)", "12\n": " (pid 12)", "x": ""} {
		if got := holder(bytes.NewBufferString(text)); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}
