//go:build linux

// Package examples holds no code: its tests run the examples as their READMEs say. Each of
// those is a module of its own, as 'ingot new' makes them.
package examples

import (
	"context"
	"go/build"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/modfile"

	"ingot.dev/board/boards"
	"ingot.dev/internal/testenv"
	"ingot.dev/internal/transcript"
	"ingot.dev/qemu"
)

// modules are the examples in Go.
func modules(t *testing.T) (dirs []string) {
	t.Helper()
	files, err := filepath.Glob("*/go.mod")
	if err != nil || len(files) < 3 {
		t.Fatalf("modules: %q, %v", files, err)
	}
	for _, f := range files {
		dirs = append(dirs, filepath.Dir(f))
	}
	return dirs
}

// What the modules require is of the version that Ingot requires: otherwise the go command
// wants to change their go.mod before it builds anything.
func TestModules(t *testing.T) {
	parse := func(file string) *modfile.File {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := modfile.Parse(file, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ingot := parse("../go.mod")
	versions := map[string]string{}
	for _, r := range ingot.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for _, dir := range modules(t) {
		m := parse(filepath.Join(dir, "go.mod"))
		if m.Go.Version != ingot.Go.Version {
			t.Errorf("%s/go.mod: go %s, but Ingot has %s", dir, m.Go.Version, ingot.Go.Version)
		}
		for _, r := range m.Require {
			if r.Mod.Path != "ingot.dev" && r.Mod.Version != versions[r.Mod.Path] {
				t.Errorf("%s/go.mod requires %s, but Ingot %q: take over its require lines, and its go.sum", dir, r.Mod, versions[r.Mod.Path])
			}
		}
	}
}

// TestREADME runs what each README tells its reader to type.
func TestREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("builds images and boots them")
	}
	if _, err := qemu.Find(""); err != nil {
		t.Skip(err)
	}
	testenv.Program(t, "openssl", "openssl")
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "ingot"), "ingot.dev/tools/ingot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range modules(t) {
		t.Run(dir, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
			transcript.NewShell(t, copyModule(t, dir), path).Document("README.md", string(text))
		})
	}
}

// patience is for a boot: far more than it takes.
const patience = 5 * time.Minute

// TestBoards builds the examples for every board, and boots those that are programs as far
// as to their network. (Those that are configured: TestExamples in tools/ingot.)
func TestBoards(t *testing.T) {
	if testing.Short() {
		t.Skip("builds images and boots them")
	}
	ingot := filepath.Join(t.TempDir(), "ingot")
	if out, err := exec.Command("go", "build", "-o", ingot, "ingot.dev/tools/ingot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range modules(t) {
		module := copyModule(t, dir)
		run := func(t *testing.T, program string, args ...string) {
			t.Helper()
			cmd := exec.Command(program, args...)
			cmd.Dir = module
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
			}
		}
		run(t, ingot, "certs", "init", "certs")
		p, err := build.ImportDir(module, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, board := range boards.Names() {
			t.Run(dir+"/"+board, func(t *testing.T) {
				if p.Name != "main" { // tests of a package
					cmd := exec.Command("go", "vet", "-tags", board, ".")
					cmd.Dir = module
					cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=7", "CGO_ENABLED=0")
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
					return
				}
				image := filepath.Join(t.TempDir(), "image.elf")
				run(t, ingot, "build", "--board", board, "-o", image, "--no-sbom", "--sizes=false")
				if _, err := qemu.Find(board); err != nil {
					t.Skip(err)
				}
				m, err := qemu.Start(t.Context(), qemu.Config{Image: image, Board: board, Network: true})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Stop()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				for _, line := range []string{"ingot on " + board + `"`, `address 10\.0\.2\.15/24`} {
					if _, err := m.WaitConsole(ctx, regexp.MustCompile(line)); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// copyModule copies a module, without its certificates, to a folder of the same name from
// where Ingot is still found.
func copyModule(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), dir)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && rel == "certs":
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		case !slices.Contains([]string{".go", ".mod", ".sum"}, filepath.Ext(path)):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "mod", "edit", "-replace", "ingot.dev="+root)
	cmd.Dir = to
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return to
}
