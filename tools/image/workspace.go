package image

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// A go.mod that replaces a module by a folder of this machine, as that of 'ingot new'
// does where Ingot can't be downloaded, puts the folder's name into the image: linked
// elsewhere, the same sources would give other bytes. In a workspace (go.work) a module
// has no folder's name. So there the program is built in one that uses both.

// A workspace is a go.work that stands for the replacements in a go.mod.
type workspace struct {
	file string
	used []string // folders
}

// goEnv is what "go env" says.
type goEnv struct{ GOWORK, GOMOD, GOFLAGS string }

// newWorkspace writes a go.work into temp. It returns nil where none is needed, or where
// the go command could not use one: there is one already, modules are vendored, or flags
// say where modules come from.
func (b *builder) newWorkspace(ctx context.Context, temp string) *workspace {
	out, err := b.run(ctx, "env", "-json", "GOWORK", "GOMOD", "GOFLAGS")
	var env goEnv
	if err != nil || json.Unmarshal([]byte(out), &env) != nil || env.GOWORK != "" || filepath.Base(env.GOMOD) != "go.mod" {
		return nil
	}
	for _, flag := range append(strings.Fields(env.GOFLAGS), b.opt.Flags...) {
		if name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "="); name == "mod" || name == "modfile" {
			return nil
		}
	}
	root := filepath.Dir(env.GOMOD)
	if _, err := os.Stat(filepath.Join(root, "vendor")); err == nil {
		return nil
	}
	main, err := readMod(env.GOMOD)
	if err != nil || main.Go == nil {
		return nil
	}
	work, err := modfile.ParseWork("go.work", nil, nil)
	if err != nil {
		return nil
	}
	goVersion := main.Go.Version
	w := &workspace{file: filepath.Join(temp, "go.work")}
	for _, r := range main.Replace {
		if r.New.Version != "" || r.Old.Version != "" || !filepath.IsAbs(r.New.Path) {
			continue // no folder, or one whose name doesn't depend on where it is
		}
		its, err := readMod(filepath.Join(r.New.Path, "go.mod"))
		// Another module in the place of this one, or one that would bring
		// replacements of its own, is something else in a workspace.
		if err != nil || its.Module == nil || its.Module.Mod.Path != r.Old.Path || len(its.Replace) > 0 {
			continue
		}
		w.used = append(w.used, r.New.Path)
		if its.Go != nil && version.Compare("go"+its.Go.Version, "go"+goVersion) > 0 {
			goVersion = its.Go.Version
		}
	}
	if len(w.used) == 0 || work.AddGoStmt(goVersion) != nil {
		return nil
	}
	for _, dir := range append([]string{root}, w.used...) {
		if work.AddUse(dir, "") != nil {
			return nil
		}
	}
	for _, g := range main.Godebug {
		if work.AddGodebug(g.Key, g.Value) != nil {
			return nil
		}
	}
	if os.WriteFile(w.file, modfile.Format(work.Syntax), 0o666) != nil {
		return nil
	}
	return w
}

func readMod(file string) (*modfile.File, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(file, text, nil)
}

// compileFailed tells an error of the program from one of finding its modules: the go
// command names the package before what the compiler or the linker says.
func compileFailed(stderr string) bool {
	return strings.HasPrefix(stderr, "# ") || strings.Contains(stderr, "\n# ")
}

// folders lists the folders of this machine whose names are in an image.
func folders(file string) ([]string, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, m := range info.Deps {
		if m.Replace != nil && filepath.IsAbs(m.Replace.Path) {
			list = append(list, m.Replace.Path)
		}
	}
	slices.Sort(list)
	return list, nil
}
