package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// places gives the lines of a page that a part's report is between.
func places(part string) (begins, ends string) {
	what := "what `make bench` printed"
	switch part {
	case mirrorPart:
		what += " of the mirror"
	case backfillPart:
		what += " of backfills"
	case entitiesPart:
		what += " of entity events"
	case fencesPart:
		what += " of fences"
	case versionsPart:
		what += " of older versions"
	}
	return "<!-- " + what + " -->\n", "<!-- end of " + what + " -->\n"
}

// writeInto puts a part's report into a page, in the place of the one that is there.
func writeInto(file, part, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	reportBegins, reportEnds := places(part)
	before, rest, begins := strings.Cut(string(page), reportBegins)
	_, after, ends := strings.Cut(rest, reportEnds)
	if !begins || !ends {
		return errors.New(file + " has no place for a report: it needs the lines " + strings.TrimSpace(reportBegins) + " and " + strings.TrimSpace(reportEnds))
	}
	page = []byte(before + reportBegins + "\n" + text + "\n" + reportEnds + after)
	if err := os.WriteFile(file, page, 0o644); err != nil { //nolint:gosec // documentation is for everybody to read
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
