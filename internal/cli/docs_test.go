package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// docs/admin.md has every flag of the commands that it is about.
func TestCommandsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	sys := System{}
	for _, cmd := range []*cobra.Command{
		newStatus(sys), newAdvance(sys), newRollback(sys), newHistory(sys), newWritesList(sys), newVersions(sys), newMirrorFence(sys),
		newBackfill(sys), newBackfillStatus(sys), newBackfillStop(sys), newBackfillList(sys),
		newParkedList(sys), newParkedShow(sys), newParkedRetry(sys), newParkedDrop(sys), newConsumerStatus(sys), newConsumerTest(sys),
	} {
		ways := []string{"banyan ", "banyan writes ", "banyan mirror ", "banyan backfill ", "banyan parked ", "banyan consumer "}
		if !slices.ContainsFunc(ways, func(way string) bool { return strings.Contains(string(page), way+cmd.Name()) }) {
			t.Errorf("%s is not there", cmd.Name())
		}
		for _, flag := range regexp.MustCompile(`(?m)^ .{5}(--[a-z-]+)`).FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1) {
			if !strings.Contains(string(page), "`"+flag[1]) {
				t.Errorf("%s: %s is not there", cmd.Name(), flag[1])
			}
		}
		if !strings.Contains(cmd.Long, "Exit codes: 0 ") || !strings.Contains(cmd.Long, "2 wrong command line") {
			t.Errorf("%s: the help does not say the exit codes", cmd.Name())
		}
	}
}

// docs/operate.md has every flag of the commands that it is about, save those that all have.
func TestOperatingCommandsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	sys := System{}
	for name, cmd := range map[string]*cobra.Command{"migrate up": newMigrateUp(sys), "migrate status": newMigrateStatus(sys), "grants": newGrants(sys)} {
		if !strings.Contains(string(page), "banyan "+name) {
			t.Errorf("%s is not there", name)
		}
		for _, flag := range regexp.MustCompile(`(?m)^ .{5}(--[a-z-]+)`).FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1) {
			if flag[1] != "--config" && !strings.Contains(string(page), "`"+flag[1]) {
				t.Errorf("%s: %s is not there", name, flag[1])
			}
		}
		if !strings.Contains(cmd.Long, "Exit codes: 0 ") || !strings.Contains(cmd.Long, "2 wrong command line") {
			t.Errorf("%s: the help does not say the exit codes", name)
		}
	}
}
