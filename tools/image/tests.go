package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ingot.dev/board/boards"
)

// Tests is how the go command builds test binaries that are images.
type Tests struct {
	// Args follow "go test". Flags may stand behind them; Packages come last.
	Args []string
	// Packages are what to test, as the go command is to be given it: nothing for the
	// current one, of which go test then also shows what is printed when all is well.
	Packages []string
	// Env is the environment of the go command.
	Env []string
	// Go is the go command; empty: "go", from PATH.
	Go string
	// Assembly and Portable are as in Image.
	Assembly []string
	Portable string
}

// PrepareTests makes the go command build the tests of any packages into images, of
// its own module or others. Of opt it uses Package, which here may name many packages
// and hold patterns such as "./...", Board, Tags, Overlay, Dir, Go, Symbols and Flags. The files
// that the go command needs for it are written to dir, which has to be there for as
// long as it runs. Overlay is read as for Build; "$GOROOT/" at the start of a path
// stands for where the toolchain is taken from.
//
// A package of which the go command can't make sense is left to it: "go test" says
// what is wrong with it, and goes on with the others. Errors wrap ErrNoGo.
func PrepareTests(ctx context.Context, opt Options, dir string) (*Tests, error) {
	board, err := boards.ByName(opt.Board)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	stamp, err := buildStamp(os.Getenv("SOURCE_DATE_EPOCH"), "", nil, time.Now())
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	b := builder{opt: opt, board: board, stamp: stamp, tests: true}
	if len(opt.Package) == 0 {
		b.opt.Package = []string{"."}
	}
	packages, err := b.tested(ctx)
	if err != nil {
		return nil, err
	}
	// The import is in a package of its own, p_test, which may import what imports
	// the one tested.
	replace, err := b.assembly(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := b.standard(ctx, packages, dir, replace); err != nil {
		return nil, err
	}
	if err := b.overlay(ctx, replace); err != nil {
		return nil, err
	}
	args := opt.Flags
	if modfile, err := b.linkModules(ctx, packages, dir); err != nil {
		return nil, err
	} else if modfile != "" {
		args = append([]string{"-modfile", modfile}, args...)
	}
	for _, p := range packages {
		file := filepath.Join(dir, p.name+"_"+overlayTestName)
		if err := writeImport(file, p.name+"_test"); err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
		replace[filepath.Join(p.dir, overlayTestName)] = file
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := writeReplace(overlay, replace); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	flags, err := b.flags(ctx, dir, overlay)
	if err != nil {
		return nil, err
	}
	t := &Tests{
		Args:     append(flags, args...),
		Packages: opt.Package,
		Env:      b.environ(),
		Go:       b.opt.Go,
		Assembly: b.asm,
		Portable: b.portable,
	}
	if isFiles(b.opt.Package) && len(packages) > 0 {
		t.Packages = append(slices.Clip(t.Packages), filepath.Join(filepath.Dir(opt.Package[0]), overlayTestName))
	}
	return t, nil
}

// tested is a package with tests, and the module that it is of: none for one of the
// standard library.
type tested struct {
	path, name, dir, module, moduleDir string
	standard                           bool
}

// linkModules sees to packages that are in the module cache, where the go command lets
// no overlay put a file: it makes links to their modules in dir, and a go.mod there
// whose replace directives lead to the links. It moves the packages, and returns the
// file for -modfile, or nothing if it needs none.
func (b *builder) linkModules(ctx context.Context, packages []tested, dir string) (modfile string, err error) {
	out, err := b.run(ctx, "env", "-json", "GOMOD", "GOMODCACHE", "GOWORK")
	if err != nil {
		return "", err
	}
	var env struct{ GOMOD, GOMODCACHE, GOWORK string }
	if err := json.Unmarshal([]byte(out), &env); err != nil {
		return "", fmt.Errorf("image: go env: %w", err)
	}
	links := map[string]string{} // from a module's path to its link
	for i := range packages {
		p := &packages[i]
		if p.standard || env.GOMODCACHE == "" || !strings.HasPrefix(p.dir, env.GOMODCACHE+string(filepath.Separator)) {
			continue
		}
		if env.GOWORK != "" && env.GOWORK != "off" {
			return "", fmt.Errorf("image: %s is in the module cache: its tests can't become images in a workspace (%s); set GOWORK=off", p.module, env.GOWORK)
		}
		link := links[p.module]
		if link == "" {
			link = filepath.Join(dir, "modules", fmt.Sprint(len(links)))
			if err := os.MkdirAll(filepath.Dir(link), 0o777); err != nil {
				return "", fmt.Errorf("image: %w", err)
			}
			if err := os.Symlink(p.moduleDir, link); err != nil {
				return "", fmt.Errorf("image: %w", err)
			}
			links[p.module] = link
		}
		p.dir = link + strings.TrimPrefix(p.dir, p.moduleDir)
	}
	if len(links) == 0 {
		return "", nil
	}
	modfile = filepath.Join(dir, "tests.mod")
	if err := copyFile(modfile, env.GOMOD); err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	// Without a go.sum the go command says what it misses.
	sum := strings.TrimSuffix(env.GOMOD, ".mod") + ".sum"
	if err := copyFile(filepath.Join(dir, "tests.sum"), sum); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("image: %w", err)
	}
	edit := []string{"mod", "edit"}
	for module, link := range links {
		edit = append(edit, "-replace", module+"="+link)
	}
	_, err = b.run(ctx, append(edit, modfile)...)
	return modfile, err
}

// overlaysTests reports whether the overlay has tests for one of the folders.
func (b *builder) overlaysTests(dirs ...string) bool {
	for path := range b.opt.Overlay {
		if strings.HasSuffix(path, "_test.go") && slices.Contains(dirs, filepath.ToSlash(filepath.Dir(path))) {
			return true
		}
	}
	return false
}

// standard sees to packages of the standard library, which may only import others of
// it: it has the go command see the board's packages among those that the library
// vendors.
func (b *builder) standard(ctx context.Context, packages []tested, dir string, replace map[string]string) error {
	if !slices.ContainsFunc(packages, func(p tested) bool { return p.standard }) {
		return nil
	}
	env, err := b.toolchain(ctx)
	if err != nil {
		return err
	}
	if err := b.useLink(env, dir); err != nil {
		return fmt.Errorf("image: tests of the standard library: %w", err)
	}
	for i := range packages {
		if p := &packages[i]; p.standard {
			p.dir = filepath.Join(env.GOROOT, "src", filepath.FromSlash(p.path))
		}
	}
	out, err := b.run(ctx, "list", "-deps", "-tags", b.tags(), "-json=ImportPath,Dir,Standard,GoFiles,SFiles", boardPackage)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var p struct {
			ImportPath, Dir string
			Standard        bool
			GoFiles, SFiles []string
		}
		if err := d.Decode(&p); err != nil {
			return fmt.Errorf("image: go list: %w", err)
		}
		if p.Standard {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.SFiles) {
			replace[filepath.Join(env.GOROOT, "src", "vendor", filepath.FromSlash(p.ImportPath), name)] = filepath.Join(p.Dir, name)
		}
	}
	return nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o666)
}

// tested asks the go command for the packages that have tests for the board.
func (b *builder) tested(ctx context.Context) ([]tested, error) {
	args := append([]string{"list", "-e", "-tags", b.tags(), "-json=ImportPath,Name,Dir,Standard,Module,TestGoFiles,XTestGoFiles", "--"}, b.opt.Package...)
	out, err := b.run(ctx, args...)
	if err != nil {
		return nil, err
	}
	var packages []tested
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var p struct {
			ImportPath, Name, Dir     string
			Standard                  bool
			Module                    struct{ Path, Dir string }
			TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("image: go list: %w", err)
		}
		switch {
		case p.Name == "" || p.Dir == "":
		case len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 && !b.overlaysTests(p.Dir, "$GOROOT/src/"+p.ImportPath):
		default:
			packages = append(packages, tested{p.ImportPath, p.Name, p.Dir, p.Module.Path, p.Module.Dir, p.Standard})
		}
	}
	return packages, nil
}
