package image

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/internal/pki"
	"ingot.dev/internal/testenv"
	"ingot.dev/qemu"
)

// module writes a Go module beside a stand-in for ingot.dev whose board is a
// few instructions that end the emulator with status 7: enough to see that
// the right file was linked in, and that the result boots.
func module(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	all := map[string]string{
		"go.mod":             "module example.test/app\n\ngo 1.26\n\nrequire ingot.dev v0.0.0\n\nreplace ingot.dev => ./ingot\n",
		"ingot/go.mod":       "module ingot.dev\n\ngo 1.26\n",
		"ingot/board/doc.go": "package board\n",
		"ingot/board/imx6ulevk.go": `//go:build imx6ulevk

package board

func entry()

var _ = entry
`,
		"ingot/board/imx6ulevk.s": `//go:build imx6ulevk

#include "textflag.h"

TEXT imx6ulevk_entry(SB), NOSPLIT|NOFRAME, $0
	WORD $0xe3a00020 // mov r0, #0x20: SYS_EXIT_EXTENDED
	WORD $0xe28f1004 // add r1, pc, #4: its block
	WORD $0xef123456 // svc 0x123456
	WORD $0xeafffffe // b .
	WORD $0x00020026 // ADP_Stopped_ApplicationExit
	WORD $7
	B _rt0_arm_linux(SB) // never reached; keeps the program from being dropped

TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	B imx6ulevk_entry(SB)
`,
	}
	maps.Copy(all, files)
	testenv.WriteFiles(t, dir, all)
	return dir
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

const (
	plain    = "package main\n\nfunc main() {}\n"
	imported = "package main\n\nimport _ \"ingot.dev/board\"\n\nfunc main() {}\n"
	tagged   = "//go:build fancy\n\npackage main\n\nfunc main() {}\n"
)

func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	dir := module(t, map[string]string{
		"plain/main.go":     plain,
		"imported/main.go":  imported,
		"tagged/main.go":    tagged,
		"loose/one.go":      plain,
		"loose/two.go":      "package main\n\nfunc main() {}\n", // would collide with one.go
		"example.test/x.go": "package x\n",
	})
	out := filepath.Join(t.TempDir(), "new", "app.elf")
	for _, c := range []struct {
		name string
		opt  Options
	}{
		{"without the import", Options{Package: []string{"./plain"}}},
		{"with the import", Options{Package: []string{"./imported"}}},
		{"by import path", Options{Package: []string{"example.test/app/plain"}}},
		{"with a tag", Options{Package: []string{"./tagged"}, Tags: []string{"fancy"}}},
		{"a file", Options{Package: []string{"loose/one.go"}}},
		{"with symbols", Options{Package: []string{"./plain"}, Symbols: true}},
		{"with a flag", Options{Package: []string{"./plain"}, Flags: []string{"-gcflags=-N"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opt.Dir, c.opt.Output = dir, out
			im, err := Build(testContext(t), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if im.Path != out || im.Size == 0 || im.Code == 0 || im.Const == 0 || im.Data == 0 || im.Zero == 0 {
				t.Errorf("%+v", im)
			}
			if line := im.String(); strings.Contains(line, "allowed") == c.opt.Symbols {
				t.Errorf("a budget where there is none, or none where there is one: %s", line)
			}
			f, err := elf.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			symbols, _ := f.Symbols()
			if (len(symbols) != 0) != c.opt.Symbols {
				t.Errorf("%d symbols", len(symbols))
			}
			if text := f.Section(".text"); text == nil || text.Addr != im.Board.TextAddr {
				t.Errorf("text is %+v", text)
			}
			m, err := qemu.Start(testContext(t), qemu.Config{Image: out})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Stop()
			if code, err := m.Wait(); code != 7 || err != nil {
				t.Errorf("the image ended with %d, %v", code, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*", "ingot_imports_board*")); len(left) != 0 {
				t.Errorf("%v left in the program's directory", left)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	dir := module(t, map[string]string{
		"plain/main.go":  plain,
		"broken/main.go": "package main\n\nfunc main() { undefinedThing() }\n",
		"lib/lib.go":     "package lib\n",
	})
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "main.go"), []byte(plain), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		opt  Options
		is   error
		want string
	}{
		{"no package", Options{}, nil, "no package"},
		{"unknown board", Options{Package: []string{"./plain"}, Board: "toaster"}, nil, boards.Default},
		{"a library", Options{Package: []string{"./lib"}}, ErrNotMain, "package lib"},
		{"several packages", Options{Package: []string{"./plain", "./lib"}}, nil, "2 packages"},
		{"no such package", Options{Package: []string{"./nowhere"}}, nil, "nowhere"},
		{"does not compile", Options{Package: []string{"./broken"}}, nil, "undefined: undefinedThing"},
		{"no module with ingot.dev", Options{Package: []string{"main.go"}, Dir: outside}, nil, "ingot.dev/board"},
		{"no go command", Options{Package: []string{"./plain"}, Go: "go-that-is-not-there"}, ErrNoGo, "go.dev/doc/install"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.opt.Dir == "" {
				c.opt.Dir = dir
			}
			// A stale image must not survive a failed build.
			c.opt.Output = filepath.Join(t.TempDir(), "x.elf")
			_, err := Build(testContext(t), c.opt)
			if err == nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %v with %q", err, c.is, c.want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	board, err := boards.ByName("")
	if err != nil {
		t.Fatal(err)
	}
	board.ImageBudget = 1000
	out := filepath.Join(t.TempDir(), "app.elf")
	if err := os.WriteFile(out, []byte("stale"), 0o666); err != nil {
		t.Fatal(err)
	}
	opt := Options{Package: []string{"./plain"}, Dir: module(t, map[string]string{"plain/main.go": plain}), Output: out}
	_, err = build(testContext(t), opt, board)
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "of 0.00 MB allowed") {
		t.Errorf("%v; want ErrTooLarge with the figures", err)
	}
	if left, _ := filepath.Glob(out + "*"); len(left) != 0 {
		t.Errorf("%v left behind", left)
	}
	opt.Symbols = true
	if _, err := build(testContext(t), opt, board); err != nil {
		t.Errorf("with symbols: %v", err)
	}
	opt.Symbols, opt.NoBudget = false, true
	if im, err := build(testContext(t), opt, board); err != nil || strings.Contains(im.String(), "allowed") {
		t.Errorf("without a budget: %v, %v", im, err)
	}
	board.RAM = 1000 // nothing exempts from that
	if _, err := build(testContext(t), opt, board); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "of RAM") {
		t.Errorf("%v; want ErrTooLarge for the RAM", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := module(t, map[string]string{"plain/main.go": plain})
	_, err := Build(ctx, Options{Package: []string{"./plain"}, Dir: dir, Output: filepath.Join(t.TempDir(), "x")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestMainDir(t *testing.T) {
	dir := module(t, map[string]string{"cmd/plain/main.go": plain})
	got, err := MainDir(testContext(t), Options{Package: []string{"./cmd/plain"}, Dir: dir})
	if err != nil || filepath.Base(got) != "plain" || !filepath.IsAbs(got) {
		t.Errorf("%q, %v", got, err)
	}
	// Before the files that it embeds have been made.
	dir = module(t, map[string]string{"app/main.go": "package main\n\nimport \"embed\"\n\n//go:embed data\nvar data embed.FS\n\nfunc main() {}\n"})
	if _, err := MainDir(testContext(t), Options{Package: []string{"./app"}, Dir: dir}); err != nil {
		t.Errorf("with nothing to embed: %v", err)
	}
	if _, err := MainDir(testContext(t), Options{Dir: dir}); err == nil {
		t.Error("no package was accepted")
	}
}

// TestOverlay embeds files that are not where the compiler sees them, and none
// of those that are.
func TestOverlay(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	const embeds = `package main

import "embed"

//go:embed data
var data embed.FS

func main() {
	if entries, _ := data.ReadDir("data"); len(entries) != 1 {
		panic("files")
	}
}
`
	dir := module(t, map[string]string{
		"app/main.go":      embeds,
		"app/data/old.txt": "the-content-that-was-there",
		"new/new.txt":      "the-content-from-elsewhere",
	})
	overlay, err := ReplaceDir(filepath.Join(dir, "app/data"), filepath.Join(dir, "new"))
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "app.elf")
	if _, err := Build(testContext(t), Options{Package: []string{"./app"}, Dir: dir, Output: out, Overlay: overlay}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "from-elsewhere") || strings.Contains(string(b), "that-was-there") {
		t.Errorf("the image holds other files than the overlay says: new %v, old %v",
			strings.Contains(string(b), "from-elsewhere"), strings.Contains(string(b), "that-was-there"))
	}
}

func TestReplaceDir(t *testing.T) {
	dir := t.TempDir()
	testenv.WriteFiles(t, dir, map[string]string{"from/a": "", "from/sub/b": "", "old/a": "", "old/c": ""})
	at := func(name string) string { return filepath.Join(dir, name) }
	for path, want := range map[string]map[string]string{
		"old": {at("old/a"): at("from/a"), at("old/sub/b"): at("from/sub/b"), at("old/c"): ""},
		"new": {at("new/a"): at("from/a"), at("new/sub/b"): at("from/sub/b")},
	} {
		if got, err := ReplaceDir(at(path), at("from")); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", path, got, err, want)
		}
	}
	if _, err := ReplaceDir(at("old"), at("nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("from nowhere: %v", err)
	}
}

func TestBuildStamp(t *testing.T) {
	now := time.Now()
	store := t.TempDir()
	stamp := func(epoch string, overlay map[string]string) (int64, error) {
		return buildStamp(epoch, store, overlay, now)
	}
	if got, err := stamp("", nil); err != nil || got != sourceDate {
		t.Errorf("without certificates: %d, %v; want that of the sources, %d", got, err, sourceDate)
	}
	certificate := func(name string, from time.Time) string {
		ca, err := pki.NewAuthority(pki.Template{CommonName: "x", NotBefore: from, NotAfter: from.AddDate(1, 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(store, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, ca.DER(), 0o666)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	// Days after that of the sources, whatever today is.
	day := func(n int) time.Time { return time.Unix(sourceDate, 0).AddDate(0, 0, n) }
	now = day(10)
	certificate("anchors/a.der", day(-900))
	newest := certificate("identities/default/cert.der", day(2))
	certificate("identities/next/cert.der", day(20))
	other := certificate("../other.der", day(3))
	for what, c := range map[string]struct {
		epoch   string
		overlay map[string]string
		want    int64
	}{
		"the newest that is valid": {"", nil, day(2).Unix()},
		"hidden":                   {"", map[string]string{newest: ""}, sourceDate},
		"replaced":                 {"", map[string]string{newest: other}, day(3).Unix()},
		"no part of the store":     {"", map[string]string{other: other}, day(2).Unix()},
		"told otherwise":           {"1700000000", nil, 1700000000},
	} {
		if got, err := stamp(c.epoch, c.overlay); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", what, got, err, c.want)
		}
	}
	for _, bad := range []string{"yesterday", "0", "-5", "1e9"} {
		if _, err := stamp(bad, nil); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The same sources, in other folders at another time, give the same bytes.
func TestReproducible(t *testing.T) {
	t.Setenv("GOFLAGS", "-buildvcs=true") // Build knows better
	files := map[string]string{"app/main.go": plain}
	var first []byte
	for i, extra := range []map[string]string{nil, {"build/app.elf": "made before", "notes.txt": "not of the program"}} {
		dir := module(t, files)
		testenv.WriteFiles(t, dir, extra)
		if git, err := exec.LookPath("git"); err == nil && i == 1 {
			for _, args := range [][]string{{"init", "-q"}, {"add", "app"}, {"-c", "user.name=x", "-c", "user.email=x@example.test", "commit", "-q", "-m", "x"}} {
				if out, err := exec.Command(git, append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
					t.Fatalf("git %v: %v\n%s", args, err, out)
				}
			}
		}
		out := filepath.Join(dir, "build", "app.elf")
		if _, err := Build(testContext(t), Options{Package: []string{"./app"}, Dir: dir, Output: out}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = b
		} else if !bytes.Equal(b, first) {
			t.Error("the bytes differ")
		}
	}
}

// Ingot in a folder of this machine, which go.mod names in full: its name stays out of
// the image, and where it can't, that is said.
func TestReproducibleElsewhere(t *testing.T) {
	var first []byte
	for i := range 2 {
		dir := module(t, map[string]string{"app/main.go": plain})
		file := filepath.Join(dir, "go.mod")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ingot := filepath.Join(dir, "ingot")
		text = bytes.ReplaceAll(text, []byte("=> ./ingot"), []byte("=> "+ingot))
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
		opt := Options{Package: []string{"./app"}, Dir: dir, Output: filepath.Join(dir, "app.elf")}
		im, err := Build(testContext(t), opt)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(im.Path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(dir)) || len(im.Folders) > 0 {
			t.Errorf("the image names %q: %q", dir, im.Folders)
		}
		if i == 0 {
			first = b
			continue
		}
		if !bytes.Equal(b, first) {
			t.Error("the bytes differ")
		}
		opt.Flags = []string{"-mod=readonly"}
		if im, err = Build(testContext(t), opt); err != nil || !slices.Equal(im.Folders, []string{ingot}) {
			t.Errorf("without a workspace: %v, %v; want %s", im, err, ingot)
		}
	}
}

// What can't be replaced is not removed.
func TestOutputRefused(t *testing.T) {
	dir := module(t, map[string]string{"app/main.go": plain})
	for _, output := range []string{"/dev/null", dir} {
		_, err := Build(testContext(t), Options{Package: []string{"./app"}, Dir: dir, Output: output})
		if err == nil || !strings.Contains(err.Error(), output+" is ") {
			t.Errorf("%s: %v", output, err)
		}
		if _, err := os.Stat(output); err != nil {
			t.Fatal(err)
		}
	}
}
