package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	// namedTest is a test as documents name it, with a link to its file.
	namedTest = regexp.MustCompile(`\[((?:Test|Fuzz)[A-Z]\w*)\]\(([^)#]+_test\.go)\)`)
	testName  = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
)

// TestNamedTests: tests that a document names are where the link says, and security.md,
// whose sentences rest on them, names none without a link.
func TestNamedTests(t *testing.T) {
	for _, document := range documents {
		data, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		links := namedTest.FindAllSubmatch(data, -1)
		for _, m := range links {
			name, file := string(m[1]), string(m[2])
			source, err := os.ReadFile(filepath.Join(filepath.Dir(document), file))
			if err != nil {
				t.Errorf("%s names %s: %v", document, name, err)
			} else if !regexp.MustCompile(`(?m)^func ` + name + `\(\w+ \*testing\.[TF]\) \{`).Match(source) {
				t.Errorf("%s: %s has no %s", document, file, name)
			}
		}
		if document != "security.md" {
			continue
		}
		if len(links) == 0 {
			t.Errorf("%s names no tests", document)
		}
		for _, name := range testName.FindAll(namedTest.ReplaceAll(data, nil), -1) {
			t.Errorf("%s names %s without a link to its file", document, name)
		}
	}
}
