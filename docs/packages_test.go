package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packageDirs calls found with each folder of Ingot's module that has Go files, relative
// to its root, and with their names.
func packageDirs(t *testing.T, found func(dir string, files []string)) {
	t.Helper()
	dirs := map[string][]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("..", path)
		switch {
		case d.IsDir():
			if rel == "build" || d.Name() == "testdata" || rel != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && rel != "." {
				return fs.SkipDir // a module of its own
			}
		case strings.HasSuffix(rel, ".go"):
			dir := filepath.ToSlash(filepath.Dir(rel))
			dirs[dir] = append(dirs[dir], d.Name())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 80 {
		t.Fatalf("only %d packages were found", len(dirs))
	}
	for dir, files := range dirs {
		found(dir, files)
	}
}

// TestDocGo: each package that others import says in its doc.go what it is for, and
// nowhere else.
func TestDocGo(t *testing.T) {
	fset := token.NewFileSet()
	packageDirs(t, func(dir string, files []string) {
		documented := ""
		code := false
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, filepath.Join("..", dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Error(err)
				return
			}
			if f.Name.Name == "main" {
				return
			}
			code = true
			if f.Doc == nil {
				continue
			}
			switch text := f.Doc.Text(); {
			case name != "doc.go":
				t.Errorf("%s/%s has a package comment; it belongs in doc.go", dir, name)
			case !strings.HasPrefix(text, "Package "+f.Name.Name+" "):
				t.Errorf("%s/doc.go doesn't begin with \"Package %s\"", dir, f.Name.Name)
			default:
				documented = text
			}
		}
		if code && documented == "" {
			t.Errorf("%s has no doc.go that says what it is for", dir)
		}
	})
}

// TestArchitectureIsComplete: architecture.md names each package.
func TestArchitectureIsComplete(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	packageDirs(t, func(dir string, _ []string) {
		if !strings.Contains(string(text), "](../"+dir+")") {
			t.Errorf("architecture.md, \"Packages\", has no link to %s", dir)
		}
	})
}
