package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The states that a member can be in.
const (
	works   = "works"
	differs = "differs"
	refused = "refused"
)

var states = []string{works, differs, refused}

// An annotation is one directive above a test.
type annotation struct {
	api, id, state string
	symbols        []string // "tlsio.TLS.Write"
	note           string
	file           string // slash path below the module's root
	line           int
	test           string // the function's name
}

func (a *annotation) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", a.file, a.line, fmt.Sprintf(format, args...))
}

const directive = "//conform:"

// testName matches the functions that go test runs; a benchmark proves nothing.
var testName = regexp.MustCompile(`^(Test|Example|Fuzz)($|[^a-z])`)

// readAnnotations collects the directives of all test files below root, in the
// order of files and lines.
func readAnnotations(root string) (found []*annotation, wrong []error) {
	walk := func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if file != root && (name == "testdata" || name == "vendor" || name[0] == '.' || name[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(source, []byte(directive)) {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		f, w := parseFile(filepath.ToSlash(rel), source)
		found, wrong = append(found, f...), append(wrong, w...)
		return nil
	}
	if err := filepath.WalkDir(root, walk); err != nil {
		wrong = append(wrong, err)
	}
	return found, wrong
}

// parseFile collects the directives of one test file.
func parseFile(file string, source []byte) (found []*annotation, wrong []error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	if err != nil {
		return nil, []error{err}
	}
	above := map[*ast.CommentGroup]string{} // the tests by their comment
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil && fn.Recv == nil && testName.MatchString(fn.Name.Name) {
			above[fn.Doc] = fn.Name.Name
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			text, ok := strings.CutPrefix(c.Text, directive)
			if !ok {
				continue
			}
			a := &annotation{file: file, line: fset.Position(c.Pos()).Line, test: above[group]}
			if err := a.parse(text); err != nil {
				wrong = append(wrong, a.errorf("%v", err))
			} else if a.test == "" {
				wrong = append(wrong, a.errorf("stands above no Test, Example or Fuzz function; move it there, with no empty line between"))
			} else {
				found = append(found, a)
			}
		}
	}
	return found, wrong
}

// parse reads what follows the directive.
func (a *annotation) parse(text string) error {
	text, note, _ := strings.Cut(text, " -- ")
	a.note = strings.TrimSpace(note)
	f := strings.Fields(text)
	if len(f) < 4 {
		return errors.New("want //conform:<api> <row> <works|differs|refused> <symbol>[, <symbol>...] [-- note]")
	}
	a.api, a.id, a.state = f[0], f[1], f[2]
	if !slices.Contains(states, a.state) {
		return fmt.Errorf("state %s; use one of %s", a.state, strings.Join(states, ", "))
	}
	for i, s := range f[3:] {
		name, comma := strings.CutSuffix(s, ",")
		if last := i == len(f)-4; comma == last || name == "" {
			return fmt.Errorf("symbols %q; separate them with a comma and a space, and notes from them with -- between spaces", strings.Join(f[3:], " "))
		}
		a.symbols = append(a.symbols, name)
	}
	if a.state != works && a.note == "" {
		return fmt.Errorf("%s without a note; add -- and what a program gets in its place, or why it can't be", a.state)
	}
	return nil
}

// pkg is the directory of the test, which is its package path below the module's.
func (a *annotation) pkg() string { return path.Dir(a.file) }

// attach gives the rows their annotations.
func attach(apis []*api, found []*annotation) (wrong []error) {
	byName := map[string]*api{}
	for _, a := range apis {
		byName[a.name] = a
	}
	for _, n := range found {
		a := byName[n.api]
		if a == nil {
			wrong = append(wrong, n.errorf("no API %s; there are %s", n.api, strings.Join(apiNames, ", ")))
			continue
		}
		r := a.byID[n.id]
		if r == nil {
			wrong = append(wrong, n.errorf("%s has no row %s%s; see %s", n.api, n.id, similar(a, n.id), a.file))
			continue
		}
		if len(r.proofs) > 0 && r.proofs[0].state != n.state {
			p := r.proofs[0]
			wrong = append(wrong, n.errorf("%s is %s here, and %s at %s:%d; make them agree", n.id, n.state, p.state, p.file, p.line))
			continue
		}
		r.proofs = append(r.proofs, n)
	}
	return wrong
}

// similar suggests the row that somebody may have meant.
func similar(a *api, id string) string {
	last := func(s string) string { return strings.ToLower(s[strings.LastIndex(s, ".")+1:]) }
	for _, r := range a.rows {
		if last(r.id) == last(id) {
			return " (" + r.id + "?)"
		}
	}
	return ""
}
