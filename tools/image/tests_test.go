package image

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ingot.dev/qemu"
)

const (
	libTest  = "package lib\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {}\n"
	mainTest = "package main_test\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {}\n"
)

// TestPrepareTests has the go command build test binaries and boots them.
func TestPrepareTests(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	dir := module(t, map[string]string{
		"std_test.go":          "package strings_test\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {}\n",
		"none_test.go":         "package sha256\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {}\n",
		"lib/lib.go":           "package lib\n",
		"lib/lib_test.go":      libTest,
		"prog/main.go":         plain,
		"prog/main_test.go":    mainTest,
		"none/none.go":         "package none\n",
		"tagged/tag.go":        "package tagged\n",
		"tagged/tag_test.go":   "//go:build fancy\n\n" + strings.ReplaceAll(libTest, "lib", "tagged"),
		"loose/loose_test.go":  strings.ReplaceAll(libTest, "lib", "loose"),
		"loose/broken_test.go": "package loose\n\nvar _ = nothing\n",
	})
	for _, c := range []struct {
		name     string
		opt      Options
		binaries []string
	}{
		{"a package", Options{Package: []string{"./lib"}}, []string{"lib.test"}},
		{"packages, of which one has no tests", Options{Package: []string{"./lib", "./prog", "./none"}}, []string{"lib.test", "prog.test"}},
		{"a pattern", Options{Package: []string{"./l...b", "./p..."}}, []string{"lib.test", "prog.test"}},
		{"a tag", Options{Package: []string{"./tagged"}, Tags: []string{"fancy"}}, []string{"tagged.test"}},
		{"a file", Options{Package: []string{"loose/loose_test.go"}}, []string{"loose.test"}},
		{"the current one", Options{Dir: filepath.Join(dir, "lib")}, []string{"lib.test"}},
		{"the standard library", Options{Package: []string{"strings", "./lib"}}, []string{"lib.test", "strings.test"}},
		{"tests of ours for it", Options{Package: []string{"strings"}, Overlay: map[string]string{"$GOROOT/src/strings/our_test.go": filepath.Join(dir, "std_test.go")}}, []string{"strings.test"}},
		{"tests of ours where it has none", Options{Package: []string{"crypto/internal/fips140/sha256"}, Overlay: map[string]string{"$GOROOT/src/crypto/internal/fips140/sha256/our_test.go": filepath.Join(dir, "none_test.go")}}, []string{"sha256.test"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.opt.Dir == "" {
				c.opt.Dir = dir
			}
			tests, err := PrepareTests(testContext(t), c.opt, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			cmd := exec.CommandContext(testContext(t), "go", slices.Concat([]string{"test", "-c", "-vet=off", "-o", out + "/"}, tests.Args, tests.Packages)...)
			cmd.Dir, cmd.Env = c.opt.Dir, tests.Env
			if msg, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, msg)
			}
			var got []string
			entries, _ := os.ReadDir(out)
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if !slices.Equal(got, c.binaries) {
				t.Fatalf("built %v, want %v", got, c.binaries)
			}
			for _, name := range got {
				file := filepath.Join(out, name)
				f, err := elf.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				f.Close()
				m, err := qemu.Start(testContext(t), qemu.Config{Image: file})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Stop()
				if code, err := m.Wait(); code != 7 || err != nil {
					t.Errorf("%s ended with %d, %v", name, code, err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*", "*ingot_imports_board*")); len(left) != 0 {
				t.Errorf("%v left in the folders of the packages", left)
			}
		})
	}
}

func TestPrepareTestsRefuses(t *testing.T) {
	dir := module(t, map[string]string{"lib/lib_test.go": libTest})
	for _, c := range []struct {
		opt  Options
		is   error
		want string
	}{
		{Options{Package: []string{"./lib"}, Board: "toaster"}, nil, "toaster"},
		{Options{Package: []string{"./lib"}, Go: "go-that-is-not-there"}, ErrNoGo, "go.dev/doc/install"},
	} {
		c.opt.Dir = dir
		if _, err := PrepareTests(testContext(t), c.opt, t.TempDir()); err == nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v; want %v with %q", c.opt, err, c.is, c.want)
		}
	}
	// What is wrong with a package is go test's to say.
	if _, err := PrepareTests(testContext(t), Options{Package: []string{"./lib", "./nowhere"}, Dir: dir}, t.TempDir()); err != nil {
		t.Errorf("with a package that isn't there: %v", err)
	}
}
