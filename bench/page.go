package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// What is between these lines of a page is a report.
const (
	reportBegins = "<!-- what `make bench` printed -->\n"
	reportEnds   = "<!-- end of what `make bench` printed -->\n"
)

// writeInto puts a report into a page, in the place of the one that is there.
func writeInto(file, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
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
