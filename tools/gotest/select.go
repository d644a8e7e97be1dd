package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// directories of GOROOT/test from which programs are taken.
var directories = []string{".", "chan", "ken", "interface", "typeparam"}

// A program is one test.
type program struct {
	name   string // path below GOROOT/test, with slashes
	root   string // GOROOT/test
	recipe recipe

	// excluded is the build constraint that keeps the program from the
	// target, or empty.
	excluded string
}

// file is the path of the program's source, or of the file that stands for its
// directory.
func (p program) file() string { return filepath.Join(p.root, filepath.FromSlash(p.name)) }

// dir is the directory of a program that is made from one.
func (p program) dir() string { return strings.TrimSuffix(p.file(), ".go") + ".dir" }

// findPrograms returns the programs that root's recipes run. A recipe that
// can't be understood is an error.
func findPrograms(root string, tag func(string) bool) ([]program, error) {
	var programs []program
	for _, dir := range directories {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			p := program{name: path.Join(dir, e.Name()), root: root}
			src, err := os.ReadFile(p.file())
			if err != nil {
				return nil, err
			}
			r, runs, err := parseRecipe(string(src))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.file(), err)
			}
			if runs {
				p.recipe = r
				p.excluded = excludedBy(string(src), tag)
				programs = append(programs, p)
			}
		}
	}
	return programs, nil
}

// A sourcePackage is one package of a directory.
type sourcePackage struct {
	name  string
	files []string // base names, in order
}

// path is the import path it is compiled with: relative imports are resolved
// against "test", and ask for it by its first file's name.
func (p sourcePackage) path() string {
	if p.name == "main" {
		return "main"
	}
	return path.Join("test", strings.TrimSuffix(p.files[0], ".go"))
}

// sourcePackages returns the packages of dir in the order in which they are to
// be compiled: that of their first files.
func sourcePackages(dir string, onePerFile bool) ([]*sourcePackage, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no Go files in %s", dir)
	}
	var packages []*sourcePackage
	byName := map[string]*sourcePackage{}
	for _, file := range files {
		name, err := packageName(file)
		if err != nil {
			return nil, err
		}
		p := byName[name]
		if p == nil || onePerFile {
			p = &sourcePackage{name: name}
			byName[name] = p
			packages = append(packages, p)
		}
		p.files = append(p.files, filepath.Base(file))
	}
	return packages, nil
}

// packageName returns the name in a file's package clause. Files that are meant
// not to parse have one too.
func packageName(file string) (string, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "package "); ok {
			rest, _, _ = strings.Cut(rest, "//")
			rest, _, _ = strings.Cut(rest, ";")
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("%s has no package clause", file)
}
