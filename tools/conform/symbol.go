package main

import (
	"bytes"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// checkSymbols looks up what the annotations name, in the export data of the
// packages as the go command has them in its cache.
func checkSymbols(root, module string, found []*annotation) (wrong []error) {
	named := map[string][]*annotation{} // by symbol
	paths := map[string]bool{}
	for _, a := range found {
		for _, s := range a.symbols {
			named[s] = append(named[s], a)
			paths[module+"/"+splitSymbol(s).path] = true
		}
	}
	if len(named) == 0 {
		return nil
	}
	exports, err := exportData(root, slices.Sorted(maps.Keys(paths)))
	if err != nil {
		return []error{err}
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no package %s", path)
		}
		return os.Open(exports[path])
	})
	for _, s := range slices.Sorted(maps.Keys(named)) {
		if err := lookup(imports, module, s); err != nil {
			for _, a := range named[s] {
				wrong = append(wrong, a.errorf("%v", err))
			}
		}
	}
	return wrong
}

// A symbol is an exported name, of a field or method behind the dots.
type symbol struct {
	path  string // package path below the module's
	names []string
}

func splitSymbol(s string) symbol {
	slash := strings.LastIndex(s, "/") + 1
	parts := strings.Split(s[slash:], ".")
	return symbol{s[:slash] + parts[0], parts[1:]}
}

// lookup says what is wrong with a symbol.
func lookup(imports types.Importer, module, s string) error {
	sym := splitSymbol(s)
	if len(sym.names) == 0 {
		return fmt.Errorf("symbol %s; name a package below %s and something exported, as tlsio.TLS.Write", s, module)
	}
	pkg, err := imports.Import(module + "/" + sym.path)
	if err != nil {
		return fmt.Errorf("symbol %s: no package %s/%s that builds", s, module, sym.path)
	}
	here := sym.path
	var obj types.Object
	for i, name := range sym.names {
		switch {
		case i == 0:
			obj = pkg.Scope().Lookup(name)
		default:
			obj, _, _ = types.LookupFieldOrMethod(obj.Type(), true, pkg, name)
		}
		if obj == nil || !token.IsExported(name) {
			return fmt.Errorf("symbol %s: %s has no exported %s; name what takes the member's place today", s, here, name)
		}
		here += "." + name
	}
	return nil
}

// exportData maps import paths, of packages and all that they import, to files.
func exportData(root string, paths []string) (map[string]string, error) {
	args := append([]string{"list", "-e", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}\t{{.Export}}{{end}}", "--"}, paths...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %v\n%s", err, &stderr)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			exports[path] = file
		}
	}
	return exports, nil
}

// modulePath reads it from go.mod.
func modulePath(root string) (string, error) {
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "module" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s/go.mod: no module line", root)
}
