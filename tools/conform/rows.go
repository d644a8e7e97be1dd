package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// apis are the reference APIs, in the order in which the tables list them.
var apiNames = []string{"ecma-419", "bun", "iotjs", "tls-json", "ipworks"}

// rowsDir holds a file of members for each API; the tables are beside it.
const (
	tablesDir = "docs/conformance"
	rowsDir   = tablesDir + "/rows"
)

// An api is one reference API.
type api struct {
	name  string // as annotations and files spell it
	title string // as people do
	about string // edition and extent, from the header of its file
	file  string // slash path below the module's root
	rows  []*row
	byID  map[string]*row
}

// A row is a member of an API.
type row struct {
	id, kind, what string
	line           int // in the API's file
	proofs         []*annotation
}

// readRows reads the members of all APIs.
func readRows(root string) ([]*api, error) {
	var apis []*api
	var wrong []error
	for _, name := range apiNames {
		a := &api{name: name, file: path.Join(rowsDir, name+".txt"), byID: map[string]*row{}}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(a.file)))
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, a.parse(string(data))...)
		apis = append(apis, a)
	}
	return apis, errors.Join(wrong...)
}

// parse reads the text of a rows file: a header of comment lines, title first and
// ended by an empty one, then id, kind and what it is on each line, between tabs.
func (a *api) parse(text string) (wrong []error) {
	fail := func(line int, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s:%d: %s", a.file, line, fmt.Sprintf(format, args...)))
	}
	header := true
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			comment = strings.TrimSpace(comment)
			switch {
			case comment == "":
				header = false
			case header && a.title == "":
				a.title = comment
			case header:
				a.about = strings.TrimSpace(a.about + " " + comment)
			}
			continue
		}
		f := strings.Split(line, "\t")
		switch {
		case len(f) != 3 || f[0] == "" || f[1] == "" || f[2] == "":
			fail(i+1, "want id, kind and what it is, between tabs")
		case strings.ContainsAny(f[0], " |"):
			fail(i+1, "an id has no spaces and no |")
		case a.byID[f[0]] != nil:
			fail(i+1, "%s is on line %d already", f[0], a.byID[f[0]].line)
		default:
			r := &row{id: f[0], kind: f[1], what: f[2], line: i + 1}
			a.rows = append(a.rows, r)
			a.byID[r.id] = r
		}
	}
	if a.title == "" || len(a.rows) == 0 {
		fail(1, "no title, or no rows")
	}
	return wrong
}
