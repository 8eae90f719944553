package preflight

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page for people has a row for each topic, and no other.
func TestTheDocsExplainEachTopic(t *testing.T) {
	page, err := os.ReadFile("../../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []Topic
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([a-z, ]+) \\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, Topic(m[1]))
		for severity := range strings.SplitSeq(m[2], ", ") {
			if Severity(severity).order() < 0 {
				t.Errorf("%s has the severity %q", m[1], severity)
			}
		}
	}
	if !slices.Equal(explained, Topics()) {
		t.Errorf("the docs explain\n%v\nfindings are about\n%v", explained, Topics())
	}
}

// The severities in the docs are those that the code gives.
func TestTheDocsHaveTheSeverities(t *testing.T) {
	page, err := os.ReadFile("../../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^\t([A-Za-z]+) +Topic = "([a-z-]+)"$`)
	added := regexp.MustCompile(`c\.add(?:Tables)?\((Error|Warning|Note), ([A-Za-z]+),`)
	topics, err := os.ReadFile("topics.go")
	if err != nil {
		t.Fatal(err)
	}
	topicOf := map[string]string{}
	for _, m := range names.FindAllStringSubmatch(string(topics), -1) {
		topicOf[m[1]] = m[2]
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		code, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range added.FindAllStringSubmatch(string(code), -1) {
			row := regexp.MustCompile("(?m)^\\| `" + topicOf[m[2]] + "` \\| ([a-z, ]+) \\|").FindSubmatch(page)
			if row == nil || !strings.Contains(string(row[1]), strings.ToLower(m[1])) {
				t.Errorf("%s: the docs have no %s of %s", f.Name(), m[1], topicOf[m[2]])
			}
		}
	}
}
