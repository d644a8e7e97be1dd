package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"ingot.dev/internal/atomicfile"
)

// Module is the module that firmwares are made with.
const Module = "ingot.dev"

// Errors that Make wraps.
var (
	// ErrName says that a name can't be a module's and a folder's.
	ErrName = errors.New("not a good name")
	// ErrExists says that the folder is there and not empty.
	ErrExists = errors.New("is there already, and not empty")
	// ErrNoSource says that a folder is no checkout of Ingot.
	ErrNoSource = errors.New("not a checkout of " + Module)
)

// Options says what to make. Dir and Source or Version are required.
type Options struct {
	// Dir is the new folder; its last element names the program. Missing
	// parents are made.
	Dir string
	// ModulePath is the new module's; empty for the program's name.
	ModulePath string
	// Board is passed to the commands in the README; empty for the default.
	Board string
	// Source is a checkout of Ingot, which the new go.mod points at.
	Source string
	// Version is the version of Ingot to require when there is no Source.
	Version string
	// Ingot is how the README calls the ingot command.
	Ingot string
	// Days is how long the certificates are valid, for the README.
	Days int
	// MakeCerts makes development certificates in a folder.
	MakeCerts func(dir string) error
}

//go:embed template
var templates embed.FS

// files are the templates, and where their results go.
var files = [][2]string{
	{"main.go.tmpl", "main.go"},
	{"main_test.go.tmpl", "main_test.go"},
	{"README.md.tmpl", "README.md"},
	{"gitignore.tmpl", ".gitignore"},
}

// nameForm is what suits a folder, a module, and a program.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Make makes the folder, whole or not at all.
func Make(o Options) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	name := filepath.Base(dir)
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q: %w: use small letters, digits, - and _, a letter first", name, ErrName)
	}
	if o.ModulePath == "" {
		o.ModulePath = name
	}
	if module.CheckImportPath(o.ModulePath) != nil || o.ModulePath == Module || strings.HasPrefix(o.ModulePath, Module+"/") {
		return fmt.Errorf("module %q: %w: use something like example.com/%s", o.ModulePath, ErrName, name)
	}
	if err := isFree(dir); err != nil {
		return err
	}
	goMod, goSum, err := o.GoMod()
	if err != nil {
		return err
	}
	tree, err := atomicfile.NewTree(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := tree.Add("go.mod", goMod, 0o644); err != nil {
		return err
	}
	if len(goSum) > 0 {
		if err := tree.Add("go.sum", goSum, 0o644); err != nil {
			return err
		}
	}
	data := struct {
		Options
		Name, BoardFlag string
	}{o, name, ""}
	if o.Board != "" {
		data.BoardFlag = " --board " + o.Board
	}
	for _, f := range files {
		text, err := templates.ReadFile(path.Join("template", f[0]))
		if err != nil {
			return err
		}
		t, err := template.New(f[0]).Parse(string(text))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, data); err != nil {
			return err
		}
		if err := tree.Add(f[1], out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if err := o.MakeCerts(filepath.Join(tree.Stage(), "certs")); err != nil {
		return tree.Placed(err)
	}
	return tree.Commit()
}

// isFree refuses a folder with anything in it.
func isFree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !atomicfile.Unfinished(e.Name()) {
			return fmt.Errorf("%s %w; give another name, or remove it", dir, ErrExists)
		}
	}
	return nil
}

// GoMod returns the go.mod and go.sum of a module that is made with Ingot: ModulePath,
// Source and Version count. With a checkout, they repeat what Ingot itself requires, so
// that nothing has to be looked up.
func (o *Options) GoMod() (mod, sum []byte, err error) {
	f := new(modfile.File)
	if err := f.AddModuleStmt(o.ModulePath); err != nil {
		return nil, nil, err
	}
	if o.Source == "" {
		f.AddGoStmt(minimumGo)
		f.AddRequire(Module, o.Version)
		mod, err = f.Format()
		return mod, nil, err
	}
	source, err := filepath.Abs(o.Source)
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(source, "go.mod")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w; --ingot names the folder with Ingot's go.mod", source, ErrNoSource)
	}
	its, err := modfile.Parse(file, text, nil)
	if err != nil {
		return nil, nil, err
	}
	if its.Module == nil || its.Module.Mod.Path != Module {
		return nil, nil, fmt.Errorf("%s: %w; --ingot names the folder with Ingot's go.mod", source, ErrNoSource)
	}
	f.AddGoStmt(its.Go.Version)
	f.AddNewRequire(Module, "v0.0.0", false)
	for _, r := range its.Require {
		f.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
	}
	f.AddReplace(Module, "", source, "")
	f.SetRequireSeparateIndirect(f.Require)
	f.Cleanup()
	if mod, err = f.Format(); err != nil {
		return nil, nil, err
	}
	sum, err = os.ReadFile(filepath.Join(source, "go.sum"))
	return mod, sum, err
}

// minimumGo is the oldest Go release that Ingot builds with.
const minimumGo = "1.26.3"
