package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ingot.dev/internal/testenv"
)

// writeTree makes a test directory of files by their paths.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range directories {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	testenv.WriteFiles(t, root, files)
	return root
}

func TestFindPrograms(t *testing.T) {
	root := writeTree(t, map[string]string{
		"b.go":              "// run\npackage main\n",
		"a.go":              "// run x.go y\n//go:build !arm\npackage main\n",
		"compiled.go":       "// compile\n",
		".hidden.go":        "// run\n",
		"b.out":             "// run\n",
		"chan/c.go":         "// rundir\n",
		"chan/c.dir/d.go":   "// run\n",
		"fixedbugs/e.go":    "// run\n",
		"typeparam/z/zz.go": "// run\n",
	})
	programs, err := findPrograms(root, testTag)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range programs {
		got = append(got, describe(p, map[string]string{"b.go": "a reason"}))
	}
	want := []string{"a.go: skipped, //go:build !arm", "b.go: expected to fail, a reason", "chan/c.go: rundir"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	files, args := programs[0].split()
	if !slices.Equal(files, []string{filepath.Join(root, "a.go"), filepath.Join(root, "x.go")}) || !slices.Equal(args, []string{"y"}) {
		t.Errorf("files %q, arguments %q", files, args)
	}
	if got, want := programs[2].dir(), filepath.Join(root, "chan", "c.dir"); got != want {
		t.Errorf("directory %s, want %s", got, want)
	}

	root = writeTree(t, map[string]string{"ken/bad.go": "// run -t\n"})
	if _, err := findPrograms(root, testTag); err == nil || !strings.Contains(err.Error(), filepath.Join("ken", "bad.go")) {
		t.Errorf("bad recipe: %v", err)
	}
	if _, err := findPrograms(t.TempDir(), testTag); err == nil {
		t.Error("no error for a directory without chan")
	}
}

func TestSourcePackages(t *testing.T) {
	dir := filepath.Join(writeTree(t, map[string]string{
		"x.dir/a1.go":   "// comment\n\npackage a // of two files\n",
		"x.dir/b.go":    "package b;\n",
		"x.dir/c2.go":   "package a\n",
		"x.dir/main.go": "package main\r\n",
		"x.dir/n.s":     "",
	}), "x.dir")
	for _, c := range []struct {
		onePerFile bool
		want       []string
	}{
		{false, []string{"test/a1: a1.go c2.go", "test/b: b.go", "main: main.go"}},
		{true, []string{"test/a1: a1.go", "test/b: b.go", "test/c2: c2.go", "main: main.go"}},
	} {
		packages, err := sourcePackages(dir, c.onePerFile)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range packages {
			got = append(got, p.path()+": "+strings.Join(p.files, " "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("one per file %v: %q, want %q", c.onePerFile, got, c.want)
		}
	}
	if _, err := sourcePackages(t.TempDir(), false); err == nil {
		t.Error("no error for an empty directory")
	}
	dir = filepath.Join(writeTree(t, map[string]string{"x.dir/a.go": "// nothing\n"}), "x.dir")
	if _, err := sourcePackages(dir, false); err == nil || !strings.Contains(err.Error(), "no package clause") {
		t.Errorf("file without a package clause: %v", err)
	}
}
