package image

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ingot.dev/board/boards"
	"ingot.dev/internal/armcrypto"
)

// tlsProgram reaches all the cryptography that there is assembly for.
const tlsProgram = "package main\n\nimport (\n\t\"crypto/tls\"\n\t\"os\"\n)\n\nfunc main() {\n\tc, _ := tls.Dial(\"tcp\", os.Args[1], nil)\n\tc.Handshake()\n\ts, _ := tls.Listen(\"tcp\", \"\", nil)\n\ts.Accept()\n}\n"

// fromModuleCache makes the toolchain one that the go command takes for downloaded.
func fromModuleCache(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	goroot, _ := sources(t)
	t.Setenv("GOMODCACHE", filepath.Dir(goroot))
	t.Setenv("GOTOOLCHAIN", "local")
}

// An image has our assembly in the place of the portable code, of which the symbols
// tell, and in two folders it is the same image; one that is to be portable hasn't.
func TestAssembly(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	dir := module(t, map[string]string{"app/main.go": tlsProgram})
	var want []string
	for _, p := range armcrypto.Packages {
		want = append(want, p.Path)
	}
	var first []byte
	for _, c := range []struct {
		name     string
		opt      Options
		prepare  func(t *testing.T)
		portable string // what is said of why
	}{
		{name: "assembly"},
		{name: "downloaded toolchain", prepare: fromModuleCache},
		{name: "asked for", opt: Options{NoARMAsm: true}, portable: "as asked for"},
		{name: "stock", opt: Options{Stock: true}, portable: "a stock build"},
		{name: "purego", opt: Options{Tags: []string{"purego"}}, portable: "build tag purego"},
		{name: "other release", prepare: func(t *testing.T) {
			was := armcrypto.Releases
			armcrypto.Releases = []string{"go1.25.0", "go1.25.1"}
			t.Cleanup(func() { armcrypto.Releases = was })
		}, portable: "the assembly was checked with go1.25.0 and go1.25.1, and this is go1."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.prepare != nil {
				c.prepare(t)
			}
			c.opt.Package, c.opt.Dir, c.opt.Output, c.opt.Symbols = []string{"./app"}, dir, filepath.Join(t.TempDir(), "app.elf"), true
			im, err := Build(testContext(t), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if c.portable == "" && (!slices.Equal(im.Assembly, want) || im.Portable != "") || c.portable != "" && (im.Assembly != nil || !strings.HasPrefix(im.Portable, c.portable)) {
				t.Errorf("assembly of %v, portable: %q", im.Assembly, im.Portable)
			}
			b, err := os.ReadFile(im.Path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range armcrypto.Packages {
				p := &armcrypto.Packages[i]
				for _, symbol := range symbols(p) {
					if found := bytes.Contains(b, []byte(symbol)); found != (c.portable == "") {
						t.Errorf("%s is there: %v", symbol, found)
					}
				}
			}
			if bytes.Contains(b, []byte("ingot-image-")) {
				t.Error("the image names a temporary folder")
			}
			if c.portable == "" {
				if first == nil {
					first = b
				} else if !bytes.Equal(b, first) {
					t.Error("a downloaded toolchain makes another image")
				}
			}
		})
	}
}

// Nothing is said of cryptography that an image hasn't.
func TestAssemblyOfNoUse(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	dir := module(t, map[string]string{
		"none/main.go": plain,
		"hash/main.go": "package main\n\nimport \"crypto/sha256\"\n\nfunc main() { println(sha256.Sum256(nil)[0]) }\n",
	})
	for _, c := range []struct {
		pkg      string
		portable bool
		want     string
	}{
		{"./none", false, ""},
		{"./none", true, ""},
		{"./hash", false, "cryptography: ARM assembly for sha256"},
		{"./hash", true, "cryptography: portable code (as asked for)"},
	} {
		im, err := Build(testContext(t), Options{Package: []string{c.pkg}, Dir: dir, Output: filepath.Join(t.TempDir(), "app.elf"), NoARMAsm: c.portable})
		if err != nil {
			t.Fatal(err)
		}
		// One hash brings another, for its self-test.
		if got := im.Ciphers(); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.Contains(got, "chacha20") {
			t.Errorf("%s, portable %v: %q, want %q", c.pkg, c.portable, got, c.want)
		}
	}
}

var textSymbol = regexp.MustCompile(`(?m)^TEXT ·(\w+)\(SB\)`)

// symbols are the names of the assembly's functions.
func symbols(p *armcrypto.Package) (list []string) {
	for _, text := range p.Files() {
		for _, m := range textSymbol.FindAllSubmatch(text, -1) {
			list = append(list, p.Path+"."+string(m[1]))
		}
	}
	return list
}

// Flags for the go command that leave no room for the assembly are seen, so that nothing
// says that it is there.
func TestAssemblyAndFlags(t *testing.T) {
	for _, c := range []struct {
		tags, flags []string
		portable    string
	}{
		{tags: []string{"a,purego"}, portable: "build tag purego"},
		{flags: []string{"-tags=imx6ulevk,purego"}, portable: "build tag purego"},
		{flags: []string{"--tags", "purego imx6ulevk"}, portable: "build tag purego"},
		{tags: []string{"purego"}, flags: []string{"-tags=imx6ulevk"}},
		{tags: []string{"nopurego"}, flags: []string{"-gcflags=-tags=purego"}},
		{flags: []string{"-overlay=my.json"}, portable: "flag -overlay"},
		{flags: []string{"--overlay", "my.json"}, portable: "flag -overlay"},
	} {
		board, err := boards.ByName("imx6ulevk")
		if err != nil {
			t.Fatal(err)
		}
		b := builder{opt: Options{Tags: c.tags, Flags: c.flags}, board: board}
		replace, err := b.assembly(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if c.portable != "" && (b.portable != c.portable || len(replace) > 0) || c.portable == "" && b.portable == "build tag purego" {
			t.Errorf("tags %q, flags %q: %q, %d files replaced; want %q", c.tags, c.flags, b.portable, len(replace), c.portable)
		}
	}
}

// A package whose files are others than those that the assembly was written against
// keeps its portable code, and the image says so.
func TestAssemblyOfOtherFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	was := armcrypto.Packages
	defer func() { armcrypto.Packages = was }()
	for name, sum := range map[string]string{"chacha_noasm.go": strings.Repeat("0", 64), "there_is_no_such.go": strings.Repeat("0", 64)} {
		armcrypto.Packages = slices.Clone(was)
		p := &armcrypto.Packages[0]
		p.Sums = maps.Clone(p.Sums)
		p.Sums[name] = sum
		dir := module(t, map[string]string{"app/main.go": tlsProgram})
		im, err := Build(testContext(t), Options{Package: []string{"./app"}, Dir: dir, Output: filepath.Join(dir, "app.elf"), Symbols: true})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(im.Assembly, p.Path) || len(im.Assembly) != len(was)-1 || im.Portable != "not for chacha20, whose files aren't those of the release" || !strings.Contains(im.Ciphers(), im.Portable) {
			t.Errorf("assembly of %v, portable: %q", im.Assembly, im.Portable)
		}
		b, err := os.ReadFile(im.Path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(p.Path+".xorBlocksARM")) || !bytes.Contains(b, []byte(p.Path+".(*Cipher).xorKeyStreamBlocksGeneric")) {
			t.Error("the assembly is there, or the portable code isn't")
		}
	}
}

// The releases that the project is built with are among those that are known.
func TestReleases(t *testing.T) {
	goroot, _ := sources(t)
	version, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	release, _, _ := strings.Cut(string(version), "\n")
	if !slices.Contains(armcrypto.Releases, release) {
		t.Skipf("the assembly was not checked with %s", release)
	}
	for i := range armcrypto.Packages {
		p := &armcrypto.Packages[i]
		if len(symbols(p)) == 0 {
			t.Errorf("%s: no assembly", p.Path)
		}
		for _, part := range p.Parts(release) {
			dir := filepath.Join(goroot, "src", filepath.FromSlash(part.Path))
			if good, err := reads(dir, part.Sums); !good || err != nil {
				t.Errorf("%s: the files aren't those that are pinned, %v", part.Path, err)
			}
			for _, name := range part.Hide {
				if part.Sums[name] == "" {
					t.Errorf("%s: %s is hidden, and not pinned", part.Path, name)
				}
			}
			for _, e := range part.Edits {
				if part.Sums[e.File] == "" {
					t.Errorf("%s: %s is edited, and not pinned", part.Path, e.File)
				}
				if strings.Count(e.Old, "\n") != strings.Count(e.New, "\n") {
					t.Errorf("%s: %s gets other line numbers", part.Path, e.File)
				}
			}
			for name, rewrite := range part.Rewrite {
				if part.Sums[name] == "" {
					t.Errorf("%s: %s is rewritten, and not pinned", part.Path, name)
				}
				was, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if is, err := rewrite(string(was)); err != nil || strings.Count(is, "\n") != strings.Count(string(was), "\n") {
					t.Errorf("%s: %s gets other line numbers, or %v", part.Path, name, err)
				}
			}
			if _, err := writeAssembly(part, dir, t.TempDir()); err != nil {
				t.Errorf("%s: %v", part.Path, err)
			}
			for name := range part.Files() {
				if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
					t.Errorf("%s has a file %s of its own", part.Path, name)
				}
			}
		}
	}
}
