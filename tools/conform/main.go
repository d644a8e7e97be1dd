package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a table is stale or a row has no test")
	flag.Parse()
	root, err := moduleRoot()
	if err == nil {
		err = run(root, *check)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes the tables of the module at root, or checks them. All that is wrong
// comes back joined, each with its file and line and what to do. Tables are
// written even if rows have no test, so that one can see which.
func run(root string, check bool) error {
	apis, err := readRows(root)
	if err != nil {
		return err
	}
	module, err := modulePath(root)
	if err != nil {
		return err
	}
	found, wrong := readAnnotations(root)
	wrong = append(wrong, checkSymbols(root, module, found)...)
	wrong = append(wrong, attach(apis, found)...)
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	for _, f := range tables(apis) {
		path := filepath.Join(root, filepath.FromSlash(f.name))
		if !check {
			wrong = append(wrong, os.WriteFile(path, f.text, 0o644))
			continue
		}
		old, err := os.ReadFile(path)
		if err != nil || string(old) != string(f.text) {
			wrong = append(wrong, fmt.Errorf("%s: not what the annotations say; run go run ./tools/conform", f.name))
		}
	}
	return errors.Join(append(wrong, missing(apis)...)...)
}

// missing lists the rows that no test proves.
func missing(apis []*api) (wrong []error) {
	for _, a := range apis {
		for _, r := range a.rows {
			if len(r.proofs) == 0 {
				wrong = append(wrong, fmt.Errorf("%s:%d: no test proves %s of %s; put //conform:%s %s <state> <symbol> above the one that does",
					a.file, r.line, r.id, a.name, a.name, r.id))
			}
		}
	}
	return wrong
}

// moduleRoot is the next directory upwards that has a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod here or above; run it inside the module")
		}
		dir = up
	}
	return "", err
}
