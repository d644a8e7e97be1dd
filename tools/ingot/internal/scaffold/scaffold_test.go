package scaffold

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// checkout is a folder that looks like one of Ingot.
func checkout(t *testing.T, module string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module "+module+"\n\ngo 1.26.3\n\nrequire example.test/x v1.2.3\n")
	write(t, filepath.Join(dir, "go.sum"), "example.test/x v1.2.3 h1:sum=\n")
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(text), 0o666)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// names lists what is in a folder and below.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && name != dir {
			rel, _ := filepath.Rel(dir, name)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func oneCert(dir string) error {
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "cert"), nil, 0o644))
}

var made = []string{".gitignore", "README.md", "certs", "certs/cert", "go.mod", "go.sum", "main.go", "main_test.go"}

func TestMake(t *testing.T) {
	source := checkout(t, Module)
	dir := filepath.Join(t.TempDir(), "a", "sensor")
	o := Options{Dir: dir, Source: source, Board: "toaster", Ingot: "go run ingot.dev/tools/ingot", Days: 12, MakeCerts: oneCert}
	if err := Make(o); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, made) {
		t.Errorf("%q, want %q", got, made)
	}
	if got := names(t, filepath.Dir(dir)); len(got) != len(made)+1 {
		t.Errorf("left beside it: %q", got)
	}
	for _, name := range []string{"main.go", "main_test.go"} {
		if _, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.AllErrors); err != nil {
			t.Error(err)
		}
	}
	f, err := modfile.Parse("go.mod", []byte(read(t, dir, "go.mod")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.Module.Mod.Path != "sensor" || f.Go.Version != "1.26.3" || len(f.Require) != 2 || len(f.Replace) != 1 || f.Replace[0].New.Path != source {
		t.Errorf("go.mod: %s", read(t, dir, "go.mod"))
	}
	if read(t, dir, "go.sum") != read(t, source, "go.sum") {
		t.Error("go.sum is another than Ingot's")
	}
	readme := read(t, dir, "README.md")
	for _, want := range []string{"# sensor\n", "go run ingot.dev/tools/ingot run --board toaster\n", "valid for 12 days"} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md has no %q:\n%s", want, readme)
		}
	}

	// A released Ingot needs no checkout; an empty folder will do, and what somebody who
	// was killed has left in it doesn't count.
	dir = filepath.Join(t.TempDir(), "lamp")
	write(t, filepath.Join(dir, ".ingot-new-1", "go.mod"), "")
	if err := Make(Options{Dir: dir, ModulePath: "example.com/lamp", Version: "v1.2.3", Ingot: "ingot", MakeCerts: oneCert}); err != nil {
		t.Fatal(err)
	}
	mod := read(t, dir, "go.mod")
	if !strings.Contains(mod, "module example.com/lamp\n") || !strings.Contains(mod, "require ingot.dev v1.2.3\n") || strings.Contains(mod, "replace") {
		t.Error(mod)
	}
}

func TestMakeRefuses(t *testing.T) {
	source := checkout(t, Module)
	full := filepath.Join(t.TempDir(), "full")
	write(t, filepath.Join(full, "notes.txt"), "Mine.")
	failed := errors.New("no keys today")
	top := t.TempDir()
	in := func(name string) Options {
		return Options{Dir: filepath.Join(top, name), Source: source, MakeCerts: oneCert}
	}
	module := in("sensor")
	module.ModulePath = "ingot.dev/sensor"
	noSource, other := in("sensor"), in("sensor")
	noSource.Source, other.Source = t.TempDir(), checkout(t, "example.com/other")
	noCerts := in("sensor")
	noCerts.MakeCerts = func(dir string) error {
		return errors.Join(oneCert(dir), &fs.PathError{Op: "write", Path: dir, Err: failed})
	}
	there := in("sensor")
	there.Dir = full
	for what, c := range map[string]struct {
		o    Options
		want error
	}{
		"a name with a capital": {in("Sensor"), ErrName},
		"a name with a space":   {in("a b"), ErrName},
		"a module of Ingot's":   {module, ErrName},
		"no checkout":           {noSource, ErrNoSource},
		"another module":        {other, ErrNoSource},
		"no certificates":       {noCerts, failed},
		"a folder with files":   {there, ErrExists},
	} {
		if err := Make(c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		} else if what == "no certificates" && !strings.Contains(err.Error(), filepath.Join(top, "sensor", "certs")) {
			t.Errorf("%s: %v doesn't name the folder", what, err)
		}
		if got := names(t, top); len(got) > 0 {
			t.Errorf("%s: left behind: %q", what, got)
		}
	}
	if got := names(t, full); !slices.Equal(got, []string{"notes.txt"}) {
		t.Errorf("%q", got)
	}
}
